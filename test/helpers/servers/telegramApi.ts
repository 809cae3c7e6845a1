// The Bot API's methods on the fake of Telegram: what they take, what they refuse, and with which words. A parameter that the method does not have is refused, which
// the platform itself lets pass.
import type { Form, FormFile } from "./formData.ts";
import type { Message, Room, Telegram } from "./telegram.ts";
import { visibleText } from "./telegramText.ts";

export class ApiError extends Error {
  readonly code: number;
  readonly parameters: object | undefined;

  constructor(code: number, description: string, parameters?: object) {
    super(description);
    this.code = code;
    this.parameters = parameters;
  }
}

const bad = (words: string): ApiError => new ApiError(400, `Bad Request: ${words}`);

export type Params = Record<string, unknown>;
export type Methods = Record<
  string,
  { params: readonly string[]; sends?: boolean; call(params: Params, form: Form): unknown }
>;

const where = [
  "chat_id",
  "message_thread_id",
  "reply_parameters",
  "disable_notification",
  "protect_content",
  "reply_markup",
];
const captioned = [...where, "caption", "parse_mode", "caption_entities"];
const textMax = 4096;
const captionMax = 1024;
/** Some of those that Telegram has. */
const reactions = ["👍", "👎", "❤", "🔥", "🎉", "😁", "🤔", "👏", "🙏", "👀"];

export function methodsOf(
  telegram: Telegram,
  limits: { uploadMaxBytes: number; downloadMaxBytes: number },
): Methods {
  const send = (params: Params, fields: Partial<Message>): Message => {
    const room = roomOf(telegram, params);
    const { message_thread_id: thread, reply_parameters: reply } = params as {
      message_thread_id?: number;
      reply_parameters?: { message_id: number; allow_sending_without_reply?: boolean };
    };
    if (thread !== undefined && !room.topics.has(Number(thread))) throw bad("message thread not found");
    const answered = room.messages.find(({ message_id }) => message_id === Number(reply?.message_id));
    const mayBeGone = reply?.allow_sending_without_reply === true && thread === undefined; // "always False for replies in another chat or forum topic"
    if (reply && !answered && !mayBeGone) throw bad("message to be replied not found");
    return telegram.add(room.chat, {
      from: telegram.me,
      ...(thread === undefined ? {} : { message_thread_id: Number(thread), is_topic_message: true }),
      ...(answered ? { reply_to_message: answered } : {}),
      ...fields,
    });
  };
  const sendMedia = (kind: string): Methods[string] => ({
    params: [...captioned, kind],
    sends: true,
    call(params, { files }) {
      const file = files.find(({ field }) => `attach://${field}` === params[kind]);
      if (!file) throw bad(`there is no ${kind} in the request`);
      const max = kind === "photo" ? 10 * 2 ** 20 : limits.uploadMaxBytes;
      if (file.size > max) throw new ApiError(413, "Request Entity Too Large");
      if (file.size === 0) throw bad("file must be non-empty");
      if (kind === "photo" && file.bytes && !isSquareEnough(file.bytes))
        throw bad("PHOTO_INVALID_DIMENSIONS");
      if (kind === "voice" && telegram.room(params.chat_id as string).hearsNoVoices)
        throw bad("VOICE_MESSAGES_FORBIDDEN");
      const caption =
        params.caption === undefined
          ? undefined
          : readable(params, "caption", captionMax, "message caption is too long");
      return shown(send(params, { ...(caption ? { caption } : {}), [kind]: mediaOf(file) }));
    },
  });
  const target = (params: Params, missing: string): { room: Room; message: Message } => {
    const room = roomOf(telegram, params);
    const message = room.messages.find(({ message_id }) => message_id === Number(params.message_id));
    if (!message) throw bad(missing);
    return { room, message };
  };
  const edit = (field: "text" | "caption", max: number, none: string): Methods[string] => ({
    params: ["chat_id", "message_id", field, "parse_mode", "reply_markup"],
    call(params) {
      const { message } = target(params, "message to edit not found");
      if (message.from?.id !== telegram.me.id) throw bad("message can't be edited");
      const media = Object.keys(message).some((key) => mediaKinds.includes(key));
      if (media !== (field === "caption")) throw bad(none);
      const text = readable(
        params,
        field,
        max,
        field === "text" ? "MESSAGE_TOO_LONG" : "MEDIA_CAPTION_TOO_LONG",
      );
      if (message[field] === text)
        throw bad(
          "message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message",
        );
      return shown(Object.assign(message, { [field]: text, edit_date: Math.floor(Date.now() / 1000) }));
    },
  });
  return {
    getme: {
      params: [],
      call: () => ({
        ...telegram.me,
        can_join_groups: true,
        can_read_all_group_messages: true,
        supports_inline_queries: false,
      }),
    },
    sendmessage: {
      params: [...where, "text", "parse_mode", "entities", "link_preview_options"],
      sends: true,
      call(params) {
        const text = readable(params, "text", textMax, "message is too long");
        if (text === "") throw bad("message text is empty");
        return shown(send(params, { text }));
      },
    },
    ...Object.fromEntries(mediaKinds.map((kind) => [`send${kind}`, sendMedia(kind)])),
    editmessagetext: edit("text", textMax, "there is no text in the message to edit"),
    editmessagecaption: edit("caption", captionMax, "there is no caption in the message to edit"),
    deletemessage: {
      params: ["chat_id", "message_id"],
      call(params) {
        const { room, message } = target(params, "message to delete not found");
        const isOld = message.date * 1000 < Date.now() - 48 * 3_600_000;
        if (room.isAdmin !== true && (message.from?.id !== telegram.me.id || isOld))
          throw bad("message can't be deleted");
        room.messages.splice(room.messages.indexOf(message), 1);
        return true;
      },
    },
    setmessagereaction: {
      params: ["chat_id", "message_id", "reaction", "is_big"],
      call(params) {
        const { room, message } = target(params, "message to react not found");
        const [one] = params.reaction as Array<{ type: string; emoji: string }>;
        if (one && (one.type !== "emoji" || !reactions.includes(one.emoji))) throw bad("REACTION_INVALID");
        if (one) room.reactions.set(message.message_id, one.emoji);
        else room.reactions.delete(message.message_id);
        return true;
      },
    },
    sendchataction: {
      params: ["chat_id", "message_thread_id", "action"],
      call(params) {
        if (params.action !== "typing") throw bad("wrong parameter action in request");
        const room = roomOf(telegram, params);
        room.typing += 1;
        if (params.message_thread_id !== undefined) room.typingIn = Number(params.message_thread_id);
        return true;
      },
    },
    getfile: {
      params: ["file_id"],
      call({ file_id: id }) {
        const file = telegram.files.get(String(id));
        if (!file) throw bad("invalid file_id");
        if ((file.failures ?? 0) > 0) {
          file.failures = (file.failures ?? 0) - 1;
          throw bad("wrong file_id or the file is temporarily unavailable");
        }
        if (file.size > limits.downloadMaxBytes) throw bad("file is too big");
        const path = file.path === "" ? {} : { file_path: file.path }; // it is optional
        return { file_id: id, file_unique_id: `u-${String(id)}`, file_size: file.size, ...path };
      },
    },
  };
}

