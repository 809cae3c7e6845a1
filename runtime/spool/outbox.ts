// The transitions of an outgoing message, one function each, named as in schema/README.md (T1 … T8). Every function returns after its commit point.
import { closeSync, existsSync, fstatSync, lstatSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { errnoOf, SpoolwayError } from "../errors.ts";
import { linkExclusive, move, openForReading, remove, syncFile, syncFolder } from "./disk.ts";
import { type Drop, type ReadMessage, readDrop, sha256 } from "./drops.ts";
import { captureAttachment } from "./media.ts";
import { claimName, dropId, retryName, type SpoolPaths } from "./names.ts";
import { publishJson } from "./publish.ts";
import { type Accepted, deadLetterOf, receiptOf, refusalOf, retryRecordOf } from "./records.ts";

export interface OutboxLimits {
  maxMessageBytes: number;
  maxAttachmentBytes: number;
}

/** What claiming came to: a message in sending/, or what the drop turned out to be when it was read again. */
export type Claim = { kind: "claimed"; entry: Accepted } | Exclude<Drop, ReadMessage> | { kind: "changed" };

/** The transitions of one connector's messages. */
export class Outbox {
  readonly name: string;
  readonly paths: SpoolPaths;
  readonly #limits: OutboxLimits;

  constructor(name: string, paths: SpoolPaths, limits: OutboxLimits) {
    this.name = name;
    this.paths = paths;
    this.#limits = limits;
  }

  /** What lies in outbox/ under this file name. */
  read(file: string): Drop {
    return readDrop(this.name, this.paths.outbox, file, this.#limits.maxMessageBytes);
  }

  /** An id for an entry that never parsed. */
  idOf(file: string, bytes: Buffer | undefined): string {
    const stat = lstatSync(join(this.paths.outbox, file), { bigint: true, throwIfNoEntry: false });
    return dropId(this.name, file, stat?.mtimeNs ?? 0n, bytes ?? Buffer.alloc(0));
  }

  /** Whether this id was settled before, at which attempt, and the hash of what was dropped under it, where its record tells. */
  settled(
    id: string,
  ): { as: "sent" | "failed"; attempts: number; contentSha256: string | undefined } | undefined {
    for (const as of ["sent", "failed"] as const) {
      const path = join(this.paths[as], `${id}.json`);
      if (!existsSync(path)) continue;
      const record = readRecord(path);
      return {
        as,
        attempts: record.attempts ?? Number.MAX_SAFE_INTEGER,
        contentSha256: record.content_sha256,
      };
    }
    return undefined;
  }

  /**
   * T1. `drop` is what was read from outbox/`file` just now. Throws attachment_missing, attachment_outside or too_large (the drop is still in outbox/)
   * and spool_write_failed.
   */
  async claim(file: string, drop: ReadMessage): Promise<Claim> {
    const entry = { ...drop.entry, attempts: drop.entry.attempts + 1 };
    if (entry.message.attachments?.some((attachment) => !isCaptured(attachment.path))) {
      return this.#claimWithAttachments(file, drop, entry);
    }
    const source = join(this.paths.outbox, file);
    const target = this.#claimPath(entry);
    let fd: number;
    try {
      fd = openForReading(source);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return { kind: "gone" };
      return { kind: "changed" }; // a link or something unreadable took its place: looking again says what
    }
    try {
      // The producer did not sync its bytes; a claim whose content is lost in a power cut would be a lost message.
      await syncFile(fd);
      if (!move(source, target)) return { kind: "gone" };
      if (!isUnchanged(fd, target, drop.bytes)) {
        this.#putBack(target, file);
        return { kind: "changed" };
      }
    } catch (error) {
      throw writeFailed(`claim ${file}`, error);
    } finally {
      closeSync(fd);
    }
    // COMMIT POINT: accepted.
    await Promise.all([syncFolder(this.paths.sending), syncFolder(this.paths.outbox)]);
    return { kind: "claimed", entry };
  }

  /** With files beside the drop: they are copied into media/ first, and the claim is a record that names the copies. */
  async #claimWithAttachments(file: string, drop: ReadMessage, entry: Accepted): Promise<Claim> {
    const captured = { ...entry, message: await this.#capture(entry) };
    const record = retryRecordOf(this.name, captured, Date.now());
    await publishJson(this.paths.tmp, this.paths.sending, claimName(entry.id, entry.attempts), record);
    if (await this.#takeAway(file, drop)) return { kind: "claimed", entry: captured };
    remove(join(this.paths.sending, claimName(entry.id, entry.attempts)));
    await syncFolder(this.paths.sending);
    return { kind: "changed" };
  }

  /** R4: a dead letter that was copied, not moved, into the outbox is superseded by the message that is under way. */
  supersede(id: string): void {
    remove(join(this.paths.failed, `${id}.json`));
  }

  /** T1s: a drop whose time has not come. */
  async schedule(
    file: string,
    drop: ReadMessage,
    dueMs: number,
  ): Promise<{ file: string; entry: Accepted } | undefined> {
    const entry = { ...drop.entry, message: await this.#capture(drop.entry) };
    const name = retryName(dueMs, entry.id, entry.attempts);
    await publishJson(this.paths.tmp, this.paths.retry, name, retryRecordOf(this.name, entry, dueMs));
    if (await this.#takeAway(file, drop)) return { file: name, entry };
    remove(join(this.paths.retry, name));
    await syncFolder(this.paths.retry);
    return undefined;
  }

  async #capture(entry: Accepted): Promise<Accepted["message"]> {
    const { attachments } = entry.message;
    if (attachments === undefined) return entry.message;
    const captured = [];
    for (const attachment of attachments) {
      captured.push(await captureAttachment(this.paths, attachment, this.#limits.maxAttachmentBytes));
    }
    return { ...entry.message, attachments: captured };
  }

  /** Removes a drop whose message is safe elsewhere, if it still is what was read. RACE: see schema/README.md, "producer rewrites". */
  async #takeAway(file: string, drop: ReadMessage): Promise<boolean> {
    const again = this.read(file);
    if (again.kind !== "message" || !again.bytes.equals(drop.bytes)) return false;
    remove(join(this.paths.outbox, file));
    await syncFolder(this.paths.outbox);
    return true;
  }

  /** What lies in sending/ or retry/; undefined when somebody took it away or it is no message any more. */
  readAccepted(folder: "sending" | "retry", file: string, id: string): Drop {
    const drop = readDrop(this.name, this.paths[folder], file, Number.MAX_SAFE_INTEGER);
    // The name is the truth: the id of a plain drop was derived from the name and time that it had in outbox/.
    return drop.kind === "message" ? { ...drop, entry: { ...drop.entry, id } } : drop;
  }

  /** T2. Undefined when the entry is gone (a person moved it). */
  async claimRetry(file: string, entry: Accepted): Promise<Accepted | undefined> {
    const next = { ...entry, attempts: entry.attempts + 1 };
    const target = join(this.paths.sending, claimName(next.id, next.attempts));
    if (!move(join(this.paths.retry, file), target)) return undefined;
    await Promise.all([syncFolder(this.paths.sending), syncFolder(this.paths.retry)]);
    return next;
  }

  /** R1 with `resend`: the next attempt is on disk before the network is touched. */
  async claimAgain(entry: Accepted): Promise<Accepted> {
    const next = { ...entry, attempts: entry.attempts + 1 };
    move(this.#claimPath(entry), this.#claimPath(next));
    await syncFolder(this.paths.sending);
    return next;
  }

  /** T3. */
  async sent(entry: Accepted, result: Parameters<typeof receiptOf>[2]): Promise<void> {
    await publishJson(
      this.paths.tmp,
      this.paths.sent,
      `${entry.id}.json`,
      receiptOf(this.name, entry, result),
    );
    remove(this.#claimPath(entry));
  }

  /** T4. Returns the file's name in retry/. */
  async retry(entry: Accepted, dueMs: number, why: SpoolwayError): Promise<string> {
    const name = retryName(dueMs, entry.id, entry.attempts);
    await publishJson(this.paths.tmp, this.paths.retry, name, retryRecordOf(this.name, entry, dueMs, why));
    remove(this.#claimPath(entry));
    return name;
  }

  /** T5. `from` is the retry entry's name where it was not claimed. */
  async failed(
    entry: Accepted,
    why: { code: string; message: string; hint?: string },
    from?: string,
  ): Promise<void> {
    const letter = deadLetterOf(this.name, entry, why);
    const file = `${entry.id}.json`;
    if (!(await publishJson(this.paths.tmp, this.paths.failed, file, letter))) {
      // A dead letter of an earlier attempt, copied into the outbox instead of moved: the newer one replaces it.
      remove(join(this.paths.failed, file));
      await publishJson(this.paths.tmp, this.paths.failed, file, letter);
    }
    remove(from === undefined ? this.#claimPath(entry) : join(this.paths.retry, from));
  }

  /** T6. `known`: hash of what was dropped under this id before, where that is known. Returns what was done. */
  async duplicate(
    file: string,
    drop: ReadMessage,
    known: string | undefined,
  ): Promise<"removed" | "refused"> {
    // A derived id is made of the content: it is the same message by construction.
    const isDerived = drop.entry.message.id === undefined;
    if (isDerived || known === drop.entry.contentSha256) {
      remove(join(this.paths.outbox, file));
      await syncFolder(this.paths.outbox);
      return "removed";
    }
    const id = `${drop.entry.id.slice(0, 110)}+${sha256(drop.bytes).slice(0, 8)}`;
    const error = `another message with the id ${drop.entry.id} exists`;
    await this.refuse(file, { id, code: "duplicate_id", error, bytes: drop.bytes });
    return "refused";
  }

  /** T7. Returns false when the entry is gone, or cannot be moved (a mount point). */
  async refuse(
    file: string,
    why: { id: string; code: string; error: string; hint?: string; bytes: Buffer | undefined },
  ): Promise<boolean> {
    const source = join(this.paths.outbox, file);
    let { id } = why;
    for (
      let n = 2;
      taken(join(this.paths.failed, `${id}.entry`)) || taken(join(this.paths.failed, `${id}.json`));
      n += 1
    ) {
      id = `${why.id.slice(0, 110)}+${n}`;
    }
    const entry = `${id}.entry`;
    if (!move(source, join(this.paths.failed, entry))) return false;
    const letter = refusalOf(this.name, {
      id,
      code: why.code,
      error: why.error,
      entry,
      drop: file,
      ...(why.bytes === undefined ? {} : { ...rawOf(why.bytes), content_sha256: sha256(why.bytes) }),
      ...(why.hint === undefined ? {} : { hint: why.hint }),
    });
    await publishJson(this.paths.tmp, this.paths.failed, `${id}.json`, letter);
    await syncFolder(this.paths.outbox);
    return true;
  }

  /** Undoes a claim before its commit point. The producer may have used the name again: neither file may be lost. */
  #putBack(target: string, file: string): void {
    for (let n = 1; ; n += 1) {
      const name = n === 1 ? file : `${file.slice(0, -".json".length).slice(0, 200)}.${n}.json`;
      if (!linkExclusive(target, join(this.paths.outbox, name))) continue;
      remove(target);
      return;
    }
  }

  /** A claim that holds no message (a person edited it): kept as an entry of a dead letter. */
  async breakClaim(file: string, id: string, error: string): Promise<void> {
    const entry = `${id}.entry`;
    move(join(this.paths.sending, file), join(this.paths.failed, entry));
    const letter = refusalOf(this.name, {
      id,
      code: "invalid_message",
      error: `the claim was damaged: ${error}`,
      entry,
    });
    await publishJson(this.paths.tmp, this.paths.failed, `${id}.json`, letter);
  }

  #claimPath(entry: Accepted): string {
    return join(this.paths.sending, claimName(entry.id, entry.attempts));
  }
}

const rawMaxBytes = 65_536;

/** What was refused, inside the dead letter too where it is small: readable at a glance. The .entry file has every byte. */
function rawOf(bytes: Buffer): { raw?: string; raw_base64?: string } {
  if (bytes.length > rawMaxBytes) return {};
  const text = bytes.toString("utf8");
  return Buffer.from(text).equals(bytes) ? { raw: text } : { raw_base64: bytes.toString("base64") };
}

/** What is needed of a receipt or dead letter. One that somebody broke still says by its name that the id is settled. */
function readRecord(path: string): { attempts?: number; content_sha256?: string } {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as { attempts?: number; content_sha256?: string };
  } catch (error) {
    if (error instanceof SyntaxError || errnoOf(error) === "ENOENT") return {};
    throw error;
  }
}

const isCaptured = (path: string): boolean => /^media\/[0-9a-f]{64}$/.test(path);

/**
 * RACE: the producer wrote into the file, or put another one under its name, between our read and the rename. What was renamed must be the file
 * that `fd` has open, with the bytes that were read.
 */
function isUnchanged(fd: number, target: string, bytes: Buffer): boolean {
  const stat = fstatSync(fd);
  if (stat.size !== bytes.length || lstatSync(target).ino !== stat.ino) return false;
  const again = Buffer.allocUnsafe(bytes.length + 1);
  const length = readSync(fd, again, 0, again.length, 0);
  return again.subarray(0, length).equals(bytes);
}

function taken(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

function writeFailed(what: string, error: unknown): SpoolwayError {
  if (error instanceof SpoolwayError) return error;
  return new SpoolwayError("spool_write_failed", `could not ${what}: ${(error as Error).message}`, {
    cause: error,
  });
}
