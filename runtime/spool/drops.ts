// Reading what lies in outbox/ or sending/: a drop, or a record that was moved there. Never waits, never follows a link, never reads outside.
//
//   message     parsed and valid: can be claimed
//   unfinished  may still be being written: look again; refused if it stays like this for the settle time
//   refused     can never become a message
//   gone        its producer took it back
import type { BigIntStats } from "node:fs";
import { join } from "node:path";
import type { DeadLetter, OutgoingMessage, RetryRecord } from "../../schema/types.ts";
import { deadLetter, outgoingMessage, retry } from "../../schema/validators/messages.js";
import { type Code, errnoOf, SpoolwayError } from "../errors.ts";
import { openForReading } from "./disk.ts";
import { fs } from "./fs.ts";
import { sha256 } from "./hash.ts";
import { parseJson } from "./json.ts";
import { dropId, isId } from "./names.ts";
import { type Accepted, attemptsMax, explain, impossibleTime } from "./records.ts";

export interface ReadMessage {
  kind: "message";
  /** The bytes as read; equal bytes on a second read prove that no writer came between. */
  bytes: Buffer;
  entry: Accepted;
  /** True for a dead letter or retry record that a person moved back. */
  redriven: boolean;
}
export interface Unfinished {
  kind: "unfinished";
  code: Code;
  error: string;
  /** Changes when the entry changes. */
  fingerprint: string;
  bytes: Buffer | undefined;
}
export interface Refused {
  kind: "refused";
  code: string;
  error: string;
  hint?: string;
  /** undefined where the entry was not read. */
  bytes: Buffer | undefined;
  /** The declared id, else derived from what could be read of the entry. */
  id: string;
}
export type Drop = ReadMessage | Unfinished | Refused | { kind: "gone" };

/**
 * Reads `folder/file`, dropped for `connector`, or (`isRecord`) written by its process: that one may have been killed between the link that published it and the
 * unlink of its name in tmp/. Throws only for system errors that are not the entry's fault (EIO, EMFILE).
 */
