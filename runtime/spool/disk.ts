// The only code that changes names or forces bytes to stable storage in the spool. Everything above it speaks of files and folders through
// this small surface, so that the rules of schema/README.md ("Publishing") stand in one place.
//
// Cheap calls (open, write, rename, unlink) are synchronous: a trip through the thread pool costs more than they do. fsync waits for the disk and
// is asynchronous; one fsync of a folder serves everyone who asked before it began.
import { constants } from "node:fs";
import { dirname } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { errnoOf, SpoolwayError } from "../errors.ts";
import { fs } from "./fs.ts";

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

/** Opens a new file for writing, 0600. The name must be free; a link there is never followed. */
export function createFile(path: string): number {
  const fd = fs.openSync(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600);
  giveToOwner(fd, dirname(path));
  return fd;
}

const owners = new Map<string, { uid: number; gid: number }>();

/** Root may write into anybody's spool (`sudo spoolway send`): what it writes there belongs to the owner, or the bus could not read it. */
function giveToOwner(fd: number, folder: string): void {
  if (process.getuid?.() !== 0) return;
  let owner = owners.get(folder);
  if (owner === undefined) {
    const { uid, gid } = fs.statSync(folder);
    owner = { uid, gid };
    owners.set(folder, owner);
  }
  if (owner.uid !== 0) fs.fchownSync(fd, owner.uid, owner.gid);
}

/** Opens a file of ours to write into it, from its beginning, in place. */
export function openForWriting(path: string): number {
  return fs.openSync(path, O_WRONLY | O_NOFOLLOW);
}

/** Opens for reading without following a link and without waiting for a pipe's writer. */
export function openForReading(path: string): number {
  return fs.openSync(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
}

/** Writes all of it; a short write is continued. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  let offset = 0;
  while (offset < bytes.length) offset += fs.writeSync(fd, bytes, offset);
}

/** Forces a file's bytes to stable storage. A failure must not be retried on the same file: see schema/README.md. */
export function syncFile(fd: number): Promise<void> {
  return new Promise((resolve, reject) => fs.fsync(fd, (error) => (error ? reject(error) : resolve())));
}

/** Moves a name; an existing target is replaced, so only for targets that have one writer. False when there was nothing to move. */
export function move(from: string | Buffer, to: string): boolean {
  try {
    fs.renameSync(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

/** Gives a file a second name; false when that name is taken (it never replaces). */
export function linkExclusive(from: string | Buffer, to: string): boolean {
  try {
    fs.linkSync(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  }
}

/**
 * Gives a name back without replacing one that was made meanwhile; false when it is taken. By link, or, where a kernel forbids links to other users' files
 * (fs.protected_hardlinks), by a look and a rename.
 */
export function moveExclusive(from: string | Buffer, to: string): boolean {
  try {
    if (!linkExclusive(from, to)) return false;
    return remove(from);
  } catch (error) {
    if (errnoOf(error) !== "EPERM") throw error;
    // RACE: a name made between the look and the rename is replaced; its writer and we would have to meet within microseconds.
    return !exists(to) && move(from, to);
  }
}

/** Removes a name; false when it was gone already. */
export function remove(path: string | Buffer): boolean {
  try {
    fs.unlinkSync(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

/** Whether the name is taken, by whatever: a link counts, wherever it leads. */
export function exists(path: string): boolean {
  return fs.lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Makes a folder, 0700, with its parents. Returns the first that was missing. */
export function makeFolder(path: string): string | undefined {
  return fs.mkdirSync(path, { recursive: true, mode: 0o700 });
}

/**
 * Makes a folder and forces its name to stable storage, and those of the parents that were missing: what lies in a folder is only as durable as the folder. Also where
 * it was there already: who made it may have died before its name was synced.
 */
export async function makeFolderDurably(path: string): Promise<void> {
  const first = makeFolder(path) ?? path;
  for (let at = path; ; at = dirname(at)) {
    await syncFolder(dirname(at));
    if (at === first) return;
  }
}

/** A turn of the event loop after so many entries: the heartbeat goes on while a million files are read. */
const entriesPerTurn = 500;

/** The names in a folder, some hundred at a time. Synchronous reading with turns in between: an asynchronous iterator costs more than what it reads. */
export async function* namesIn(folder: string): AsyncGenerator<string[]> {
  const reader = fs.opendirSync(folder, { bufferSize: entriesPerTurn });
  try {
    for (;;) {
      const names: string[] = [];
      while (names.length < entriesPerTurn) {
        const entry = reader.readSync();
        if (entry === null) break;
        names.push(entry.name);
      }
      if (names.length > 0) yield names;
      if (names.length < entriesPerTurn) return;
      await nextTurn();
    }
  } finally {
    reader.closeSync();
  }
}

interface FolderSync {
  running: Promise<void>;
  /** Begins when `running` ends; everyone who asks meanwhile shares it. */
  next: Promise<void> | undefined;
}
const folderSyncs = new Map<string, FolderSync>();

/**
 * Forces the names in a folder to stable storage: resolves after an fsync that began after this call. Rejects with spool_write_failed.
 */
export function syncFolder(folder: string): Promise<void> {
  const entry = folderSyncs.get(folder);
  if (entry === undefined) {
    const created: FolderSync = { running: syncFolderNow(folder), next: undefined };
    folderSyncs.set(folder, created);
    release(folder, created, created.running);
    return created.running;
  }
  // The one under way may have begun before the caller's rename: it does not count.
  entry.next ??= entry.running.then(
    () => advance(folder, entry),
    () => advance(folder, entry),
  );
  return entry.next;
}

function advance(folder: string, entry: FolderSync): Promise<void> {
  entry.running = syncFolderNow(folder);
  entry.next = undefined;
  release(folder, entry, entry.running);
  return entry.running;
}

function release(folder: string, entry: FolderSync, run: Promise<void>): void {
  const done = (): void => {
    if (entry.running === run && entry.next === undefined) folderSyncs.delete(folder);
  };
  run.then(done, done);
}

async function syncFolderNow(folder: string): Promise<void> {
  let fd: number | undefined;
  try {
    fd = fs.openSync(folder, O_RDONLY);
    await syncFile(fd);
  } catch (error) {
    throw new SpoolwayError("spool_write_failed", `could not sync ${folder}: ${(error as Error).message}`, {
      cause: error,
    });
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}
