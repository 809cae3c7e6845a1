// Publishing: the only way a file gets its name (schema/README.md, "Publishing").
//
//   write all to tmp/ → fsync all → name all → one fsync per folder → acknowledged
//
// What is written about a message that was accepted (publishOne, publishJson) may use the reserve when the disk is full; events may not.
import { join } from "node:path";
import { errnoOf, hintForFiles, SpoolwayError } from "../errors.ts";
import { createFile, exists, linkExclusive, move, remove, syncFile, syncFolder, writeAll } from "./disk.ts";
import { fs } from "./fs.ts";
import { isFull, releaseSlots, takeSlot, withReserve } from "./reserve.ts";
import { tmpPath } from "./tmp.ts";

export interface Publication {
  bytes: Uint8Array;
  folder: string;
  /** Called in the tick in which the file gets its name. */
  name: () => string;
  /** True: never replaces; an existing file stays and the outcome says so. False: the name is unique and this is its only writer. */
  exclusive: boolean;
  /** An older file of this name is replaced: then there is no way back when the commit fails, and the new file stays. */
  replaces?: boolean;
}

export type Published = { ok: true; name: string; existed: boolean } | { ok: false; error: SpoolwayError };

/** Publishes a batch, in order, in one group commit. The outcome of each stands at its index; behind one that failed all fail. Nothing is thrown for a file. */
export async function publish(
  tmp: string,
  batch: readonly Publication[],
  mayUseReserve = false,
): Promise<Published[]> {
  const temps = await Promise.all(batch.map((item) => writeDurably(tmp, item.bytes, mayUseReserve)));
  const folders = new Set<string>();
  let broken: SpoolwayError | undefined;
  const outcomes: Published[] = batch.map((item, index) => {
    const temp = temps[index];
    if (temp === undefined || temp instanceof SpoolwayError) broken ??= temp;
    // ORDER: after one that failed none gets its name, or it would overtake.
    if (broken !== undefined || typeof temp !== "string") {
      if (typeof temp === "string") takeBack(temp);
      return { ok: false, error: broken as SpoolwayError };
    }
    try {
      const named = mayUseReserve ? withReserve(() => giveName(temp, item)) : giveName(temp, item);
      folders.add(item.folder);
      return { ok: true, ...named };
    } catch (error) {
      takeBack(temp);
      broken = writeFailed(error);
      return { ok: false, error: broken };
    }
  });
  // COMMIT POINT: nothing before the return of these was promised to anybody.
  const failed = new Map<string, SpoolwayError>();
  await Promise.all(
    [...folders].map((folder) =>
      syncFolder(folder).catch((error: unknown) => failed.set(folder, error as SpoolwayError)),
    ),
  );
  return outcomes.map((outcome, index) => {
    const item = batch[index];
    const error = failed.get(item?.folder ?? "");
    if (item === undefined || error === undefined || !outcome.ok) return outcome;
    if (!outcome.existed && item.replaces !== true) takeBack(join(item.folder, outcome.name));
    return { ok: false, error };
  });
}

/**
 * A file whose name could not be made durable is not published: it must not be seen beside the one that the next try makes (an event twice in the inbox), and that
 * one must not rely on a folder whose failed fsync is not to be trusted again.
 */
function takeBack(path: string): void {
  try {
    remove(path);
  } catch {
    // The disk refuses this too. The file stays, as after a crash at this point; what failed first is what the caller is told.
  }
}

/** Publishes one file. Returns false when it existed already; throws spool_write_failed. */
export async function publishOne(
  tmp: string,
  folder: string,
  name: string,
  bytes: Uint8Array,
): Promise<boolean> {
  const [outcome] = await publish(tmp, [{ bytes, folder, name: () => name, exclusive: true }], true);
  if (outcome === undefined || !outcome.ok)
    throw outcome?.error ?? new SpoolwayError("spool_write_failed", name);
  return !outcome.existed;
}

/** Publishes one value as JSON, as publishOne. */
export function publishJson(tmp: string, folder: string, name: string, value: unknown): Promise<boolean> {
  return publishOne(tmp, folder, name, Buffer.from(`${JSON.stringify(value)}\n`));
}

function giveName(temp: string, item: Publication): { name: string; existed: boolean } {
  const name = item.name();
  const final = join(item.folder, name);
  if (!item.exclusive) {
    if (!move(temp, final)) throw new Error(`${temp} was removed by somebody else`);
    return { name, existed: false };
  }
  const created = linkOrMove(temp, final);
  try {
    remove(temp);
  } catch (error) {
    if (created) takeBack(final);
    throw error;
  }
  return { name, existed: !created };
}

function linkOrMove(temp: string, final: string): boolean {
  try {
    return linkExclusive(temp, final);
  } catch (error) {
    if (!isFull(error)) throw error;
    // Some file systems (tmpfs) take an inode for a second name. RACE: between the look and the move nobody makes the name: exclusive names have one writer.
    return !exists(final) && move(temp, final);
  }
}

/** Path of a synced file in tmp/, or the error. A failed fsync gets one fresh file: the failed inode is never trusted again. */
async function writeDurably(
  tmp: string,
  bytes: Uint8Array,
  mayUseReserve: boolean,
): Promise<string | SpoolwayError> {
  try {
    return await writeTemp(tmp, bytes);
  } catch (error) {
    const fromReserve = mayUseReserve && isFull(error);
    if (!fromReserve && errnoOf(error) !== "EIO") return writeFailed(error);
    try {
      return await (fromReserve ? writeFromReserve(tmp, bytes) : writeTemp(tmp, bytes));
    } catch (again) {
      return writeFailed(again);
    }
  }
}

/** As writeTemp, on a full disk: into a slot, else into the room of slots that are given up. */
async function writeFromReserve(tmp: string, bytes: Uint8Array): Promise<string> {
  try {
    const path = tmpPath(tmp);
    const fd = takeSlot(path, bytes.length);
    if (fd !== undefined) return await writeAndSync(path, fd, bytes);
  } catch (error) {
    if (!isFull(error)) throw error; // a file system that cannot write in place
  }
  releaseSlots(bytes.length);
  return writeTemp(tmp, bytes);
}

async function writeTemp(tmp: string, bytes: Uint8Array): Promise<string> {
  const path = tmpPath(tmp);
  return writeAndSync(path, createFile(path), bytes);
}

async function writeAndSync(path: string, fd: number, bytes: Uint8Array): Promise<string> {
  let done = false;
  try {
    writeAll(fd, bytes);
    // A slot of the reserve is longer than what was written into it.
    if (fs.fstatSync(fd).size > bytes.length) fs.ftruncateSync(fd, bytes.length);
    await syncFile(fd);
    done = true;
  } finally {
    fs.closeSync(fd);
    if (!done) remove(path);
  }
  return path;
}

function writeFailed(error: unknown): SpoolwayError {
  if (error instanceof SpoolwayError) return error;
  const hint = hintForFiles(error);
  return new SpoolwayError(
    isFull(error) ? "spool_full" : "spool_write_failed",
    `could not write to the spool: ${(error as Error).message}`,
    { cause: error, ...(hint === undefined ? {} : { hint }) },
  );
}
