// What a guest says, made safe: of the right types, of bounded length, without any field that is the runtime's to set. Anything else is a ChannelError, which ends
// the guest, or an error of the call that it belongs to.
import { type Fate, SpoolwayError } from "../errors.ts";
import type { Draft } from "../draft.ts";
import type { SendResult, SyncResult } from "../sdk.ts";
import { parseJson } from "../spool/json.ts";
import { ChannelError } from "./frames.ts";
import { functions, type FunctionName } from "./protocol.ts";

export type Fields = Record<string, unknown>;

const fates: readonly string[] = ["retry", "rate_limited", "reconnect", "reject", "uncertain", "stop"];
const maxTextChars = 2000;
const maxCodeChars = 100;
const maxIds = 1000;
const maxIdChars = 4096;
const maxCursorChars = 65_536;
const maxRetryMs = 24 * 86_400_000;

export const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A message of the guest. Throws ChannelError for what is no JSON object, too deep, or holds a __proto__ key. */
export function unpackMessage(text: Buffer): Fields & { t: string } {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    throw new ChannelError(`a message that is no good JSON: ${(error as Error).message}`);
  }
  if (!isObject(value) || typeof value.t !== "string") throw new ChannelError("a message without a type");
  return value as Fields & { t: string };
}

export function numberIn(message: Fields, key: string): number {
  const value = message[key];
  if (Number.isSafeInteger(value)) return value as number;
  throw new ChannelError(`${key}: expected a number`);
}

export function textIn(message: Fields, key: string, maxChars: number): string {
  const value = message[key];
  if (typeof value === "string" && value.length <= maxChars) return value;
  throw new ChannelError(`${key}: expected a string of at most ${maxChars} characters`);
}

export function unpackFunctions(value: unknown): FunctionName[] {
  if (!Array.isArray(value)) throw new ChannelError("functions: expected a list");
  const known = functions.filter((name) => value.includes(name));
  if (!known.includes("connect")) throw new ChannelError("functions: connect is missing");
  return known;
}

/** The error that a guest's throw becomes out here: with a fate where it had one. */
export function unpackError(value: unknown): Error {
  if (!isObject(value)) throw new ChannelError("error: expected an object");
  const clip = (text: unknown, max: number): string => (typeof text === "string" ? text.slice(0, max) : "");
  const message = clip(value.message, maxTextChars);
  const { code, fate, hint, retryAfterMs } = value;
  if (typeof fate !== "string") return new Error(message);
  if (!fates.includes(fate)) throw new ChannelError("error: an unknown fate");
  const afterMs = typeof retryAfterMs === "number" && retryAfterMs >= 0 ? retryAfterMs : undefined;
  return new SpoolwayError(clip(code, maxCodeChars) || "send_failed", message, {
    fate: fate as Fate,
    ...(typeof hint === "string" ? { hint: clip(hint, maxTextChars) } : {}),
    ...(afterMs === undefined ? {} : { retryAfterMs: Math.min(afterMs, maxRetryMs) }),
  });
}

const isId = (value: unknown): value is string => typeof value === "string" && value.length <= maxIdChars;

/** Throws an ordinary error where the connector answers nonsense: the message it belongs to is uncertain then, for it may have been sent. */
export function unpackSendResult(value: unknown): SendResult {
  if (value === undefined || value === null) return {};
  const { platform_id: id, platform_ids: ids } = isObject(value) ? value : { platform_id: false };
  const idsFit = ids === undefined || (Array.isArray(ids) && ids.length <= maxIds && ids.every(isId));
  if ((id !== undefined && !isId(id)) || !idsFit) {
    throw new SpoolwayError("timed_out", "the connector's answer to a send is not { platform_id }");
  }
  return {
    ...(id === undefined ? {} : { platform_id: id }),
    ...(ids === undefined ? {} : { platform_ids: ids as string[] }),
  };
}

export function unpackReconciled(value: unknown): SendResult | "not_sent" | undefined {
  if (value === undefined || value === null) return undefined;
  return value === "not_sent" ? value : unpackSendResult(value);
}

export function unpackSyncResult(value: unknown): SyncResult {
  const { cursor, more } = isObject(value) ? value : {};
  if (typeof cursor !== "string" || cursor.length > maxCursorChars) {
    throw new Error(`sync did not return a cursor of at most ${maxCursorChars} characters`);
  }
  return { cursor, more: more === true };
}

/** Where the bytes of an attachment come from. */
export type OpenStream = (stream: number) => AsyncIterable<Uint8Array>;

/** Of an attachment only this is the connector's to say: a path into media/ or a hash would let it hand out others' files. */
const attachmentKeys = ["name", "media_type", "size", "url", "omitted", "omitIfTooLarge"];

/**
 * A draft as ctx.deliver takes it, and the numbers of the streams in it. Its schema is checked there, as always; who it is from is stamped there too. Throws
 * invalid_event.
 */
export function unpackDraft(value: unknown, open: OpenStream): { draft: Draft; streams: number[] } {
  const invalid = (message: string): SpoolwayError => new SpoolwayError("invalid_event", message);
  if (!isObject(value)) throw invalid("a draft is an object");
  const { key, content } = value;
  if (key !== undefined && !(Array.isArray(key) && key.every((part) => typeof part === "string"))) {
    throw invalid("key: expected a list of strings");
  }
  if (content === undefined) return { draft: value as unknown as Draft, streams: [] };
  if (!isObject(content)) throw invalid("content: expected an object");
  if (content.attachments === undefined) return { draft: value as unknown as Draft, streams: [] };
  if (!Array.isArray(content.attachments)) throw invalid("attachments: expected a list");
  const streams: number[] = [];
  const attachments = content.attachments.map((given: unknown) => {
    if (!isObject(given)) throw invalid("an attachment is an object");
    const attachment = Object.fromEntries(attachmentKeys.map((name) => [name, given[name]]));
    if (given.data === undefined) return attachment;
    const stream = isObject(given.data) ? given.data.stream : undefined;
    if (typeof stream !== "number") throw invalid("data: expected bytes or a stream");
    streams.push(stream);
    return { ...attachment, data: open(stream) };
  });
  return { draft: { ...value, content: { ...content, attachments } } as unknown as Draft, streams };
}
