// Claiming a drop (T1, T1s of schema/README.md): from outbox/ to sending/, or to retry/ when its time has not come.
import { join } from "node:path";
import { errnoOf, SpoolwayError } from "../errors.ts";
import { move, moveExclusive, openForReading, remove, syncFile, syncFolder } from "./disk.ts";
import type { Drop, ReadMessage } from "./drops.ts";
import { fs } from "./fs.ts";
import { captureAttachment } from "./media.ts";
import { claimName, retryName } from "./names.ts";
import type { Outbox } from "./outbox.ts";
import { publishJson } from "./publish.ts";
import { type Accepted, retryRecordOf } from "./records.ts";

/** What claiming came to: a message in sending/, or what the drop turned out to be when it was read again. */
export type Claim = { kind: "claimed"; entry: Accepted } | Exclude<Drop, ReadMessage> | { kind: "changed" };

/**
 * T1. `drop` is what was read from outbox/`file` just now. Throws attachment_missing, attachment_outside or too_large (the drop is still in outbox/)
 * and spool_write_failed.
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
    return { kind: "changed" }; // a link or something unreadable took its place: looking again says what
  }
  try {
    if (!move(source, target)) return { kind: "gone" };
    if (!isUnchanged(fd, target, drop.bytes)) {
      putBack(outbox, target, file);
      return { kind: "changed" };
    }
    try {
      // COMMIT POINT: accepted. The producer did not sync its bytes: a claim whose content is lost in a power cut would be a lost message. Both at once, since a journal
      // commits them together. outbox/ is not synced: where a file system gives the old name back after a power cut, it is a drop with a known id (row 10).
      await bothOrNeither(syncFile(fd), syncFolder(outbox.paths.sending));
    } catch (error) {
      putBack(outbox, target, file);
      throw error;
    }
  } catch (error) {
    throw writeFailed(`claim ${file}`, error);
  } finally {
    fs.closeSync(fd);
  }
  return { kind: "claimed", entry };
}

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
  await publishJson(outbox.paths.tmp, outbox.paths.sending, claimName(entry.id, entry.attempts), record);
  if (await takeAway(outbox, file, drop)) return { kind: "claimed", entry: captured };
  remove(join(outbox.paths.sending, claimName(entry.id, entry.attempts)));
  await syncFolder(outbox.paths.sending);
  return { kind: "changed" };
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
  if (await takeAway(outbox, file, drop)) return { file: name, entry };
  remove(join(outbox.paths.retry, name));
  await syncFolder(outbox.paths.retry);
  return undefined;
}

async function capture(outbox: Outbox, entry: Accepted): Promise<Accepted["message"]> {
  const { attachments } = entry.message;
  if (attachments === undefined) return entry.message;
  const captured = [];
  for (const attachment of attachments) {
    captured.push(await captureAttachment(outbox.paths, attachment, outbox.limits.maxAttachmentBytes));
  }
  return { ...entry.message, attachments: captured };
}

/** Removes a drop whose message is safe elsewhere, if it still is what was read. RACE: see schema/README.md, "producer rewrites". */
async function takeAway(outbox: Outbox, file: string, drop: ReadMessage): Promise<boolean> {
  const again = outbox.read(file);
  if (again.kind !== "message" || !again.bytes.equals(drop.bytes)) return false;
  remove(join(outbox.paths.outbox, file));
  await syncFolder(outbox.paths.outbox);
  return true;
}

/** Undoes a claim before its commit point. The producer may have used the name again: neither file may be lost. */
function putBack(outbox: Outbox, target: string, file: string): void {
  for (let n = 1; ; n += 1) {
    const name = n === 1 ? file : `${file.slice(0, -".json".length).slice(0, 200)}.${n}.json`;
    if (moveExclusive(target, join(outbox.paths.outbox, name))) return;
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

function writeFailed(what: string, error: unknown): SpoolwayError {
  if (error instanceof SpoolwayError) return error;
  return new SpoolwayError("spool_write_failed", `could not ${what}: ${(error as Error).message}`, {
    cause: error,
  });
}
