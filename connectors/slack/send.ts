// What goes out. Every text carries the message's id as metadata, by which it is found when nobody knows whether it was posted; files are found by the first one's id.
import { type Outgoing, reject, type SendContext, type SendResult } from "spoolway/sdk";
import { emojiName } from "spoolway/sdk/text/emoji-names";
import { beforehand } from "spoolway/sdk/http/api";
import { mrkdwnSize, textToMrkdwn } from "spoolway/sdk/text/mrkdwn";
import { splitText } from "spoolway/sdk/text/split";
import { patiently } from "spoolway/sdk/http/pages";
import { unless } from "spoolway/sdk/http/refusals";
import { findSteps, type Steps, takeSteps } from "spoolway/sdk/steps";
import { fileBody, fileName } from "spoolway/sdk/http/upload";
import type { Slack } from "./slack.d.ts";

export async function send(slack: Slack, message: Outgoing, ctx: SendContext): Promise<SendResult> {
  const { action, target, reaction = "" } = message;
  if (action === "typing") throw reject("Slack shows no typing of apps", "not_supported");
  const channel = await roomId(slack, message);
  if (action === "message") return takeSteps(stepsOf(slack, channel, message), ctx);
  const ts = target?.platform_id;
  const [text, ...more] = action === "edit" ? textsOf(message) : [];
  if (more.length > 0) throw reject("an edited text has to fit into one message", "too_large");
  if (action === "edit") await slack.api.call("chat.update", { channel, ts, ...text, mrkdwn: undefined });
  const gone = ctx.mayHaveBeenSent ? /message_not_found/ : /(?!)/; // by the try whose answer was lost
  if (action === "delete") await slack.api.call("chat.delete", { channel, ts }).catch(unless(gone));
  const name = emojiName(reaction) ?? reaction;
  if (action === "react") await slack.api.call("reactions.add", { channel, timestamp: ts, name });
  return { platform_id: ts };
}

export async function reconcile(slack: Slack, message: Outgoing): ReturnType<typeof findSteps> {
  if (message.action !== "message") return undefined; // may be done twice
  return findSteps(stepsOf(slack, await roomId(slack, message), message));
}

/** A person's id stands for the direct messages with them. */
async function roomId({ api }: Slack, { conversation_id: id }: Outgoing): Promise<string> {
  return /^[UW]\w{6,}$/.test(id) ? (await api.call("conversations.open", { users: id })).channel.id : id;
}

function stepsOf({ api, ctx, uploads }: Slack, channel: string, message: Outgoing): Steps<object> {
  const { id, thread_id, reply_to, attachments: files } = message;
  const thread_ts = thread_id ?? (channel.startsWith("D") ? undefined : reply_to); // two people need no thread
  const texts = textsOf(message);
  return {
    texts,
    files,
    async post(text, part) {
      const metadata = { event_type: "spoolway_message", event_payload: { id, part } };
      return (await api.call("chat.postMessage", { channel, thread_ts, ...text, metadata })).ts;
    },
    async share(all) {
      const ids: Array<{ id: string }> = [];
      for (const file of all) {
        const wanted = { filename: fileName(file), length: file.size };
        const { upload_url, file_id } = await api.call("files.getUploadURLExternal", wanted);
        await beforehand(api.request("upload", upload_url, { method: "POST", ...fileBody(ctx, file) }, true));
        await uploads.note(id, file_id); // before Slack can have shared it
        ids.push({ id: file_id });
      }
      await api.call("files.completeUploadExternal", { files: ids, channel_id: channel, thread_ts });
      return ids[0]?.id ?? ""; // Slack does not tell the message's
    },
    async find() {
      const method = thread_ts ? "conversations.replies" : "conversations.history";
      const oldest = Math.floor(Date.now() / 1000) - 7 * 86_400; // a machine may be off over the weekend
      const args = { channel, ts: thread_ts, oldest, include_all_metadata: true };
      const found = new Map<number, string>();
      const all = await api.list("messages", method, args, (ask) => patiently(ask, ctx.signal));
      for (const { ts, metadata, files: shared } of all) {
        if (metadata?.event_payload?.id === id) found.set(metadata.event_payload.part ?? 0, ts);
        if (shared?.some((file) => file.id === uploads.get(id))) found.set(texts.length, ts);
      }
      return found;
    },
  };
}

/** The texts that it is posted as. */
function textsOf({ text = "", subject, format, meta }: Outgoing): object[] {
  const whole = subject ? `${subject}\n${text}` : text;
  if (format === "html") throw reject("Slack shows no HTML: send it as plain or markdown");
  if (meta?.blocks) return [{ text: textToMrkdwn(whole), blocks: meta.blocks }];
  if (format === "markdown") return splitText(whole, 12_000).map((markdown_text) => ({ markdown_text }));
  return splitText(whole, 4000, mrkdwnSize).map((part) => ({ text: textToMrkdwn(part), mrkdwn: false }));
}
