// The messages of one connector on disk: what is known of an id, and the transitions that follow a claim (T2 … T5 of schema/README.md). Claiming and
// refusing drops stand in claim.ts and refuse.ts. Every function returns after its commit point.
import { join } from "node:path";
import { errnoOf, type SpoolwayError } from "../errors.ts";
import { exists, move, remove, syncFolder } from "./disk.ts";
import { type Drop, fingerprintOf, readDrop } from "./drops.ts";
import { fs } from "./fs.ts";
import { claimName, dropId, retryName, type SpoolPaths } from "./names.ts";
import { publishJson } from "./publish.ts";
import { type Accepted, deadLetterOf, receiptOf, retryRecordOf } from "./records.ts";
import { fillReserve, withReserve } from "./reserve.ts";
import type { DiskSpace } from "./space.ts";

/** More than any record has, so that a writer that still holds its claimed drop open cannot make us read without end. */
const recordMaxBytes = 256 * 1024 * 1024;

export interface OutboxLimits {
  maxMessageBytes: number;
  maxAttachmentBytes: number;
}

/** The transitions of one connector's messages. */
export class Outbox {
  readonly name: string;
  readonly paths: SpoolPaths;
  readonly limits: OutboxLimits;
  /** What attachments may take; without it they may take all. */
  readonly space: DiskSpace | undefined;

  constructor(name: string, paths: SpoolPaths, limits: OutboxLimits, space?: DiskSpace) {
    this.name = name;
    this.paths = paths;
    this.limits = limits;
    this.space = space;
  }

  /** What lies in outbox/ under this file name. */
  read(file: string): Drop {
    return readDrop(this.name, this.paths.outbox, file, this.limits.maxMessageBytes);
  }

  /** Whether what lies there still is what was found unfinished. */
  isUnchanged(file: string, fingerprint: string): boolean {
    const stat = fs.lstatSync(join(this.paths.outbox, file), { bigint: true, throwIfNoEntry: false });
    return stat !== undefined && fingerprintOf(stat) === fingerprint;
  }

  /** An id for an entry that never parsed. */
  idOf(file: string, bytes: Buffer | undefined): string {
    const stat = fs.lstatSync(join(this.paths.outbox, file), { bigint: true, throwIfNoEntry: false });
    return dropId(this.name, file, stat?.mtimeNs ?? 0n, bytes ?? Buffer.alloc(0));
  }

  /** Whether this id was settled before, at which attempt, and the hash of what was dropped under it, where its record tells. */
  settled(
    id: string,
  ): { as: "sent" | "failed"; attempts: number; contentSha256: string | undefined } | undefined {
    for (const as of ["sent", "failed"] as const) {
      const path = join(this.paths[as], `${id}.json`);
      if (!exists(path)) continue;
      const record = readRecord(path);
      return {
        as,
        attempts: record.attempts ?? Number.MAX_SAFE_INTEGER,
        contentSha256: record.content_sha256,
      };
    }
    // Being refused: its dead letter is not there yet. No attempt is settled by it.
    if (exists(join(this.paths.failed, `${id}.entry`)))
      return { as: "failed", attempts: -1, contentSha256: undefined };
    return undefined;
  }

  /** Before a dead letter that was moved back is claimed: its old name must not come back, after a power cut, beside its receipt. */
  syncLetters(): Promise<void> {
    return syncFolder(this.paths.failed);
  }

  /** What lies in sending/ or retry/; undefined when somebody took it away or it is no message any more. */
  readAccepted(folder: "sending" | "retry", file: string, id: string): Drop {
    const drop = readDrop(this.name, this.paths[folder], file, recordMaxBytes, true);
    // The name is the truth: the id of a plain drop was derived from the name and time that it had in outbox/.
    return drop.kind === "message" ? { ...drop, entry: { ...drop.entry, id } } : drop;
  }

  /** T2. Undefined when the entry is gone (a person moved it). */
  async claimRetry(file: string, entry: Accepted): Promise<Accepted | undefined> {
    const next = { ...entry, attempts: entry.attempts + 1 };
    const target = join(this.paths.sending, claimName(next.id, next.attempts));
    const source = join(this.paths.retry, file);
    if (!withReserve(() => move(source, target))) return undefined;
    // retry/ is not synced: an entry that comes back after a power cut is older than the claim (row 12).
    await this.#commitClaim(source, target);
    return next;
  }

  /** R1 with `resend`: the next attempt is on disk before the network is touched. */
  async claimAgain(entry: Accepted): Promise<Accepted> {
    const next = { ...entry, attempts: entry.attempts + 1 };
    const [source, target] = [this.claimPath(entry), this.claimPath(next)];
    withReserve(() => move(source, target));
    await this.#commitClaim(source, target);
    return next;
  }

  /** What could not be claimed durably goes back to where its lane will look for it. */
  async #commitClaim(source: string, target: string): Promise<void> {
    try {
      await syncFolder(this.paths.sending);
    } catch (error) {
      move(target, source);
      throw error;
    }
  }

  /** T3. */
  async sent(entry: Accepted, result: Parameters<typeof receiptOf>[2]): Promise<void> {
    await this.#removeOldLetter(entry.id);
    await publishJson(
      this.paths.tmp,
      this.paths.sent,
      `${entry.id}.json`,
      receiptOf(this.name, entry, result),
    );
    removeSettled(this.claimPath(entry));
  }

  /**
   * R4: a dead letter that was copied, not moved, into the outbox. It stays until the message has another outcome, since nobody synced the copy; and it goes first, since
   * nothing would remove it beside a receipt.
   */
  async #removeOldLetter(id: string): Promise<void> {
    if (remove(join(this.paths.failed, `${id}.json`))) await syncFolder(this.paths.failed);
  }

  /** T4. Returns the file's name in retry/. */
  async retry(entry: Accepted, dueMs: number, why: SpoolwayError): Promise<string> {
    const name = retryName(dueMs, entry.id, entry.attempts);
    await publishJson(this.paths.tmp, this.paths.retry, name, retryRecordOf(this.name, entry, dueMs, why));
    removeSettled(this.claimPath(entry));
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
    removeSettled(from === undefined ? this.claimPath(entry) : join(this.paths.retry, from));
  }

  /** Where the claim of this attempt lies. */
  claimPath(entry: Accepted): string {
    return join(this.paths.sending, claimName(entry.id, entry.attempts));
  }
}

/** In the same tick the reserve takes the room back that it may have given for the record. */
function removeSettled(path: string): void {
  remove(path);
  fillReserve();
}

/** What is needed of a receipt or dead letter. One that somebody broke still says by its name that the id is settled. */
function readRecord(path: string): { attempts?: number; content_sha256?: string } {
  try {
    return JSON.parse(fs.readFileSync(path, "utf8")) as { attempts?: number; content_sha256?: string };
  } catch (error) {
    if (error instanceof SyntaxError || errnoOf(error) === "ENOENT") return {};
    throw error;
  }
}
