// A file as an event. JSON is read at once, everything else is streamed: it may be larger than memory.
import type { FileHandle } from "node:fs/promises";
import { basename } from "node:path";
import { Readable } from "node:stream";
import { type Draft, draftFromShorthand, parseJson } from "spoolway/sdk";
import type { Entry } from "spoolway/sdk/folder/scan";
import { isObject } from "spoolway/sdk/program/json-line";
import { mediaType } from "spoolway/sdk/media-type";
import { readUnchanged } from "spoolway/sdk/folder/regular-file";

/** JSON above this is an attachment like any other file. */
const maxJsonBytes = 1 << 20;

export const isJson = (entry: Entry): boolean => /\.json$/i.test(entry.name) && entry.size <= maxJsonBytes;

/**
 * The event in a JSON file; undefined while it may be unfinished. No strict prefix of an object parses, so an object that does is whole; of any other
 * value only time tells (`settled`). Throws with fate reject what it can never be.
 */
export async function readJson(entry: Entry, file: FileHandle, settled: boolean): Promise<Draft | undefined> {
  const size = Number(entry.size);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(size + 1), 0, size + 1, 0);
  if (bytesRead !== size) return undefined; // it is being written to
  let value: unknown;
  try {
    value = parseJson(buffer.subarray(0, size));
  } catch (error) {
    if (settled) throw error;
    return undefined;
  }
  if (!isObject(value) && !settled) return undefined;
  if (isObject(value) && (typeof value.text === "string" || isObject(value.content)))
    return draftFromShorthand(value, "raw");
  return { kind: "event", raw: value as Draft["raw"] & object };
}

/** The event of any other file. `file` stays the caller's to close. */
export function attachmentOf(entry: Entry, file: FileHandle, signal: AbortSignal): Draft {
  const type = mediaType(entry.name);
  const data = Readable.from(readUnchanged(file, entry.signature, signal), { objectMode: false });
  const attachment = {
    name: basename(entry.name),
    ...(type === undefined ? {} : { media_type: type }),
    data,
  };
  return { content: { attachments: [attachment] }, raw: { path: entry.name, size: Number(entry.size) } };
}

/** What every file's event has, unless the file itself says it. */
export function defaults(entry: Entry, conversationId: string, sender: string | undefined): Draft {
  const modified = new Date(Number(entry.mtimeNs / 1_000_000n));
  const year = modified.getUTCFullYear();
  return {
    key: ["file", entry.name, entry.signature],
    conversation: { id: conversationId },
    ...(sender === undefined ? {} : { sender: { id: sender } }),
    // A file can carry any time; beyond these years ISO 8601 has another shape.
    ...(year >= 1970 && year <= 9999 ? { occurred_at: modified.toISOString() } : {}),
  };
}
