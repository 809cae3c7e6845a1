// What there is on a Discord of our own: one server with channels and threads, people, messages with their limits. discord.ts is its HTTP API, discordGateway.ts its gateway.
// Written from https://docs.discord.com/developers.

export interface Json {
  [key: string]: unknown;
}

export interface User {
  id: string;
  username: string;
  global_name: string | null;
  bot?: boolean;
}

export interface StoredFile {
  name: string;
  /** Its bytes, or the file of this machine that has them. */
  bytes: Uint8Array | { path: string; size: number };
  mediaType: string;
}

export interface Message extends Json {
  id: string;
  channel_id: string;
  author: User;
  content: string;
  attachments: Json[];
  type: number;
  nonce?: string;
}

export interface Channel extends Json {
  id: string;
  type: number;
  name?: string;
  parent_id?: string;
  guild_id?: string;
  /** Not of categories. */
  last_message_id?: string | null;
}

/** An answer that is no 2xx: {message, code, errors}. */
export class Refusal extends Error {
  readonly status: number;
  readonly body: Json;

  constructor(status: number, code: number, message: string, errors?: Json) {
    super(message);
    this.status = status;
    this.body = { message, code, ...(errors === undefined ? {} : { errors }) };
  }
}

/** 50035: errors by the path of the wrong field. */
export const invalidForm = (field: string, code: string, message: string): Refusal =>
  new Refusal(400, 50035, "Invalid Form Body", { [field]: { _errors: [{ code, message }] } });

export const epochMs = 1_420_070_400_000;
/** As Discord writes it. */
const timestamp = (): string => new Date().toISOString().replace("Z", "000+00:00");
const intent = {
  guilds: 1,
  members: 2,
  messages: 512,
  reactions: 1024,
  dms: 4096,
  dmReactions: 8192,
  content: 32768,
};

export class World {
  #lastId = 0n;
  readonly #users = new Map<string, User>();
  readonly me: User = { id: this.newId(), username: "spool", global_name: null, bot: true };
  readonly guildId = this.newId();
  readonly channels = new Map<string, Channel>();
  readonly messages = new Map<string, Message[]>();
  readonly reactions: Array<{ message: string; user: string; emoji: string }> = [];
  readonly typing: string[] = [];
  readonly files = new Map<string, StoredFile>();
  /** Where files are served. */
  cdn = "";
  /** Tells every session that asked for it. */
  dispatch: (type: string, data: Json, intents: number) => void = () => undefined;

  /** A snowflake: the time, and a number within it. */
  newId(): string {
    const now = BigInt(Date.now() - epochMs) << 22n;
    this.#lastId = now > this.#lastId ? now : this.#lastId + 1n;
    return String(this.#lastId);
  }

  user(username: string): User {
    const known = this.#users.get(username) ?? {
      id: this.newId(),
      username,
      global_name: username.toUpperCase(),
    };
    this.#users.set(username, known);
    return known;
  }