const mediaKinds = ["photo", "document", "video", "audio", "voice", "animation"];

function roomOf(telegram: Telegram, { chat_id: id }: Params): Room {
  if (id === undefined || id === "") throw bad("chat_id is empty");
  const room = telegram.find(id as string);
  if (!room) throw bad("chat not found");
  if (room.closed !== undefined) throw new ApiError(403, `Forbidden: ${room.closed}`);
  if (room.muted !== undefined) throw bad(room.muted);
  if (room.migratedTo !== undefined) {
    const parameters = { migrate_to_chat_id: room.migratedTo };
    throw new ApiError(400, "Bad Request: group chat was upgraded to a supergroup chat", parameters);
  }
  return room;
}

/** A text without its marks, of the length that Telegram allows. */
function readable(params: Params, field: string, max: number, tooLong: string): string {
  const { [field]: given = "", parse_mode: mode } = params as Record<string, string | undefined>;
  if (mode !== undefined && mode !== "HTML") throw bad("unsupported parse_mode");
  try {
    const text = (mode === "HTML" ? visibleText(given) : given).trim();
    if (text.length > max) throw new Error(tooLong);
    return text;
  } catch (error) {
    throw bad((error as Error).message);
  }
}

/** Telegram's rule for pictures: width and height together at most 10,000, neither more than 20 times the other. What is no PNG is not looked at. */
function isSquareEnough(bytes: Buffer): boolean {
  if (bytes.toString("latin1", 1, 4) !== "PNG" || bytes.length < 24) return true;
  const sides = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)] as const;
  return sides[0] + sides[1] <= 10_000 && Math.max(...sides) <= 20 * Math.min(...sides);
}

function mediaOf({ name, size, sha256, bytes }: FormFile): object {
  return { file_name: name, file_size: size, sha256, bytes };
}

/** As the API shows it: without what the fake keeps with it. */
function shown(message: Message): object {
  return JSON.parse(
    JSON.stringify(message, (key, value: unknown) =>
      key === "bytes" || key === "sha256" ? undefined : value,
    ),
  ) as object;
}
