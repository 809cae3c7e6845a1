// What happens on Discord, as events, in order. A new session of the gateway begins with what was said since the last one, which the HTTP API has.
import { extname } from "node:path";
import { type ChannelType, MessageType } from "discord-api-types/v10";
import type { Context, Draft } from "spoolway/sdk";
import { asItIs } from "spoolway/sdk/as-it-is";
import { remoteFile } from "spoolway/sdk/http/remote-file";
import { type Channel, missedIn, moveMark } from "spoolway/sdk/snowflakes";
import type { Message, Sender, Session, Take, User } from "./discord.d.ts";
import { isOurs } from "./messages.ts";

const { Default, Reply, ChatInputCommand, ContextMenuCommand } = MessageType;
const texts: readonly MessageType[] = [Default, Reply, ChatInputCommand, ContextMenuCommand];
/** Categories, directories, forums and media: what lies in them has messages. */
const bare: readonly ChannelType[] = [4, 14, 15, 16];

export const take: Take = async ({ t, d }, id, session, ctx) => {
  const { call, gateway, places } = session;
  const raw = { t, d };
  const said = async (message: Message): Promise<void> => {
    // What was dropped here comes back as well: its id is in the receipt.
    if (isOurs(message, session)) return;
    const told = { key: [message.channel_id, message.id], raw: { t: "MESSAGE_CREATE", d: message } };
    await draftOf(message, session, ctx).then(ctx.deliver).catch(asItIs(ctx, told));
  };
  const catchUp = async (mark: string, channels: Channel[]): Promise<void> => {
    const read = (channel: string, after: string) =>
      call<Message[]>("GET", `/channels/${channel}/messages?limit=100&after=${after}`);
    for await (const message of missedIn(gateway.notes, mark, channels, read, ctx.log)) await said(message);
  };
  if (t === "READY") {
    const direct = Object.keys(gateway.notes).filter((mark) => mark.startsWith("@"));
    for (const mark of direct) await catchUp(mark, [{ id: mark.slice(1) }]);
  } else if (t === "GUILD_CREATE" && !d.unavailable) {
    const channels = [...d.channels, ...d.threads].filter(({ type }) => !bare.includes(type));
    await catchUp(d.id, channels as Channel[]);
  } else if (t === "CHANNEL_UPDATE" || t === "THREAD_UPDATE") places.changed(d.id);
  else if (t === "MESSAGE_CREATE") {
    await said(d);
    moveMark(gateway.notes, d.guild_id ?? `@${d.channel_id}`, d.id);
  } else if (t === "MESSAGE_UPDATE" && d.edited_timestamp) {
    const key = [d.channel_id, d.id, d.edited_timestamp];
    const edit = { key, target: { platform_id: d.id }, occurred_at: d.edited_timestamp, raw };
    await ctx.deliver({ ...(await draftOf(d, session, ctx)), ...edit, kind: "edit" });
  } else if (t === "MESSAGE_DELETE" || t === "MESSAGE_DELETE_BULK") {
    const place = await places.of(d.channel_id);
    for (const one of "ids" in d ? d.ids : [d.id]) {
      const key = [d.channel_id, one, "deleted"];
      await ctx.deliver({ kind: "delete", key, ...place, target: { platform_id: one }, raw });
    }
  } else if (t === "MESSAGE_REACTION_ADD" || t === "MESSAGE_REACTION_REMOVE") {
    const { name, id: emojiId } = d.emoji;
    const sender = senderOf("member" in d && d.member ? d.member.user : { id: d.user_id }, gateway.me);
    // An emoji that its server has deleted has no name any more.
    const content = { reaction: emojiId ? `${name ?? "_"}:${emojiId}` : (name ?? "") };
    const about = { ...(await places.of(d.channel_id)), target: { platform_id: d.message_id } };
    await ctx.deliver({ kind: "reaction", key: id, sender, ...about, content, raw });
  }
};

async function draftOf(d: Message, session: Session, ctx: Context): Promise<Draft> {
  const { gateway, places } = session;
  // A name beyond ASCII is kept in the title, but for what comes after its last dot.
  const attachments = d.attachments.map(({ title, filename, url, size, content_type: mediaType }) =>
    remoteFile(ctx, { name: title ? title + extname(filename) : filename, url, size, mediaType }),
  );
  const isReply = d.type === Reply;
  // Who answers may choose not to mention.
  const toMe = isReply && d.referenced_message?.author.id === gateway.me;
  return {
    kind: texts.includes(d.type) ? "message" : "event",
    key: [d.channel_id, d.id],
    platform_id: d.id,
    occurred_at: d.timestamp,
    sender: senderOf({ ...d.author, nick: d.member?.nick }, gateway.me),
    ...(await places.of(d.channel_id)),
    reply_to: isReply ? d.message_reference?.message_id : undefined,
    mentions_me: toMe || d.mentions.some(({ id }) => id === gateway.me),
    content: { text: d.content, format: "markdown", attachments },
    raw: { t: "MESSAGE_CREATE", d },
  };
}

const senderOf = ({ id, username, global_name, nick, bot = false }: User, me: string): Sender => {
  return { id, username, display_name: nick ?? global_name ?? undefined, is_bot: bot, is_self: id === me };
};
