// What a workspace of the Slack fake holds: people, channels, messages, files; and how Slack keeps a text: entities for & < >, emoji as :names: with their characters in a
// rich_text block. Written from https://docs.slack.dev (messages, formatting, block kit).

export interface StoredMessage {
  type: "message";
  subtype?: string;
  ts: string;
  thread_ts?: string;
  user?: string;
  bot_id?: string;
  text: string;
  /** False: nothing in the text is formatting. */
  mrkdwn?: boolean;
  blocks?: unknown[];
  edited?: { user: string; ts: string };
  files?: Array<StoredFile | HiddenFile>;
  attachments?: object[];
  reply_count?: number;
  latest_reply?: string;
  reactions?: Array<{ name: string; users: string[]; count: number }>;
  metadata?: { event_type: string; event_payload: Record<string, unknown> };
}

export interface StoredFile {
  id: string;
  name: string;
  title: string;
  mimetype: string;
  size: number;
  mode: string;
  url_private?: string;
  url_private_download?: string;
}

/** Another organization's, in a channel that two share: files.info tells the rest. */
export interface HiddenFile {
  id: string;
  name?: string;
  mode: "file_access";
  file_access: "check_file_info";
}

export interface Channel {
  id: string;
  name?: string;
  is_im: boolean;
  is_mpim: boolean;
  is_private: boolean;
  is_archived: boolean;
  members: string[];
  /** By ts. */
  messages: StoredMessage[];
}

export interface Person {
  id: string;
  name: string;
  real_name: string;
  is_bot: boolean;
}

export class SlackStore {
  readonly people = new Map<string, Person>();
  readonly channels = new Map<string, Channel>();
  #lastTs = 0;
  #ids = 0;

  /** Unique in a channel, and growing: seconds with six digits. */
  newTs(): string {
    this.#lastTs = Math.max(Date.now() * 1000, this.#lastTs + 1);
    return `${Math.floor(this.#lastTs / 1e6)}.${String(this.#lastTs % 1e6).padStart(6, "0")}`;
  }

  newId(prefix: string): string {
    this.#ids += 1;
    return `${prefix}0${String(this.#ids).padStart(8, "0")}`;
  }

  addPerson(name: string, isBot = false): Person {
    const person = { id: this.newId("U"), name, real_name: `${name} of the tests`, is_bot: isBot };
    this.people.set(person.id, person);
    return person;
  }

  addChannel(id: string, members: string[], more: Partial<Channel> = {}): Channel {
    const plain = { is_im: false, is_mpim: false, is_private: false, is_archived: false };
    const channel: Channel = { id, members, messages: [], ...plain, ...more };
    this.channels.set(id, channel);
    return channel;
  }

  message(channel: string, ts: string): StoredMessage | undefined {
    return this.channels.get(channel)?.messages.find((one) => one.ts === ts);
  }

  /** Puts a message where it belongs, also into its thread's count. */
  add(channel: Channel, message: StoredMessage): void {
    channel.messages.push(message);
    const root = message.thread_ts === undefined ? undefined : this.message(channel.id, message.thread_ts);
    if (root === undefined || root === message) return;
    root.thread_ts = root.ts;
    root.reply_count = (root.reply_count ?? 0) + 1;
    root.latest_reply = message.ts;
  }
}

const emoji = /\p{RGI_Emoji}/gv;
const tones = ["1f3fb", "1f3fc", "1f3fd", "1f3fe", "1f3ff"];
/** Slack's own names for some; the rest get one that tells their code points. */
const known = new Map([["👍", "+1"]]);

function emojiElement(character: string): {
  type: "emoji";
  name: string;
  unicode: string;
  skin_tone?: number;
} {
  const codes = Array.from(character, (one) => one.codePointAt(0)?.toString(16) ?? "");
  const tone = codes.findIndex((code) => tones.includes(code));
  const name = known.get(character) ?? `emoji_${codes.filter((_code, n) => n !== tone).join("-")}`;
  const toned = tone < 0 ? {} : { skin_tone: tones.indexOf(codes[tone] ?? "") + 2 };
  return { type: "emoji", name, unicode: codes.join("-"), ...toned };
}

/** What somebody typed, as Slack keeps and sends it. */
export function stored(typed: string): { text: string; blocks: unknown[] } {
  const escaped = typed.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return withNames(escaped);
}

/** Markup that an app sent: its entities are there already. */
export function withNames(markup: string): { text: string; blocks: unknown[] } {
  const elements: unknown[] = [];
  const text = markup.replaceAll(emoji, (character) => {
    const element = emojiElement(character);
    elements.push(element);
    return `:${element.name}${element.skin_tone === undefined ? "" : `::skin-tone-${element.skin_tone}`}:`;
  });
  const section = { type: "rich_text_section", elements: [{ type: "text", text: markup }, ...elements] };
  return { text, blocks: [{ type: "rich_text", block_id: "b1", elements: [section] }] };
}

/** The text as people see it. */
export function shown({ text, blocks = [] }: Pick<StoredMessage, "text" | "blocks">): string {
  const characters = new Map<string, string>();
  const look = (part: unknown): void => {
    if (Array.isArray(part)) return part.forEach(look);
    if (typeof part !== "object" || part === null) return;
    const { type, name, unicode, skin_tone: tone, elements } = part as Record<string, unknown>;
    const key = `:${String(name)}${tone === undefined ? "" : `::skin-tone-${String(tone)}`}:`;
    const codes = typeof unicode === "string" ? unicode.split("-") : [];
    if (type === "emoji") characters.set(key, String.fromCodePoint(...codes.map((hex) => parseInt(hex, 16))));
    look(elements);
  };
  look(blocks);
  let seen = text;
  for (const [name, character] of [...characters].sort(([a], [b]) => b.length - a.length))
    seen = seen.replaceAll(name, character);
  return seen.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
