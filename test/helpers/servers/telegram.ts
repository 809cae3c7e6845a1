// A fake of Telegram: the chats with the people in them (this file), and the Bot API over them (telegramApi.ts), by its documentation and the words of its own server.
//
//   user says something ─▶ an update, if the bot wants its kind ─▶ queue ─▶ getUpdates ─▶ … ─▶ getUpdates with a higher offset: forgotten
import { randomBytes } from "node:crypto";

export interface User {
  id: number;
  is_bot: boolean;
  first_name: string;
  last_name?: string;
  username?: string;
}

export interface Chat {
  id: number;
  type: "private" | "group" | "supergroup" | "channel";
  title?: string;
  first_name?: string;
  username?: string;
  is_forum?: boolean;
}

export interface Message {
  message_id: number;
  message_thread_id?: number;
  is_topic_message?: boolean;
  from?: User;
  date: number;
  edit_date?: number;
  chat: Chat;
  text?: string;
  caption?: string;
  reply_to_message?: Message;
  [media: string]: unknown;
}

export interface Update {
  update_id: number;
  [kind: string]: unknown;
}

export interface StoredFile {
  size: number;
  /** On the server, for getFile. */
  path: string;
  bytes: Uint8Array | undefined;
  /** So many questions for it are answered with a failure that may be over by the next. */
  failures?: number;
}

/** What a chat is beside what the API shows of it. */
export interface Room {
  chat: Chat;
  messages: Message[];
  topics: Set<number>;
  /** Why the bot cannot write there, if it cannot: nobody lets it (403), or it has no right to (400). */
  closed?: string;
  muted?: string;
  /** The bot may delete what others wrote. */
  isAdmin?: boolean;
  hearsNoVoices?: boolean;
  migratedTo?: number;
  reactions: Map<number, string>;
  typing: number;
  /** The topic of the last one. */
  typingIn?: number;
}

/** Those are not sent unless the bot names them. */
const onlyOnRequest = new Set(["chat_member", "message_reaction", "message_reaction_count"]);

export class Telegram {
  readonly me: User = { id: 7_000_000_001, is_bot: true, first_name: "Spool", username: "spoolway_bot" };
  readonly ada: User = {
    id: 5_000_000_001,
    is_bot: false,
    first_name: "Ada",
    last_name: "L.",
    username: "ada",
  };
  readonly bob: User = { id: 5_000_000_002, is_bot: false, first_name: "Bob" };
  readonly rooms = new Map<number, Room>();
  readonly files = new Map<string, StoredFile>();
  /** What the bot has not confirmed. */
  queue: Update[] = [];
  /** The last setting of allowed_updates; undefined: all but those on request. */
  allowed: Set<string> | undefined;
  nextUpdateId = 100_000_000 + (randomBytes(3).readUIntBE(0, 3) || 1);
  /** Called when something is put into the queue. */
  onUpdate: () => void = () => undefined;
  #nextMessageId = 100;
  /** By the text that was said, for sayAgain. */
  readonly #updates = new Map<string, Update>();

  open(chat: Chat): Room {
    const room: Room = { chat, messages: [], topics: new Set(), reactions: new Map(), typing: 0 };
    this.rooms.set(chat.id, room);
    return room;
  }

  room(id: number | string): Room {
    const found = this.find(id);
    if (!found) throw new Error(`there is no chat ${id}`);
    return found;
  }

  /** By number, or by @name where it is public. */
  find(id: number | string): Room | undefined {
    const name = String(id).startsWith("@") ? String(id).slice(1) : undefined;
    if (name === undefined) return this.rooms.get(Number(id));
    return [...this.rooms.values()].find(({ chat }) => chat.type !== "private" && chat.username === name);
  }

  /** Somebody says, or does, something in a chat: the message, with its update. In a supergroup every answer has a thread, also where there are no topics. */
  say(chatId: number | string, fields: Partial<Message>, from: User = this.ada): Message {
    const { chat } = this.room(chatId);
    const { reply_to_message: answered } = fields;
    const message = this.add(chat, {
      ...(chat.type === "channel" ? { sender_chat: chat } : { from }),
      ...(answered && chat.type === "supergroup"
        ? { message_thread_id: answered.message_thread_id ?? answered.message_id }
        : {}),
      ...fields,
    });
    this.tell(chat.type === "channel" ? "channel_post" : "message", message, message.text ?? "");
    return message;
  }

  edit(chatId: number | string, messageId: number, fields: Partial<Message>): void {
    const { chat, messages } = this.room(chatId);
    const message = messages.find((one) => one.message_id === messageId);
    if (!message) throw new Error(`there is no message ${messageId}`);
    Object.assign(message, { edit_date: seconds() }, fields);
    this.tell(chat.type === "channel" ? "edited_channel_post" : "edited_message", { ...message });
  }

  react(
    chatId: number | string,
    messageId: number,
    before: string[],
    after: string[],
    user = this.ada,
  ): void {
    const type = (emoji: string): object => ({ type: "emoji", emoji });
    const reactions = { old_reaction: before.map(type), new_reaction: after.map(type) };
    const { chat } = this.room(chatId);
    this.tell("message_reaction", { chat, message_id: messageId, user, date: seconds(), ...reactions });
  }

  /** A file that somebody sends; `bytes` undefined: it is so large that only the server's disk has it. */
  upload(
    path: string,
    size: number,
    bytes?: Uint8Array,
  ): { file_id: string; file_unique_id: string; file_size: number } {
    const id = `file-${this.files.size + 1}-${randomBytes(6).toString("base64url")}`;
    this.files.set(id, { path, size, bytes });
    return { file_id: id, file_unique_id: `u${this.files.size}`, file_size: size };
  }

  /** The same update once more, as after a loss of what the server knew of the bot's offset. */
  repeat(text: string): void {
    const update = this.#updates.get(text);
    if (!update) throw new Error(`nobody said ${text}`);
    this.queue.push(update);
    this.onUpdate();
  }

  /** Puts an update into the queue, if the bot asked for its kind. */
  tell(kind: string, body: object, text = ""): void {
    if (this.allowed ? !this.allowed.has(kind) : onlyOnRequest.has(kind)) return;
    const update = { update_id: this.nextUpdateId++, [kind]: body };
    if (text !== "") this.#updates.set(text, update);
    this.queue.push(update);
    this.onUpdate();
  }

  /** A message in a chat, without an update. */
  add(chat: Chat, fields: Partial<Message>): Message {
    const message = { message_id: ++this.#nextMessageId, date: seconds(), chat, ...fields };
    this.room(chat.id).messages.push(message);
    return message;
  }

  /** What the bot sent, in order. */
  sent(chatId: number | string): Message[] {
    return this.room(chatId).messages.filter(({ from }) => from?.id === this.me.id);
  }
}

const seconds = (): number => Math.floor(Date.now() / 1000);
