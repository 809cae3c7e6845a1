// Messages as calls of the Bot API.
import { InputFile, type RawApi } from "grammy";
import type { Message } from "grammy/types";
import { type Outgoing, reject, type SendContext, type SendResult } from "spoolway/sdk";
import { type MediaKind, mediaKind, mediaType } from "spoolway/sdk/media-type";
import { type OutgoingFile, partsOf, sendParts } from "spoolway/sdk/parts";
import { instead, numericId, unless } from "spoolway/sdk/http/refusals";
import { utf16Units } from "spoolway/sdk/text/split";
import { openApi, type Session } from "./api.ts";
import type { Config } from "./manifest.d.ts";

type Ctx = SendContext<Config>;
const megabyte = 2 ** 20;
const limits = { text: 4096, caption: 1024, sizeOf: utf16Units };
/** What is answered may be gone: the answer is still worth saying. In a topic, and only there, Telegram has no regard for this. */
const anyway = { allow_sending_without_reply: true };

export async function sendMessage({ parts }: Session, message: Outgoing, ctx: Ctx): Promise<SendResult> {
  const { action, conversation_id: chat_id, thread_id, reply_to, target, reaction = "" } = message;
  const api = openApi(ctx);
  const where = { chat_id, ...(thread_id && { message_thread_id: numericId(thread_id, "thread_id") }) };
  // Telegram's own server takes 50 MB from a bot, one of our own with --local 2000.
  const fileMaxBytes = (ctx.config.files === undefined ? 50 : 2000) * megabyte;
  const pieces = partsOf(message, { ...limits, fileMaxBytes });
  if (action === "message") {
    const answered = reply_to && { message_id: numericId(reply_to, "reply_to"), ...anyway };
    return sendParts(parts, message, pieces, async ({ text = "", isHtml, file }, n) => {
      const to = { ...where, ...(isHtml && text && { parse_mode: "HTML" as const }) };
      const say = (fields: typeof to): Promise<Message> =>
        file ? sendFile(api, file, { ...fields, caption: text }, ctx) : api.sendMessage({ ...fields, text });
      const reply = n === 0 && answered && { reply_parameters: answered };
      const said = await say({ ...to, ...reply }).catch(instead(/replied not found/, () => say(to)));
      return String(said.message_id);
    });
  }
  if (action === "typing") return api.sendChatAction({ ...where, action }).then(() => ({}));
  const what = { chat_id, message_id: numericId(target?.platform_id ?? "", "target.platform_id") };
  if (action === "edit") {
    const [{ text = "", isHtml } = {}, ...more] = pieces;
    if (message.attachments?.length) throw reject("the file of a message cannot be changed", "not_supported");
    if (more.length > 0) throw reject("an edited message cannot become several", "too_large");
    const changed = { ...what, ...(isHtml && { parse_mode: "HTML" as const }) };
    const caption = () => api.editMessageCaption({ ...changed, caption: text });
    const edited = api
      .editMessageText({ ...changed, text })
      .catch(instead(/no text in the message/, caption));
    await edited.catch(unless(/message is not modified/));
  } else if (action === "react") {
    const emoji = reaction.replaceAll("\uFE0F", "") as "👍"; // Telegram has ❤ without it; which ones there are is its own to say
    await api.setMessageReaction({ ...what, reaction: emoji ? [{ type: "emoji", emoji }] : [] });
  } else {
    const isGone = ctx.mayHaveBeenSent ? /message to delete not found/ : /^$/; // a try whose answer was lost did it
    await api.deleteMessage(what).catch(unless(isGone));
  }
  return { platform_id: String(what.message_id) };
}

function sendFile(api: RawApi, file: OutgoingFile, fields: object, { config, openAttachment }: Ctx) {
  const { name = file.path, size = 0, media_type = mediaType(name) } = file;
  const kind = config.media === "documents" ? "document" : mediaKind(media_type);
  const as = (shown: MediaKind) => {
    const bytes = new InputFile(() => openAttachment(file), name.replaceAll(/[;\r\n]/g, "_")); // these end a form's header
    const method = `send${shown[0]?.toUpperCase()}${shown.slice(1)}` as "sendDocument";
    return api[method]({ ...fields, [shown]: bytes } as never);
  };
  // Not every picture can be shown (too long, too thin), and not everybody wants to be spoken to: as a file it goes.
  const document = () => as("document");
  const isShown = kind !== "photo" || size <= 10 * megabyte;
  return isShown ? as(kind).catch(instead(/PHOTO_|IMAGE_|VOICE_/, document)) : document();
}
