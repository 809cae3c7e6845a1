// spoolway/sdk/folder/regular-file: files that other people and programs write, opened without hanging on a pipe or following a link, and read so that half a file never
// passes for a whole one.
import type { BigIntStats } from "node:fs";
import { constants } from "node:fs";
import { type FileHandle, lstat, open } from "node:fs/promises";
import { Readable } from "node:stream";
import { errnoOf, SpoolwayError } from "../../errors.ts";

/** Larger ones are let go of later than they come: 256 KiB made a process grow by 57 MB for a file of 100 MB, this by 20. */
const chunkBytes = 64 * 1024;

/** Why a file must not be opened, or undefined: a pipe would hang, a link leads to files that the one who made it may not be allowed to read. */
export function refusalOf(stats: BigIntStats): string | undefined {
  if (stats.isSymbolicLink()) return "it is a symbolic link";
  if (stats.isDirectory()) return "it is a folder";
  if (stats.isFIFO()) return "it is a pipe";
  if (stats.isSocket()) return "it is a socket";
  if (!stats.isFile()) return "it is a device";
  return stats.nlink > 1n ? "it is a hard link: the file has another name" : undefined;
}

/** lstat; undefined when there is nothing. */
export async function statOf(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true });
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * The same file with the same content has the same; changes with every write. The change time tells a new file from an old one that had its inode and times, but
 * changes with every chmod: right for files that are taken away, wrong for those that stay for years.
 */
export function signatureOf(stats: BigIntStats, changeTime: boolean): string {
  const parts = [stats.ino, stats.size, stats.mtimeNs, ...(changeTime ? [stats.ctimeNs] : [])];
  return parts.map(String).join("-");
}

/** Whether this is still the file that had the signature, of either kind. */
export const hasSignature = (stats: BigIntStats, signature: string): boolean =>
  signature === signatureOf(stats, true) || signature === signatureOf(stats, false);

/**
 * Opens a regular file for reading; hard links are allowed. Never follows a link, never waits for a pipe. Throws not_a_file, or what open throws (ELOOP for a link).
 */
export async function openRegularFile(path: string): Promise<FileHandle> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new SpoolwayError("not_a_file", `${path}: not a regular file`);
}

/** The bytes of a regular file, which is opened at the first read. Fails with attachment_missing, fate reject, when it cannot be. */
export function streamOf(path: string): Readable {
  return Readable.from(bytesOf(path), { objectMode: false });
}

async function* bytesOf(path: string): AsyncGenerator<Buffer> {
  const handle = await openRegularFile(path).catch((error: Error) => {
    throw new SpoolwayError("attachment_missing", `${path}: ${error.message}`, { cause: error });
  });
  try {
    for (let bytes = await read(handle); bytes.length > 0; bytes = await read(handle)) yield bytes;
  } finally {
    await handle.close();
  }
}

/** Opens a file that was found, if it is still that file: undefined when it is another one by now or gone. Throws unreadable, fate reject. */
export async function openUnchanged(path: string, signature: string): Promise<FileHandle | undefined> {
  let handle: FileHandle;
  try {
    handle = await openRegularFile(path);
  } catch (error) {
    const code = errnoOf(error) ?? "";
    if (["ENOENT", "ELOOP", "not_a_file"].includes(code)) return undefined;
    throw new SpoolwayError("unreadable", (error as Error).message, { cause: error });
  }
  const stats = await handle.stat({ bigint: true });
  if (refusalOf(stats) === undefined && hasSignature(stats, signature)) return handle;
  await handle.close();
  return undefined;
}

/**
 * The bytes, as they are read: a file may be larger than memory. Throws file_changed at their end when the file was written to meanwhile, and when `signal`
 * aborts. `handle` stays the caller's to close.
 */
export async function* readUnchanged(
  handle: FileHandle,
  signature: string,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  for (let bytes = await read(handle); bytes.length > 0; bytes = await read(handle)) {
    yield bytes;
    signal.throwIfAborted();
  }
  if (!hasSignature(await handle.stat({ bigint: true }), signature))
    throw new SpoolwayError("file_changed", "the file changed while it was read");
}

/** The next bytes; none at the end. */
async function read(handle: FileHandle): Promise<Buffer> {
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(chunkBytes), 0, chunkBytes);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    // Without a code of its own it would be taken for an error of the spool's disk.
    throw new SpoolwayError("unreadable", (error as Error).message, { cause: error });
  }
}
