// Claiming a drop (T1, T1s of schema/README.md): from outbox/ to sending/, or to retry/ when its time has not come.
import { basename, join } from "node:path";
import { errnoOf, SpoolwayError } from "../errors.ts";
import { exists, move, moveExclusive, openForReading, remove, syncFile, syncFolder } from "./disk.ts";
import { type Drop, readDrop, type ReadMessage } from "./drops.ts";
import { fs } from "./fs.ts";
import { captureAttachment } from "./media.ts";
import { claimName, numberedName, retryName } from "./names.ts";
import type { Outbox } from "./outbox.ts";
import { publishJson } from "./publish.ts";
import { type Accepted, retryRecordOf } from "./records.ts";
import { isFull, withReserve } from "./reserve.ts";
import { isImmovable } from "./stuck.ts";
import { tmpPath } from "./tmp.ts";

/** What claiming came to: a message in sending/, or what the drop turned out to be when it was read again. */
export type Claim = { kind: "claimed"; entry: Accepted } | Exclude<Drop, ReadMessage> | { kind: "changed" };

/**
 * T1. `drop` is what was read from outbox/`file` just now. Throws attachment_missing, attachment_outside, too_large or unmovable (the drop is still in
 * outbox/), spool_full and spool_write_failed.
 */
export async function claimDrop(outbox: Outbox, file: string, drop: ReadMessage): Promise<Claim> {
  const entry = { ...drop.entry, attempts: drop.entry.attempts + 1 };
  if (entry.message.attachments !== undefined) {
    return claimWithAttachments(outbox, file, drop, entry);
  }
  const source = join(outbox.paths.outbox, file);
  const target = outbox.claimPath(entry);
  let fd: number;
  try {
    fd = openForReading(source);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return { kind: "gone" };
    // A link or something unreadable took its place: looking again says what. Any other error is not the entry's (EMFILE, EIO): it stays the head of its lane.
    if (replaced.has(errnoOf(error) ?? "")) return { kind: "changed" };
    throw claimFailed(file, source, error);
  }
  try {
    if (!withReserve(() => move(source, target))) return { kind: "gone" };
    let isClaimed = false;
    try {
      if (!isUnchanged(fd, target, drop.bytes)) return { kind: "changed" };
      // COMMIT POINT: accepted. The producer did not sync its bytes: a claim whose content is lost in a power cut would be a lost message. Both at once, since a journal
      // commits them together. outbox/ is not synced: where a file system gives the old name back after a power cut, it is a drop with a known id (row 10).
      await bothOrNeither(syncFile(fd), syncFolder(outbox.paths.sending));
      isClaimed = true;
    } finally {
      if (!isClaimed) putBack(outbox, target, file);
    }
  } catch (error) {
    throw claimFailed(file, source, error);
  } finally {
    fs.closeSync(fd);
  }
  return { kind: "claimed", entry };
}

const replaced = new Set(["ELOOP", "ENXIO", "EACCES", "EPERM", "EAGAIN"]);

/** Waits for both also when one fails: nothing may be undone under a call that is still under way. */
async function bothOrNeither(...calls: Array<Promise<void>>): Promise<void> {
  for (const outcome of await Promise.allSettled(calls))
    if (outcome.status === "rejected") throw outcome.reason;
}

/** Attachments are copied into media/ first, and the claim is a record that names the copies. */
async function claimWithAttachments(
  outbox: Outbox,
  file: string,
  drop: ReadMessage,
  entry: Accepted,
): Promise<Claim> {
  const captured = { ...entry, message: await capture(outbox, entry) };
  // As a claimed drop would say it: this try is counted by the file's name.
  const record = retryRecordOf(outbox.name, { ...captured, attempts: drop.entry.attempts }, Date.now());
  const name = claimName(entry.id, entry.attempts);
  await publishJson(outbox.paths.tmp, outbox.paths.sending, name, record);
  const taken = await takeAwayOrUndo(outbox, file, drop, "sending", name);
  return taken ? { kind: "claimed", entry: captured } : { kind: "changed" };
}

