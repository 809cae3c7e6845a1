// Updates of the Bot API as events. All have some of a chat, a sender and a time; what is not known here is an `event` with everything in `raw`.
import type { Chat, Message, MessageEntity, ReactionType, Update, User } from "grammy/types";
import { type Context, type Draft, reject, sleep } from "spoolway/sdk";
import { chatUpdate, type Member, movedBy, type Person } from "spoolway/sdk/chat-update";
import { platformFile } from "spoolway/sdk/http/platform-file";
import { instead } from "spoolway/sdk/http/refusals";
import type { Session } from "./api.ts";
import type { Config } from "./manifest.d.ts";

type Moves = Record<"old_chat_member" | "new_chat_member", Member<User>>;
type About = { new_reaction: ReactionType[]; user: User; actor_chat: Chat; message: Message; data: string };
type Body = Partial<Message & Moves & About>;
type Media = { file_id: string; file_size?: number; file_name?: string; mime_type?: string };

const files = ["animation", "document", "video", "audio", "voice", "video_note", "sticker"] as const;
/** The bot's own chats. Other kinds of updates have messages too, which it cannot answer. */
const ownChats = /^(?:edited_)?(?:message|channel_post)$/;
/** What people say has one of these, or a file; other messages are notes of what happened. */
const said = /^(?:text|contact|location|venue|poll|dice|story|game|checklist|rich_message|paid_media)$/;

export async function toDrafts(update: Update, session: Session, ctx: Context<Config>): Promise<Draft[]> {
  const { update_id, ...kinds } = update;
  const [[name, body] = ["", {}]] = Object.entries(kinds) as Array<[string, Body]>;
  const { chat = body.message?.chat, message_thread_id: topic, date, edit_date: seconds = date } = body;
  const { sticker, poll, new_chat_title: title, data } = body;
  const { text = body.caption ?? sticker?.emoji ?? poll?.question ?? title ?? data, reply_to_message } = body;
  const by = body.sender_chat ?? body.actor_chat ?? body.from ?? body.user;
  const { came, gone = body.left_chat_member } = movedBy(body.old_chat_member, body.new_chat_member);
  const attachment = await attachmentOf(body, session, ctx);
  const isOwn = ownChats.test(name);
  const isSaid = attachment !== undefined || Object.keys(body).some((key) => said.test(key));
  const saidAs = name.startsWith("edited_") ? "edit" : isSaid ? "message" : "event";
  const kind = body.new_reaction ? "reaction" : isOwn ? saidAs : "event";
  const thread = body.is_topic_message ? topic : undefined; // else: what it answers, in a group without topics
  const type = chat?.type === "private" ? "direct" : chat?.type === "channel" ? "channel" : "group";
  const answered = reply_to_message?.message_id; // in a topic: the message that began it, if nothing else
  return chatUpdate({
    ...{ kind, update: update_id, name, seconds, text, attachment, raw: update },
    message: body.message_id || undefined, // 0: one that only its reader can see, and nobody can name
    ...{ me: session.me.id, by: by && personOf(by), gone: gone && personOf(gone) },
    came: (came ? [came] : body.new_chat_members)?.map(personOf),
    chat: chat && { id: chat.id, type, name: personOf(chat).name },
    ...{ thread, answers: answered === thread ? undefined : answered },
    mentionsMe: (body.entities ?? body.caption_entities)?.some((one) => names(one, text ?? "", session)),
    reaction: body.new_reaction?.map((one) => (one.type === "emoji" ? one.emoji : one.type)).join(" "),
  });
}

function personOf(who: User | Chat): Person {
  const names = "first_name" in who ? [who.first_name, who.last_name] : [who.title];
  const isBot = "is_bot" in who ? who.is_bot : undefined;
  return { id: who.id, name: names.filter(Boolean).join(" "), username: who.username, isBot };
}

/** Whether it names us: @us, a link to us, or a command for us. */
function names(entity: MessageEntity, text: string, { me }: Session): boolean {
  if (entity.type === "text_mention") return entity.user.id === me.id;
  const words = text.slice(entity.offset, entity.offset + entity.length).toLowerCase();
  return /^(?:mention|bot_command)$/.test(entity.type) && words.endsWith(`@${me.username.toLowerCase()}`);
}

async function attachmentOf(body: Body, { api }: Session, ctx: Context<Config>) {
  const { api_url, token, files: folder } = ctx.config;
  const kind = files.find((one) => body[one] !== undefined) ?? "photo";
  const media: Media | undefined = kind === "photo" ? body.photo?.at(-1) : body[kind]; // the last is the largest
  if (media === undefined) return undefined;
  const { file_name: name, file_size: size, mime_type: mediaType } = media;
  return platformFile(ctx, { name, kind, size, mediaType }, async () => {
    const ask = () => api.getFile({ file_id: media.file_id });
    const again = () => sleep(2000, ctx.signal).then(ask); // of files that are gone for good Telegram says that they may be so for now
    const { file_path: path = "" } = await ask().catch(instead(/temporarily unavailable/, again));
    if (path === "") throw reject("Telegram does not say where it is", "unavailable");
    const place = path.split("/").map(encodeURIComponent).join("/"); // it ends as the file of its sender does
    return path.startsWith("/") ? { path, folder } : { url: `${api_url}/file/bot${token}/${place}` };
  });
}
