// Publishing: the only way a file gets its name (schema/README.md, "Publishing").
//
//   write all to tmp/ → fsync all → name all → one fsync per folder → acknowledged
import { join } from "node:path";
import { errnoOf, SpoolwayError } from "../errors.ts";
import { createFile, linkExclusive, move, remove, syncFile, syncFolder, writeAll } from "./disk.ts";
import { fs } from "./fs.ts";
import { tmpPath } from "./tmp.ts";

export interface Publication {
  bytes: Uint8Array;
  folder: string;
  /** Called in the tick in which the file gets its name. */
  name: () => string;
  /** True: never replaces; an existing file stays and the outcome says so. False: the name is unique and this is its only writer. */
  exclusive: boolean;
}

export type Published = { ok: true; name: string; existed: boolean } | { ok: false; error: SpoolwayError };

/** Publishes a batch in one group commit. The outcome of each stands at its index; nothing is thrown for a single file. */
export async function publish(tmp: string, batch: readonly Publication[]): Promise<Published[]> {
  const temps = await Promise.all(batch.map((item) => writeDurably(tmp, item.bytes)));
  const folders = new Set<string>();
  const outcomes: Published[] = batch.map((item, index) => {
    const temp = temps[index];
    if (temp === undefined || temp instanceof SpoolwayError)
      return { ok: false, error: temp as SpoolwayError };
    try {
      const named = giveName(temp, item);
      folders.add(item.folder);
      return { ok: true, ...named };
    } catch (error) {
      remove(temp);
      return { ok: false, error: writeFailed(error) };
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
    const error = failed.get(batch[index]?.folder ?? "");
    return error === undefined || !outcome.ok ? outcome : { ok: false, error };
  });
}

/** Publishes one file. Returns false when it existed already; throws spool_write_failed. */
export async function publishOne(
  tmp: string,
  folder: string,
  name: string,
  bytes: Uint8Array,
): Promise<boolean> {
  const [outcome] = await publish(tmp, [{ bytes, folder, name: () => name, exclusive: true }]);
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
  const created = linkExclusive(temp, final);
  remove(temp);
  return { name, existed: !created };
}

/** Path of a synced file in tmp/, or the error. A failed fsync gets one fresh file: the failed inode is never trusted again. */
async function writeDurably(tmp: string, bytes: Uint8Array): Promise<string | SpoolwayError> {
  try {
    return await writeTemp(tmp, bytes);
  } catch (error) {
    if (errnoOf(error) !== "EIO") return writeFailed(error);
  }
  try {
    return await writeTemp(tmp, bytes);
  } catch (error) {
    return writeFailed(error);
  }
}

async function writeTemp(tmp: string, bytes: Uint8Array): Promise<string> {
  const path = tmpPath(tmp);
  const fd = createFile(path);
  let done = false;
  try {
    writeAll(fd, bytes);
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
  return new SpoolwayError(
    "spool_write_failed",
    `could not write to the spool: ${(error as Error).message}`,
    { cause: error },
  );
}
