// The short form of an event, as programs and people write it in JSON, made into a draft:
//
//   {"text": "hi", "conversation_id": "#dev", "sender": "ada"}
//     → {content: {text: "hi"}, conversation: {id: "#dev"}, sender: {id: "ada"}}
//
// The fields of an inbound event may be used as well, and mixed with it. Ids given as numbers become strings. Checked against schema/inbound.schema.json,
// so that the mistake is named where it was made and not when the event is written.
import { inbound } from "../schema/validators/messages.js";
import type { Draft, DraftAttachment } from "./draft.ts";
import { SpoolwayError } from "./errors.ts";

type Fields = Record<string, unknown>;

const kept = ["kind", "occurred_at", "platform_id", "thread_id", "reply_to", "mentions_me", "raw"];
const known = ["text", "conversation_id", "sender", "conversation", "content", "target", "key", ...kept];

/**
 * A draft of what was written in short. null means absent. Keys that an event does not have are refused or, with "raw", kept: the whole object
 * becomes `raw`. Throws invalid_event, naming the key and what was expected.
 */
export function draftFromShorthand(given: Fields, unknownKeys: "refuse" | "raw" = "refuse"): Draft {
  const fields = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
  const strange = Object.keys(fields).filter((key) => !known.includes(key));
  if (strange.length > 0 && unknownKeys === "refuse") {
    throw invalid(`unknown key ${JSON.stringify(strange[0])}: expected ${known.join(", ")}`);
  }
  const draft: Fields = {};
  for (const key of kept) {
    if (fields[key] !== undefined)
      draft[key] = key.endsWith("_id") || key === "reply_to" ? idOf(fields[key]) : fields[key];
  }
  if (strange.length > 0 && fields.raw === undefined) draft.raw = given;
  merge(draft, "target", "platform_id", fields.target, undefined);
  merge(draft, "sender", "id", fields.sender, undefined);
  merge(draft, "conversation", "id", fields.conversation, fields.conversation_id);
  const { attachments, ...content } = isObject(fields.content) ? fields.content : { text: fields.content };
  merge(draft, "content", "text", fields.content === undefined ? undefined : content, fields.text);

  check(draft);
  if (attachments !== undefined)
    draft.content = { ...(draft.content as Fields), attachments: readAttachments(attachments) };
  if (fields.key !== undefined) draft.key = readKey(fields.key);
  return draft as Draft;
}

/** draft[key] = the object, with its short form (one string) in the place that it stands for. */
function merge(draft: Fields, key: string, place: string, long: unknown, short: unknown): void {
  if (long === undefined && short === undefined) return;
  const text = (value: unknown): unknown => (key === "content" ? value : idOf(value));
  const value: Fields = isObject(long) ? { ...long } : long === undefined ? {} : { [place]: long };
  if (value[place] !== undefined) value[place] = text(value[place]);
  if (short !== undefined && value[place] !== undefined && value[place] !== text(short)) {
    throw invalid(`${key}.${place} and its short form differ: give one of them`);
  }
  if (short !== undefined) value[place] = text(short);
  draft[key] = value;
}

/** Attachments written in JSON carry their bytes as base64, or a url; a name is all that they need. */
function readAttachments(value: unknown): DraftAttachment[] {
  if (!Array.isArray(value)) throw invalid("content.attachments: expected a list");
  return value.map((item: unknown, index) => {
    const at = `content.attachments[${index}]`;
    if (!isObject(item)) throw invalid(`${at}: expected an object with a name`);
    const { base64, ...rest } = item;
    for (const key of Object.keys(rest)) {
      if (!["name", "media_type", "url"].includes(key)) {
        throw invalid(`${at}: unknown key ${JSON.stringify(key)}: expected name, media_type, url, base64`);
      }
      if (typeof rest[key] !== "string") throw invalid(`${at}.${key}: expected a string`);
    }
    const { name, media_type, url } = rest as { name?: string; media_type?: string; url?: string };
    if (name === undefined || name === "") throw invalid(`${at}.name: expected a file name`);
    return {
      name,
      ...(media_type === undefined ? {} : { media_type }),
      ...(url === undefined ? {} : { url }),
      ...(base64 === undefined ? {} : { data: readBase64(base64, at) }),
    };
  });
}

function readBase64(value: unknown, at: string): Uint8Array {
  // Buffer.from ignores what is no base64, which would lose bytes without a word.
  if (typeof value !== "string" || !/^[A-Za-z0-9+/]*={0,2}$/.test(value) || value.length % 4 === 1) {
    throw invalid(`${at}.base64: expected standard base64 on one line`);
  }
  return Buffer.from(value, "base64");
}

function readKey(value: unknown): string[] {
  const parts = (Array.isArray(value) ? value : [value]).map(idOf);
  if (parts.length === 0 || !parts.every((part) => typeof part === "string")) {
    throw invalid("key: expected a string or a list of strings");
  }
  return parts;
}

/** Numbers as strings; anything else as it is, for the schema to judge. */
function idOf(value: unknown): unknown {
  return typeof value === "number" && Number.isSafeInteger(value) ? String(value) : value;
}

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Holds the draft to the schema of the event that it will become. */
function check(draft: Fields): void {
  const event = {
    version: 1,
    id: "x",
    kind: "message",
    received_at: "2000-01-01T00:00:00Z",
    connector: { type: "x", instance: "x" },
    ...draft,
  };
  if (inbound(event)) return;
  const error = inbound.errors?.[0];
  const path = (error?.instancePath ?? "").slice(1).replaceAll("/", ".");
  const { allowedValues, additionalProperty } = error?.params ?? {};
  const values = Array.isArray(allowedValues) ? ` (${allowedValues.join(", ")})` : "";
  const name = typeof additionalProperty === "string" ? ` (${additionalProperty})` : "";
  throw invalid(`${path === "" ? "the event" : path} ${error?.message ?? "is not allowed"}${values}${name}`);
}

function invalid(message: string): SpoolwayError {
  return new SpoolwayError("invalid_event", message);
}
