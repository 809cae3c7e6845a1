// What Slack says as events. An envelope is acknowledged only when its event is durable: until then Slack gives it again, also to the next session, for some minutes.
import { type Draft, type DraftAttachment, reconnect, stop } from "spoolway/sdk";
import { asItIs, draftAsItIs } from "spoolway/sdk/as-it-is";
import type { History, Span } from "spoolway/sdk/catch-up";
import { emojiOf } from "spoolway/sdk/text/emoji-names";
import { isoTime } from "spoolway/sdk/iso-time";
import { mrkdwnOf, mrkdwnToText, readMrkdwn } from "spoolway/sdk/text/mrkdwn";
import type { Patience } from "spoolway/sdk/http/pages";
import { isNoPage, remoteFile } from "spoolway/sdk/http/remote-file";
import type { Envelope, Known, Message, Room, Slack, SlackEvent, SlackFile } from "./slack.d.ts";

export async function receive({ missed, socket, ...slack }: Slack): Promise<void> {
  await missed.done;
  for await (const envelope of socket) {
    const { envelope_id, payload } = envelope;
    if (isHello(envelope) || envelope_id === undefined || payload === undefined) continue;
    const { event_id, event = { ...payload, token: undefined } } = payload; // the secret of old webhooks
    const draft = await draftOf(event, event_id ?? payload.trigger_id ?? envelope_id, slack);
    if (draft) await slack.ctx.deliver(draft).catch(asItIs(slack.ctx, draft));
    await socket.send({ envelope_id });
  }
}

/** Throws where Slack does not want this connection, which it may say first of all. */
export function isHello({ type, reason }: Envelope): boolean {
  if (reason === "link_disabled") throw stop("Socket Mode is off", "Switch it on: api.slack.com/apps");
  if (type === "disconnect") throw reconnect(`Slack asks to connect again: ${reason}`);
  return type === "hello";
}

/** What was said while no session was open, and Slack does not say again. */
export function history({ api, ...slack }: Slack): History<Room> {
  const types = { types: "public_channel,private_channel,mpim,im", exclude_archived: true };
  const rooms = (patience: Patience) => api.list("channels", "users.conversations", types, patience);
  const read = async ({ id: channel }: Room, { sinceS, oldestS }: Span, patience: Patience) => {
    const list = (method: string, fromS: number, ts?: string) =>
      api.list("messages", method, { channel, ts, oldest: fromS.toFixed(6) }, patience);
    const all = await list("conversations.history", oldestS);
    for (const { ts } of all.filter(({ latest_reply }) => Number(latest_reply) > sinceS))
      all.push(...(await list("conversations.replies", sinceS, ts)));
    const missed = all.filter(({ ts }) => Number(ts) > sinceS).sort((a, b) => Number(a.ts) - Number(b.ts));
    return missed.map((one) => () => draftOf({ ...one, channel }, one.ts, slack));
  };
  return { clockAheadMs: api.clockAheadMs, hoursMax: slack.ctx.config.catch_up_hours, rooms, read };
}

const said = [undefined, "file_share", "bot_message", "me_message", "thread_broadcast"];
const idOf = (one?: string | { id: string } | null): string | undefined =>
  typeof one === "object" ? one?.id : one;

/** Undefined where nothing happened that people see: a link got its preview. `id`: Slack's own of what happened. */
function draftOf(event: SlackEvent, id: string, slack: Known): Promise<Draft | undefined> {
  return understand(event, id, slack).catch(draftAsItIs(slack.ctx, { key: [event.ts ?? id], raw: event }));
}

async function understand(event: SlackEvent, id: string, slack: Known): Promise<Draft | undefined> {
  const { type, subtype, ts = event.event_ts ?? "", previous_message: before, item, actions } = event;
  const message = subtype === "message_changed" ? event.message : undefined; // a click names the one it was on
  const channel = idOf(event.channel) ?? event.channel_id ?? item?.channel ?? "";
  const guess = { is_im: channel[0] === "D" };
  const { is_im, is_mpim, name }: Partial<Room> = (await slack.rooms.get(channel)) ?? guess;
  const room = { id: channel, type: is_im ? "direct" : is_mpim ? "group" : "channel", name } as const;
  const occurred_at = isoTime(Number(ts || (event.action_ts ?? actions?.[0]?.action_ts)) * 1000);
  const { user, user_id, bot_id: botId, username, bot_profile: bot } = message ?? event;
  const sender = await slack.people.sender({ id: idOf(user) ?? user_id, botId, name: username ?? bot?.name });
  const base: Draft = { raw: event, conversation: channel ? room : undefined, occurred_at, sender };
  const on = (to: string, how: string) => ({ ...base, key: [channel, to, how], target: { platform_id: to } });
  if (type === "app_mention" || (type === "message" && said.includes(subtype)))
    return { ...base, key: [channel, ts], ...(await saidIn({ ...event, ts }, slack)) };
  if (subtype === "message_deleted" || [subtype, message?.subtype].includes("tombstone"))
    return { ...on(event.deleted_ts ?? message?.ts ?? ts, "deleted"), kind: "delete", sender: undefined };
  const isSame = message?.text === before?.text && message?.edited?.ts === before?.edited?.ts;
  if (message && isSame) return undefined;
  const edit = message && on(message.ts, message.edited?.ts ?? id);
  if (message) return { ...edit, kind: "edit", ...(await saidIn(message, slack)) };
  const [isMember, deed] = /^member_(joined|left)_channel$/.exec(type) ?? [];
  const kind = isMember ? "membership" : type === "reaction_added" ? "reaction" : "event";
  if (item?.ts) return { ...on(item.ts, id), kind, content: { reaction: emojiOf(event.reaction ?? "") } };
  const clicked = actions?.[0]?.value ?? actions?.[0]?.action_id ?? event.callback_id;
  const typed = [event.command ?? clicked, mrkdwnToText(event.text ?? "")];
  const words = isMember ? [sender?.username, deed] : typed;
  const text = words.filter(Boolean).join(" ");
  return { ...base, kind, key: [channel, type === "message" ? ts : id], content: { text, format: "plain" } };
}

/** What a message says. To answer one is, in Slack, to write into the thread below it. */
async function saidIn(message: Omit<Message, "channel">, slack: Known): Promise<Draft> {
  const { ts: platform_id, thread_ts, blocks, files } = message;
  const read = await readMrkdwn(mrkdwnOf(message), blocks, (id) => slack.people.nameOf(id));
  const thread_id = thread_ts === platform_id ? undefined : thread_ts;
  const attachments = files && (await Promise.all(files.map((file) => attachmentOf(file, slack))));
  const content = { text: read.text, format: "plain" as const, attachments };
  const mentions_me = read.users.includes(slack.me.user_id);
  return { platform_id, thread_id, reply_to: thread_id, mentions_me, content };
}

/** Of another organization's file only the id is told at first. */
async function attachmentOf(told: SlackFile, { ctx, files }: Known): Promise<DraftAttachment> {
  const file = told.file_access === "check_file_info" ? await files.get(told.id) : told;
  const { id, name, size, mimetype: mediaType, url_private: page = "" } = file ?? told;
  const headers = { authorization: `Bearer ${ctx.config.bot_token}` };
  const there = { url: file?.url_private_download ?? page, platform: ctx.config.api_url, headers };
  return remoteFile(ctx, { name: name || id, size, mediaType, ...there, isFile: isNoPage(mediaType) });
}
