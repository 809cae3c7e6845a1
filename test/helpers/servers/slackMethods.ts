// The methods of the Slack fake's Web API that a chat app needs, with their arguments, scopes, limits and errors. An argument that Slack does not know is refused, so that a
// misspelt one is noticed. Written from https://docs.slack.dev/reference/methods.
import type { SlackServer } from "./slack.ts";
import { type Channel, type StoredMessage, withNames } from "./slackStore.ts";

export type Args = Record<string, string>;
type Answer = Record<string, unknown>;

interface Method {
  args: string[];
  scope?: string;
  /** Needs this of the kind of conversation: channels:, groups:, im: or mpim: with it. */
  right?: "history" | "read";
  /** Needs the app-level token. */
  app?: boolean;
  answer(slack: SlackServer, args: Args): Answer;
}

const textMax = 40_000;
const markdownMax = 12_000;
const blocksMax = 50;
const refuse = (error: string, more: Answer = {}): Answer => ({ ok: false, error, ...more });

export const methods: Record<string, Method> = {
  "auth.test": {
    args: [],
    answer: ({ bot, botId }) => ({
      ok: true,
      user: bot.name,
      user_id: bot.id,
      bot_id: botId,
      team_id: "T0FAKE",
    }),
  },
  "apps.connections.open": {
    args: [],
    app: true,
    answer: ({ sockets, publicHost }) => ({
      ok: true,
      url: `ws://${publicHost}/link/?ticket=${sockets.newTicket()}`,
    }),
  },
  "users.info": {
    args: ["user"],
    scope: "users:read",
    answer({ store }, { user = "" }) {
      const found = store.people.get(user);
      return found ? { ok: true, user: found } : refuse("user_not_found");
    },
  },
  "users.conversations": {
    args: ["types", "exclude_archived", "limit", "cursor"],
    answer({ store, bot, scopes }, args) {
      const types = (args.types ?? "public_channel").split(",").map((type) => kinds.get(type) ?? "");
      if (types.includes("")) return refuse("invalid_types");
      const needed = types.map((kind) => `${kind}:read`).find((scope) => !scopes.has(scope));
      if (needed !== undefined) return refuse("missing_scope", { needed });
      const isMine = (one: Channel): boolean =>
        one.members.includes(bot.id) &&
        types.includes(kindOf(one)) &&
        !(one.is_archived && args.exclude_archived === "true");
      return page("channels", [...store.channels.values()].filter(isMine).map(roomOf), args);
    },
  },
  "conversations.info": {
    args: ["channel"],
    right: "read",
    answer: (slack, { channel = "" }) =>
      inChannel(slack, channel, (found) => ({ ok: true, channel: roomOf(found) })),
  },
  "conversations.open": {
    args: ["users"],
    scope: "im:write",
    answer(slack, { users = "" }) {
      if (!slack.store.people.has(users)) return refuse("user_not_found");
      return { ok: true, channel: { id: slack.directWith(users).id } };
    },
  },
  "conversations.history": {
    args: ["channel", "oldest", "latest", "inclusive", "limit", "cursor", "include_all_metadata"],
    right: "history",
    answer: (slack, args) =>
      inChannel(slack, args.channel ?? "", ({ messages }) => {
        const top = messages.filter(({ ts, thread_ts, subtype }) => {
          return thread_ts === undefined || thread_ts === ts || subtype === "thread_broadcast";
        });
        const newestFirst = since(top, args).sort((a, b) => Number(b.ts) - Number(a.ts));
        return page("messages", newestFirst.map(seen(args)), args, 999);
      }),
  },
  "conversations.replies": {
    args: ["channel", "ts", "oldest", "latest", "inclusive", "limit", "cursor", "include_all_metadata"],
    right: "history",
    answer: (slack, args) =>
      inChannel(slack, args.channel ?? "", ({ messages }) => {
        const root = messages.find(({ ts }) => ts === args.ts);
        if (root === undefined) return refuse("thread_not_found");
        const replies = since(
          messages.filter((one) => one.thread_ts === root.ts && one !== root),
          args,
        );
        return page("messages", [root, ...replies].map(seen(args)), args, 1000);
      }),
  },
  "chat.postMessage": {
    args: [
      "channel",
      "text",
      "markdown_text",
      "blocks",
      "thread_ts",
      "mrkdwn",
      "metadata",
      "unfurl_links",
      "reply_broadcast",
    ],
    scope: "chat:write",
    answer: (slack, args) =>
      inChannel(slack, args.channel ?? "", (channel) => {
        const body = bodyOf(args);
        if (typeof body === "string") return refuse(body);
        if (channel.is_archived) return refuse("is_archived");
        const { thread_ts } = args;
        if (thread_ts !== undefined && !channel.messages.some(({ ts }) => ts === thread_ts))
          return refuse("thread_not_found");
        const metadata = parsed<StoredMessage["metadata"]>(args.metadata);
        if (
          metadata &&
          (typeof metadata.event_type !== "string" || typeof metadata.event_payload !== "object")
        )
          return refuse("invalid_metadata_format");
        const more = { ...(thread_ts === undefined ? {} : { thread_ts }), ...(metadata ? { metadata } : {}) };
        const plain = args.mrkdwn === "false" ? { mrkdwn: false } : {};
        const { ts } = slack.post(channel, { ...slack.byBot(), ...body, ...plain, ...more });
        return { ok: true, channel: channel.id, ts, message: body };
      }),
  },
  "chat.update": {
    args: ["channel", "ts", "text", "markdown_text", "blocks", "metadata", "parse", "link_names"],
    scope: "chat:write",
    answer: (slack, args) =>
      ofBot(slack, args, "cant_update_message", (channel, message) => {
        const body = bodyOf(args);
        if (typeof body === "string") return refuse(body);
        slack.edit(channel, message, body);
        return { ok: true, channel: channel.id, ts: message.ts };
      }),
  },
  "chat.delete": {
    args: ["channel", "ts"],
    scope: "chat:write",
    answer: (slack, args) =>
      ofBot(slack, args, "cant_delete_message", (channel, message) => {
        slack.remove(channel, message);
        return { ok: true, channel: channel.id, ts: message.ts };
      }),
  },
  "reactions.add": {
    args: ["channel", "timestamp", "name"],
    scope: "reactions:write",
    answer: (slack, { channel: id = "", timestamp = "", name = "" }) =>
      inChannel(slack, id, (channel) => {
        const message = channel.messages.find(({ ts }) => ts === timestamp);
        if (message === undefined) return refuse("message_not_found");
        if (!/^[a-z0-9_+'-]+(::skin-tone-[2-6])?$/.test(name)) return refuse("invalid_name");
        return slack.react(channel, message, slack.bot.id, name) ? { ok: true } : refuse("already_reacted");
      }),
  },
  "files.info": {
    args: ["file"],
    scope: "files:read",
    answer: ({ files }, { file = "" }) =>
      files.shared.has(file) ? { ok: true, file: files.shared.get(file) } : refuse("file_not_found"),
  },
  "files.getUploadURLExternal": {
    args: ["filename", "length", "alt_txt", "snippet_type"],
    scope: "files:write",
    answer: ({ files, publicHost }, { filename, length = "" }) =>
      filename
        ? files.announce(`http://${publicHost}`, filename, Number(length))
        : refuse("invalid_arguments"),
  },
  "files.completeUploadExternal": {
    args: ["files", "channel_id", "thread_ts", "initial_comment", "blocks"],
    scope: "files:write",
    answer: (slack, args) =>
      inChannel(slack, args.channel_id ?? "", (channel) => {
        const files = slack.files.complete(parsed<Array<{ id: string }>>(args.files) ?? []);
        if (typeof files === "string") return refuse(files);
        const thread = args.thread_ts === undefined ? {} : { thread_ts: args.thread_ts };
        const message = { ...slack.byBot(), ...withNames(args.initial_comment ?? ""), ...thread };
        slack.soon(() => slack.post(channel, { ...message, subtype: "file_share", files }));
        return { ok: true, files };
      }),
  },
};

/** What users.conversations calls them, and what scopes do. */
const kinds = new Map([
  ["public_channel", "channels"],
  ["private_channel", "groups"],
  ["mpim", "mpim"],
  ["im", "im"],
]);

function kindOf({ is_im, is_mpim, is_private }: Channel): string {
  return is_im ? "im" : is_mpim ? "mpim" : is_private ? "groups" : "channels";
}

/** The scope that a call needs: of a method, or of the conversation that it is about. */
export function scopeOf({ scope, right }: Method, { store }: SlackServer, args: Args): string | undefined {
  const about = store.channels.get(args.channel ?? "");
  return scope ?? (right === undefined ? undefined : `${about ? kindOf(about) : "channels"}:${right}`);
}

function parsed<T>(text: string | undefined): T | undefined {
  return text === undefined ? undefined : (JSON.parse(text) as T);
}

function inChannel(slack: SlackServer, id: string, then: (channel: Channel) => Answer): Answer {
  const channel = slack.store.channels.get(id);
  if (channel === undefined) return refuse("channel_not_found");
  if (channel.members.includes(slack.bot.id)) return then(channel);
  return refuse(channel.is_private ? "channel_not_found" : "not_in_channel");
}

function ofBot(
  slack: SlackServer,
  args: Args,
  notOurs: string,
  then: (channel: Channel, message: StoredMessage) => Answer,
): Answer {
  return inChannel(slack, args.channel ?? "", (channel) => {
    const message = channel.messages.find(({ ts }) => ts === args.ts);
    if (message === undefined) return refuse("message_not_found");
    return message.user === slack.bot.id ? then(channel, message) : refuse(notOurs);
  });
}

/** A text, or why it is none. */
function bodyOf({
  text,
  markdown_text: markdown,
  blocks,
}: Args): Pick<StoredMessage, "text" | "blocks"> | string {
  if (markdown !== undefined && (text !== undefined || blocks !== undefined)) return "markdown_text_conflict";
  if (markdown !== undefined && markdown.length > markdownMax) return "msg_too_long";
  if ((text ?? "").length > textMax) return "msg_too_long";
  const given = parsed<unknown[]>(blocks);
  if (given !== undefined && (!Array.isArray(given) || given.length > blocksMax)) return "invalid_blocks";
  if (!text && !markdown && given === undefined) return "no_text";
  const kept = withNames(text ?? markdown ?? "");
  return given === undefined ? kept : { text: kept.text, blocks: given };
}

function since(messages: StoredMessage[], { oldest = "0", latest, inclusive }: Args): StoredMessage[] {
  const [from, to] = [Number(oldest), Number(latest ?? Infinity)];
  const isIn = inclusive === "true";
  return messages.filter(({ ts }) =>
    isIn ? Number(ts) >= from && Number(ts) <= to : Number(ts) > from && Number(ts) < to,
  );
}

/** Metadata is told only to who asks for it. */
const seen =
  (args: Args) =>
  (message: StoredMessage): StoredMessage => {
    const { metadata, ...rest } = message;
    return args.include_all_metadata === "true" && metadata ? { ...rest, metadata } : rest;
  };

function page(key: string, all: unknown[], { limit = "100", cursor = "" }: Args, most = 1000): Answer {
  const size = Number(limit);
  if (!(size >= 1 && size <= most)) return refuse("invalid_limit");
  const start = cursor === "" ? 0 : Number(Buffer.from(cursor, "base64").toString());
  if (Number.isNaN(start)) return refuse("invalid_cursor");
  const next = start + size < all.length ? Buffer.from(String(start + size)).toString("base64") : "";
  return {
    ok: true,
    [key]: all.slice(start, start + size),
    has_more: next !== "",
    response_metadata: { next_cursor: next },
  };
}

function roomOf({ id, name, is_im, is_mpim, is_private, is_archived }: Channel): Answer {
  return { id, ...(name === undefined ? {} : { name }), is_im, is_mpim, is_private, is_archived };
}