  /** Whether this is somebody with whom the bot shares a server. */
  knows(id: string): boolean {
    return [...this.#users.values()].some((user) => user.id === id);
  }

  addChannel(more: Partial<Channel> & { type: number }): Channel {
    const isDirect = more.type === 1;
    const channel: Channel = {
      id: this.newId(),
      ...(more.type === 4 ? {} : { last_message_id: null }),
      ...(isDirect ? {} : { guild_id: this.guildId }),
      ...more,
    };
    this.channels.set(channel.id, channel);
    this.messages.set(channel.id, []);
    if (isDirect) return channel;
    this.dispatch(
      [10, 11, 12].includes(channel.type) ? "THREAD_CREATE" : "CHANNEL_CREATE",
      channel,
      intent.guilds,
    );
    return channel;
  }

  channel(id: string): Channel {
    const found = this.channels.get(id);
    if (found === undefined) throw new Refusal(404, 10003, "Unknown Channel");
    if (found.hidden === true) throw new Refusal(403, 50001, "Missing Access");
    return found;
  }

  message(channel: string, id: string): Message {
    const found = this.messages.get(this.channel(channel).id)?.find((one) => one.id === id);
    if (found === undefined) throw new Refusal(404, 10008, "Unknown Message");
    return found;
  }

  add(
    channelId: string,
    author: User,
    content: string,
    more: Json = {},
    files: readonly StoredFile[] = [],
  ): Message {
    const channel = this.channel(channelId);
    const about = more.message_reference as { message_id?: string } | undefined;
    const answered = this.messages.get(channelId)?.find(({ id }) => id === about?.message_id);
    const message: Message = {
      id: this.newId(),
      channel_id: channelId,
      author,
      content,
      timestamp: timestamp(),
      edited_timestamp: null,
      tts: false,
      mention_everyone: false,
      mentions: [...content.matchAll(/<@(\d+)>/g)].map(([, id]) => ({ id })),
      mention_roles: [],
      attachments: files.map((file) => this.#attach(channelId, file)),
      embeds: [],
      pinned: false,
      type: 0,
      ...(about === undefined ? {} : { referenced_message: answered ?? null }),
      ...more,
    };
    this.messages.get(channelId)?.push(message);
    channel.last_message_id = message.id;
    this.#tell("MESSAGE_CREATE", message, { nonce: message.nonce });
    delete message.nonce; // the HTTP API does not give it out again
    return message;
  }

  /** A file's name in ASCII; what it was called beside it. */
  #attach(channelId: string, file: StoredFile): Json {
    const id = this.newId();
    const filename = file.name.replaceAll(/[^\w.-]+/g, "_");
    const title = filename === file.name ? {} : { title: file.name.replace(/\.[^.]*$/, "") };
    const path = `/attachments/${channelId}/${id}/${filename}`;
    this.files.set(path, file);
    const size = "size" in file.bytes ? file.bytes.size : file.bytes.byteLength;
    return {
      id,
      filename,
      ...title,
      size,
      url: `${this.cdn}${path}?ex=1&is=1&hm=1`,
      content_type: file.mediaType,
    };
  }

  edit(
    message: Message,
    content: string,
    kept: readonly Json[] = message.attachments,
    added: readonly StoredFile[] = [],
  ): Message {
    const attachments = [...kept, ...added.map((file) => this.#attach(message.channel_id, file))];
    Object.assign(message, { content, attachments, edited_timestamp: timestamp() });
    this.#tell("MESSAGE_UPDATE", message);
    return message;
  }

  delete({ id, channel_id }: Message): void {
    const messages = this.messages.get(channel_id) ?? [];
    this.messages.set(
      channel_id,
      messages.filter((one) => one.id !== id),
    );
    this.dispatch(
      "MESSAGE_DELETE",
      { id, channel_id, ...this.#guildOf(channel_id) },
      this.#intentOf(channel_id),
    );
  }

  react({ id, channel_id }: Message, user: User, emoji: string): void {
    this.reactions.push({ message: id, user: user.id, emoji });
    const guild = this.#guildOf(channel_id);
    const member = "guild_id" in guild ? { member: { user, roles: [] } } : {};
    const data = {
      user_id: user.id,
      channel_id,
      message_id: id,
      emoji: { id: null, name: emoji },
      burst: false,
      ...guild,
      ...member,
    };
    this.dispatch("MESSAGE_REACTION_ADD", data, "guild_id" in guild ? intent.reactions : intent.dmReactions);
  }

  /** The same event once more, as if Discord had forgotten that it was told. */
  again(channelId: string, id: string): void {
    this.#tell("MESSAGE_CREATE", this.message(channelId, id));
  }

  #tell(type: string, message: Message, more: Json = {}): void {
    const guild = this.#guildOf(message.channel_id);
    const member = "guild_id" in guild ? { member: { nick: null, roles: [] } } : {};
    this.dispatch(type, { ...message, ...more, ...guild, ...member }, this.#intentOf(message.channel_id));
  }

  #guildOf(channelId: string): { guild_id: string } | object {
    const { guild_id } = this.channels.get(channelId) ?? {};
    return guild_id === undefined ? {} : { guild_id };
  }

  #intentOf(channelId: string): number {
    return this.channels.get(channelId)?.type === 1 ? intent.dms : intent.messages;
  }
}