/** T1s: a drop whose time has not come. */
export async function scheduleDrop(
  outbox: Outbox,
  file: string,
  drop: ReadMessage,
  dueMs: number,
): Promise<{ file: string; entry: Accepted } | undefined> {
  const entry = { ...drop.entry, message: await capture(outbox, drop.entry) };
  const name = retryName(dueMs, entry.id, entry.attempts);
  await publishJson(outbox.paths.tmp, outbox.paths.retry, name, retryRecordOf(outbox.name, entry, dueMs));
  return (await takeAwayOrUndo(outbox, file, drop, "retry", name)) ? { file: name, entry } : undefined;
}

async function capture(outbox: Outbox, entry: Accepted): Promise<Accepted["message"]> {
  const { attachments } = entry.message;
  if (attachments === undefined) return entry.message;
  const captured = [];
  for (const attachment of attachments) {
    const { paths, limits, space } = outbox;
    captured.push(await captureAttachment(paths, attachment, limits.maxAttachmentBytes, space));
  }
  return { ...entry.message, attachments: captured };
}

/** Removes the drop of which a record was made in `folder`. False, and the record is gone again, when the drop is not any more what was read. */
async function takeAwayOrUndo(
  outbox: Outbox,
  file: string,
  drop: ReadMessage,
  folder: "sending" | "retry",
  record: string,
): Promise<boolean> {
  const undo = async (): Promise<void> => {
    remove(join(outbox.paths[folder], record));
    await syncFolder(outbox.paths[folder]);
  };
  let aside: string | undefined;
  try {
    aside = takeAside(outbox, file, drop);
  } catch (error) {
    const source = join(outbox.paths.outbox, file);
    // Where the drop is gone all the same, the record is what counts: it is durable.
    if (!exists(source)) return true;
    await undo();
    throw claimFailed(file, source, error);
  }
  if (aside === undefined) {
    await undo();
    return false;
  }
  try {
    await syncFolder(outbox.paths.outbox);
    remove(aside);
  } catch {
    // The message is accepted: its record is durable. A drop that a power cut brings back is one with a known id (row 10), and the next start sweeps tmp/ (R5).
  }
  return true;
}

/** Takes a drop out of its producer's reach, to tmp/; undefined when it is not what was read. RACE: see schema/README.md, "producer rewrites". */
function takeAside(outbox: Outbox, file: string, drop: ReadMessage): string | undefined {
  const isSame = (read: Drop): boolean => read.kind === "message" && read.bytes.equals(drop.bytes);
  if (!isSame(outbox.read(file))) return undefined;
  const aside = tmpPath(outbox.paths.tmp);
  if (!move(join(outbox.paths.outbox, file), aside)) return undefined;
  const { name, paths, limits } = outbox;
  let isOurs = false;
  try {
    isOurs = isSame(readDrop(name, paths.tmp, basename(aside), limits.maxMessageBytes));
  } finally {
    if (!isOurs) putBack(outbox, aside, file);
  }
  return isOurs ? aside : undefined;
}

/** Undoes a claim before its commit point. The producer may have used the name again: neither file may be lost. */
function putBack(outbox: Outbox, target: string, file: string): void {
  for (let n = 1; ; n += 1) {
    if (moveExclusive(target, join(outbox.paths.outbox, numberedName(file, n)))) return;
    if (!exists(target)) return; // a person took it away
  }
}

/**
 * RACE: the producer wrote into the file, or put another one under its name, between our read and the rename. What was renamed must be the file
 * that `fd` has open, with the bytes that were read.
 */
function isUnchanged(fd: number, target: string, bytes: Buffer): boolean {
  const stat = fs.fstatSync(fd);
  if (stat.size !== bytes.length || fs.lstatSync(target).ino !== stat.ino) return false;
  const again = Buffer.allocUnsafe(bytes.length + 1);
  const length = fs.readSync(fd, again, 0, again.length, 0);
  return again.subarray(0, length).equals(bytes);
}

/** unmovable where the entry itself is what hinders; else spool_full or spool_write_failed. */
function claimFailed(file: string, source: string, error: unknown): SpoolwayError {
  if (error instanceof SpoolwayError) return error;
  if (isImmovable(error, source)) {
    return new SpoolwayError("unmovable", `it cannot be moved out of the outbox: ${errnoOf(error)}`);
  }
  const code = isFull(error) ? "spool_full" : "spool_write_failed";
  return new SpoolwayError(code, `could not claim ${file}: ${(error as Error).message}`, { cause: error });
}
