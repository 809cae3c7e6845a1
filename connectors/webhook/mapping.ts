// From a request to an event: which value of the body becomes which field, and what makes the event unique.
//
// A mapping never refuses an event: a field that is not there, or is of the wrong kind (a list where a text is expected), is left out, and the whole
// request stays in `raw`. Losing somebody's webhook over an unexpected field would be worse.
import type { Draft, DraftAttachment } from "spoolway/sdk";
import { Refusal } from "./answer.ts";
import type { Field, Settings } from "./config.ts";
import { deliveryId, limited } from "./delivery-id.ts";
import { id, isObject, resolvePointer, scalar } from "./values.ts";
import type { Received } from "./received.ts";
import { proofHeaders } from "./verify.ts";

const defaults: Partial<Record<Field, string>> = {
  text: "/text",
  subject: "/subject",
  conversation_id: "/conversation_id",
  sender_id: "/sender",
  thread_id: "/thread_id",
  reply_to: "/reply_to",
  occurred_at: "/occurred_at",
};

const kinds = [
  "message",
  "edit",
  "delete",
  "reaction",
  "membership",
  "receipt",
  "typing",
  "item",
  "event",
] as const;

/** A conversation_id of an outgoing message has this limit: a longer one could not be answered. */
const maxConversationId = 1024;

/** The event. Throws Refusal 400 for a conversation or delivery id that is too long, and for a query parameter named __proto__. */
export function toDraft(received: Received, settings: Settings): Draft {
  const { body } = received;
  const find = (field: Field): unknown => {
    const pointer = settings.map[field] ?? defaults[field];
    return pointer === undefined ? undefined : resolvePointer(body, pointer);
  };
  const text = scalar(find("text"));
  const subject = scalar(find("subject"));
  const conversationId =
    limited("conversation_id", id(find("conversation_id")), maxConversationId) ?? "default";
  const attachments = readAttachments(body);
  const content = defined({ text, subject, attachments });
  const hasContent = Object.keys(content).length > 0;
  const key = deliveryId(received, settings);
  const kind = kinds.find((name) => name === find("kind")) ?? (hasContent ? "message" : "event");
  return {
    kind,
    conversation: defined({ id: conversationId, name: scalar(find("conversation_name")) }),
    ...(hasContent ? { content } : {}),
    ...defined({
      key: key === undefined ? undefined : [key.source, key.id],
      sender: readSender(find("sender_id"), scalar(find("sender_name"))),
      platform_id: id(find("platform_id")) ?? key?.id,
      thread_id: id(find("thread_id")),
      reply_to: id(find("reply_to")),
      occurred_at: readTime(find("occurred_at")),
    }),
    raw: readRaw(received, settings),
  };
}

/** A string is the id; an object has id, username, display_name (or login and name, as many platforms call them). */
function readSender(value: unknown, name: string | undefined): Draft["sender"] {
  if (!isObject(value)) {
    const senderId = id(value) ?? name;
    return senderId === undefined ? undefined : defined({ id: senderId, display_name: name });
  }
  const username = scalar(value.username) ?? scalar(value.login);
  const displayName = name ?? scalar(value.display_name) ?? scalar(value.name);
  const senderId = id(value.id) ?? username ?? displayName;
  if (senderId === undefined) return undefined;
  const isBot = typeof value.is_bot === "boolean" ? value.is_bot : undefined;
  return defined({ id: senderId, username, display_name: displayName, is_bot: isBot });
}

/** `attachments: [{name, base64 | url, media_type}]`, as this connector's own posts carry them; anything else stays in raw only. */
function readAttachments(body: unknown): DraftAttachment[] | undefined {
  const list = resolvePointer(body, "/attachments");
  if (!Array.isArray(list)) return undefined;
  const found = list.flatMap((item: unknown) => {
    if (!isObject(item) || typeof item.name !== "string" || item.name === "") return [];
    const { base64, url, media_type: mediaType } = item;
    // Buffer.from skips what is no base64, which would lose bytes without a word.
    const data =
      typeof base64 === "string" && /^[A-Za-z0-9+/]*={0,2}$/.test(base64)
        ? Buffer.from(base64, "base64")
        : undefined;
    if (data === undefined && typeof url !== "string") return [];
    return [
      defined({
        name: item.name,
        media_type: typeof mediaType === "string" ? mediaType : undefined,
        data,
        url: typeof url === "string" ? url : undefined,
      }),
    ];
  });
  return found.length === 0 ? undefined : found;
}

/** The request as it came, without what proves its origin. */
function readRaw(received: Received, settings: Settings): Record<string, unknown> {
  const hidden = new Set([...proofHeaders, settings.verify.header?.toLowerCase()]);
  const headers = Object.entries(received.headers).filter(
    ([name]) => !hidden.has(name) && name !== "__proto__",
  );
  if (received.query.has("__proto__")) {
    throw new Refusal(400, "forbidden_key", "a query parameter is named __proto__", "Rename it.");
  }
  const query = [...new Set(received.query.keys())].map((name) => {
    const values = received.query.getAll(name);
    return [name, values.length === 1 ? values[0] : values] as const;
  });
  return {
    method: received.method,
    path: received.path,
    query: Object.fromEntries(query),
    headers: Object.fromEntries(headers),
    body: received.body,
  };
}

/** A date, or seconds or milliseconds since 1970, as RFC 3339 in UTC. */
function readTime(value: unknown): string | undefined {
  if (typeof value !== "string" && typeof value !== "number") return undefined;
  const number = typeof value === "number" ? value : /^\d+(\.\d+)?$/.test(value) ? Number(value) : undefined;
  // 1e11 seconds are the year 5138; 1e11 milliseconds are 1973.
  const ms = number === undefined ? Date.parse(String(value)) : number < 1e11 ? number * 1000 : number;
  const date = new Date(ms);
  // Beyond these years toISOString has no RFC 3339 form.
  return date.getTime() >= 0 && date.getUTCFullYear() <= 9999 ? date.toISOString() : undefined;
}

type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** The object without the keys that are undefined. */
function defined<T extends object>(object: T): Defined<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Defined<T>;
}