export function readDrop(
  connector: string,
  folder: string,
  file: string,
  maxBytes: number,
  isRecord = false,
): Drop {
  const path = join(folder, file);
  let fd: number | undefined;
  try {
    const named = fs.lstatSync(path, { bigint: true });
    const special = describeSpecial(named);
    if (special !== undefined) return refusedUnread(connector, file, named, "not_a_file", special);
    fd = openForReading(path);
    const stat = fs.fstatSync(fd, { bigint: true });
    if (!stat.isFile())
      return {
        kind: "unfinished",
        code: "not_a_file",
        error: "it was replaced",
        fingerprint: "",
        bytes: undefined,
      };
    // A producer that publishes by link + unlink has two names for an instant: only a lasting second name is refused.
    if (stat.nlink > 1n && !isRecord)
      return unfinished("not_a_file", `it is a hard link (${stat.nlink} names)`, stat, undefined);
    const tooLarge = `${stat.size} bytes, at most ${maxBytes} are allowed`;
    if (stat.size > BigInt(maxBytes + recordExtraBytes))
      return refusedUnread(connector, file, stat, "message_too_large", tooLarge);
    const bytes = readUpTo(fd, Number(stat.size), maxBytes + recordExtraBytes);
    const drop = interpret(connector, file, stat, bytes);
    const isRedriven = drop.kind === "message" && drop.redriven;
    return bytes.length <= maxBytes || isRedriven
      ? drop
      : refusedUnread(connector, file, stat, "message_too_large", tooLarge);
  } catch (error) {
    return fromErrno(error, path, connector, file);
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

/** What a record may have beside the message that it holds: a history, the names of captured attachments, and two levels of nesting. */
const recordExtraBytes = 256 * 1024;
const recordExtraDepth = 2;

/** Reads the whole file; it may have grown since it was measured, by at most what is allowed. */
function readUpTo(fd: number, size: number, maxBytes: number): Buffer {
  let buffer = Buffer.allocUnsafe(Math.min(size + 1, maxBytes + 1));
  let length = 0;
  for (;;) {
    const read = fs.readSync(fd, buffer, length, buffer.length - length, length);
    if (read === 0) return buffer.subarray(0, length);
    length += read;
    if (length < buffer.length) continue;
    if (length > maxBytes) return buffer.subarray(0, length);
    buffer = Buffer.concat([buffer], Math.min(buffer.length * 2, maxBytes + 1));
  }
}

function interpret(connector: string, file: string, stat: BigIntStats, bytes: Buffer): Drop {
  const derived = (): string => dropId(connector, file, stat.mtimeNs, bytes);
  let value: unknown;
  try {
    value = parseDrop(bytes);
  } catch (error) {
    const { code, message } = error as SpoolwayError;
    // No strict prefix of a JSON object parses: what does not parse may just not be finished.
    if (code === "invalid_json" || code === "invalid_encoding") return unfinished(code, message, stat, bytes);
    return { kind: "refused", code, error: message, bytes, id: derived() };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    // 12 is a prefix of 123: not finished either.
    const what = Array.isArray(value) ? "a list" : value === null ? "null" : `a ${typeof value}`;
    return unfinished("invalid_json", `expected one JSON object, found ${what}`, stat, bytes);
  }
  if (isRecord(value)) return unwrap(value, bytes, derived);
  return message(value as Record<string, unknown>, file, bytes, derived);
}

const isRecord = (value: unknown): value is object =>
  ["dead_letter", "retry"].includes(String((value as { record?: unknown } | null)?.record));

/** As parseJson; a message with as many levels as it may have lies deeper in a record. */
function parseDrop(bytes: Buffer): unknown {
  try {
    return parseJson(bytes);
  } catch (error) {
    if ((error as SpoolwayError).code !== "too_deep") throw error;
    const value = parseJson(bytes, recordExtraDepth);
    if (isRecord(value)) return value;
    throw error;
  }
}

function message(value: Record<string, unknown>, file: string, bytes: Buffer, derived: () => string): Drop {
  idsToStrings(value);
  if (!outgoingMessage(value)) {
    const declared = isId(value.id) ? value.id : derived();
    return { kind: "refused", code: "invalid_message", error: explain(outgoingMessage), bytes, id: declared };
  }
  const parsed = value as unknown as OutgoingMessage;
  const error = impossibleTime(parsed);
  if (error !== undefined)
    return { kind: "refused", code: "invalid_message", error, bytes, id: parsed.id ?? derived() };
  return {
    kind: "message",
    bytes,
    redriven: false,
    entry: {
      id: parsed.id ?? derived(),
      attempts: 0,
      budgetUsed: 0,
      message: parsed,
      history: [],
      drop: file.length <= 255 ? file : undefined,
      acceptedAt: new Date().toISOString(),
      contentSha256: sha256(bytes),
    },
  };
}

/**
 * Ids are strings; producers in other languages write numbers. Digits beyond 2^53 were kept by parseJson; a fraction may have lost digits, and stays a number
 * that the schema refuses.
 */
function idsToStrings(value: Record<string, unknown>): void {
  for (const key of ["id", "conversation_id", "thread_id", "reply_to"]) {
    if (Number.isSafeInteger(value[key])) value[key] = String(value[key]);
  }
  const target = value.target as Record<string, unknown> | undefined;
  if (typeof target === "object" && target !== null && Number.isSafeInteger(target.platform_id)) {
    target.platform_id = String(target.platform_id);
  }
}

/** A record of ours that was moved back: its message goes on under its old id, with a fresh budget. */
function unwrap(value: object, bytes: Buffer, derived: () => string): Drop {
  const isRetry = (value as { record: string }).record === "retry";
  const validator = isRetry ? retry : deadLetter;
  if (!validator(value)) {
    return {
      kind: "refused",
      code: "invalid_message",
      error: `not a valid record: ${explain(validator)}`,
      bytes,
      id: derived(),
    };
  }
  const record = value as RetryRecord | DeadLetter;
  const impossible =
    record.attempts > attemptsMax
      ? `attempts: must be <= ${attemptsMax}`
      : record.message && impossibleTime(record.message);
  if (impossible !== undefined)
    return { kind: "refused", code: "invalid_message", error: impossible, bytes, id: derived() };
  if (record.message === undefined) {
    const { entry } = record as DeadLetter;
    return {
      kind: "refused",
      code: "invalid_message",
      error: "this dead letter holds no message, only what was refused",
      hint:
        entry === undefined ? "Write a correct message and drop that." : `Correct ${entry} and drop that.`,
      bytes,
      id: derived(),
    };
  }
  return {
    kind: "message",
    bytes,
    redriven: true,
    entry: {
      id: record.id,
      attempts: record.attempts,
      budgetUsed: isRetry ? (record as RetryRecord).budget_used : 0,
      message: record.message,
      history: (record.history as Accepted["history"] | undefined) ?? [],
      drop: record.drop,
      acceptedAt: (isRetry ? (record as RetryRecord).accepted_at : undefined) ?? new Date().toISOString(),
      contentSha256: record.content_sha256,
    },
  };
}

function unfinished(code: Code, error: string, stat: BigIntStats, bytes: Buffer | undefined): Unfinished {
  return {
    kind: "unfinished",
    code,
    error,
    fingerprint: fingerprintOf(stat),
    bytes,
  };
}

/** Changes with every write that a file's times can tell. */
export const fingerprintOf = ({ ino, size, mtimeNs, nlink }: BigIntStats): string =>
  `${ino} ${size} ${mtimeNs} ${nlink}`;

function refusedUnread(
  connector: string,
  file: string,
  stat: BigIntStats,
  code: Code,
  error: string,
): Refused {
  const id = dropId(connector, file, stat.mtimeNs, Buffer.from(`${stat.ino} ${stat.size}`));
  return { kind: "refused", code, error, bytes: undefined, id };
}

function describeSpecial(stat: BigIntStats): string | undefined {
  if (stat.isFile()) return undefined;
  if (stat.isSymbolicLink()) return "it is a symbolic link";
  if (stat.isDirectory()) return "it is a folder";
  if (stat.isFIFO()) return "it is a named pipe";
  if (stat.isSocket()) return "it is a socket";
  return "it is a device";
}

function fromErrno(error: unknown, path: string, connector: string, file: string): Drop {
  const code = errnoOf(error);
  if (code === "ENOENT") return { kind: "gone" };
  if (code === "EACCES" || code === "EPERM" || code === "EAGAIN") {
    // Its producer may be about to change the mode, or to give up its lease (EAGAIN: the kernel asked it to).
    return {
      kind: "unfinished",
      code: "unreadable",
      error: `may not be read: ${code}`,
      fingerprint: code,
      bytes: undefined,
    };
  }
  if (code === "ELOOP" || code === "ENXIO") {
    const id = dropId(connector, file, 0n, Buffer.from(code));
    return {
      kind: "refused",
      code: "not_a_file",
      error: "it was replaced by a link or a socket",
      bytes: undefined,
      id,
    };
  }
  throw new SpoolwayError("spool_write_failed", `could not read ${path}: ${(error as Error).message}`, {
    cause: error,
  });
}
