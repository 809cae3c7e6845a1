// From a request to an event: which value of the body becomes which field, and what makes the event unique.
//
// A mapping never refuses an event: a field that is not there, or is of the wrong kind (a list where a text is expected), is left out, and the whole
// request stays in `raw`. Losing somebody's webhook over an unexpected field would be worse.
import type { IncomingHttpHeaders } from "node:http";
import type { Draft, DraftAttachment } from "spoolway/sdk";
import { Refusal } from "./answer.ts";
import type { Field, Settings } from "./config.ts";
import { proofHeaders } from "./verify.ts";

/** A request whose origin is proven and whose body is parsed. */
export interface Received {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: unknown;
}

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
const maxKey = 512;

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

/** The value at a JSON Pointer (RFC 6901), or undefined. "" is the whole document. */
export function resolvePointer(document: unknown, pointer: string): unknown {
  if (pointer === "") return document;
  let value = document;
  for (const token of pointer.slice(1).split("/")) {
    const name = token.replaceAll("~1", "/").replaceAll("~0", "~");
    if (Array.isArray(value)) {
      value = /^(0|[1-9]\d*)$/.test(name) ? (value as unknown[])[Number(name)] : undefined;
    } else if (isObject(value) && Object.hasOwn(value, name)) {
      value = value[name];
    } else {
      return undefined;
    }
  }
  return value;
}

/** What makes this delivery unique, and where it stood. */
export function deliveryId(
  received: Received,
  settings: Settings,
): { source: string; id: string } | undefined {
  const { body, headers } = received;
  const header = (name: string): { source: string; id: string } | undefined => {
    // Idempotency-Key is a structured field, a quoted string; many send it bare.
    const value = String(headers[name] ?? "").replace(/^"(.*)"$/, "$1");
    return value === "" ? undefined : { source: name, id: value };
  };
  const pointed = (pointer: string): { source: string; id: string } | undefined => {
    const value = id(resolvePointer(body, pointer));
    return value === undefined ? undefined : { source: pointer, id: value };
  };
  const candidates = [
    () => (settings.map.key === undefined ? undefined : pointed(settings.map.key)),
    () => (settings.keyHeader === undefined ? undefined : header(settings.keyHeader)),
    () => (settings.verify.scheme === "slack" ? pointed("/event_id") : undefined),
    () => (settings.verify.scheme === "stripe" ? pointed("/id") : undefined),
    () => header("webhook-id"),
    () => header("idempotency-key"),
    () => header("x-github-delivery"),
  ];
  for (const candidate of candidates) {
    const found = candidate();
    if (found !== undefined) {
      limited("the delivery id", found.id, maxKey);
      return found;
    }
  }
  return undefined;
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

/** A string, or a number or boolean as one; anything else is not there. */
function scalar(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}

/** As scalar, and an empty one is not there. */
function id(value: unknown): string | undefined {
  const text = scalar(value);
  return text === "" ? undefined : text;
}

function limited(what: string, value: string | undefined, max: number): string | undefined {
  if (value === undefined || value.length <= max) return value;
  throw new Refusal(
    400,
    "field_too_long",
    `${what} has ${value.length} characters, at most ${max} are allowed`,
    "Shorten it.",
  );
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** The object without the keys that are undefined. */
function defined<T extends object>(object: T): Defined<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Defined<T>;
}
