// A file as an event. JSON is read at once, everything else is streamed: it may be larger than memory.
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { basename } from "node:path";
import { Readable } from "node:stream";
import { type Draft, draftFromShorthand, parseJson, SpoolwayError } from "spoolway/sdk";
import { mediaType } from "./media-types.ts";
import { type Entry, refusalOf, signatureOf } from "./scan.ts";

/** JSON above this is an attachment like any other file. */
const maxJsonBytes = 1 << 20;
const chunkBytes = 256 * 1024;

export interface Defaults {
  conversationId: string;
  sender: string | undefined;
}

export const isJson = (entry: Entry): boolean => /\.json$/i.test(entry.name) && entry.size <= maxJsonBytes;

/**
 * Opens a file that was found, if it is still that file: undefined when it is another one by now or gone. Never follows a link, never waits for a pipe.
 * Throws `unreadable` with fate reject.
 */
export async function openEntry(entry: Entry, changeTime: boolean): Promise<FileHandle | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(entry.path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ELOOP") return undefined;
    throw new SpoolwayError("unreadable", (error as Error).message, { cause: error });
  }
  const stats = await handle.stat({ bigint: true });
  if (refusalOf(stats) === undefined && same(signatureOf(stats, changeTime), entry.signature)) return handle;
  await handle.close();
  return undefined;
}

/**
 * The event in a JSON file; undefined while it may be unfinished. No strict prefix of an object parses, so an object that does is whole; of any other
 * value only time tells (`settled`). Throws with fate reject what it can never be.
 */
export async function readJson(
  entry: Entry,
  handle: FileHandle,
  settled: boolean,
  defaults: Defaults,
): Promise<Draft | undefined> {
  const size = Number(entry.size);
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(size + 1), 0, size + 1, 0);
  if (bytesRead !== size) return undefined; // it is being written to
  let value: unknown;
  try {
    value = parseJson(buffer.subarray(0, bytesRead));
  } catch (error) {
    if (settled) throw error;
    return undefined;
  }
  if (!isObject(value))
    return settled
      ? event(entry, { kind: "event", raw: value as Draft["raw"] & object }, defaults)
      : undefined;
  const isEvent = typeof value.text === "string" || isObject(value.content);
  const draft: Draft = isEvent ? draftFromShorthand(value, "raw") : { kind: "event", raw: value };
  return event(entry, draft, defaults);
}

/** The event of any other file. `handle` stays the caller's to close. */
export function fileDraft(
  entry: Entry,
  handle: FileHandle,
  changeTime: boolean,
  signal: AbortSignal,
  defaults: Defaults,
): Draft {
  const type = mediaType(entry.name);
  const data = Readable.from(readUnchanged(entry, handle, changeTime, signal), { objectMode: false });
  const attachment = {
    name: basename(entry.name),
    ...(type === undefined ? {} : { media_type: type }),
    data,
  };
  const raw = { path: entry.name, size: Number(entry.size) };
  return event(entry, { content: { attachments: [attachment] }, raw }, defaults);
}

/** The bytes; fails at their end when the file was written to meanwhile, so that half a file never becomes an event. */
async function* readUnchanged(
  entry: Entry,
  handle: FileHandle,
  changeTime: boolean,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  for (;;) {
    signal.throwIfAborted();
    const { buffer, bytesRead } = await read(handle);
    if (bytesRead === 0) break;
    yield buffer.subarray(0, bytesRead);
  }
  const stats = await handle.stat({ bigint: true });
  if (!same(signatureOf(stats, changeTime), entry.signature)) {
    throw new SpoolwayError("file_changed", `${entry.name} changed while it was read`);
  }
}

async function read(handle: FileHandle): Promise<{ buffer: Buffer; bytesRead: number }> {
  try {
    return await handle.read(Buffer.alloc(chunkBytes), 0, chunkBytes);
  } catch (error) {
    // Without a code of its own it would be taken for an error of the spool's disk.
    throw new SpoolwayError("unreadable", (error as Error).message, { cause: error });
  }
}

/** Adds what the file itself did not say. */
function event(entry: Entry, draft: Draft, { conversationId, sender }: Defaults): Draft {
  const modified = new Date(Number(entry.mtimeNs / 1_000_000n));
  const year = modified.getUTCFullYear();
  return {
    key: ["file", entry.name, ...entry.signature],
    conversation: { id: conversationId },
    ...(sender === undefined ? {} : { sender: { id: sender } }),
    // A file can carry any time; beyond these years ISO 8601 has another shape.
    ...(year >= 1970 && year <= 9999 ? { occurred_at: modified.toISOString() } : {}),
    ...draft,
  };
}

export const same = (a: readonly string[], b: readonly string[]): boolean => a.join() === b.join();

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
