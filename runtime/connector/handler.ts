// One item of a lane, from what lies on disk to its outcome: claims drops and due retries, sorts out duplicates, asks about uncertain claims.
import { SpoolwayError } from "../errors.ts";
import type { Logger } from "../sdk.ts";
import { claimDrop, scheduleDrop } from "../spool/claim.ts";
import type { ReadMessage } from "../spool/drops.ts";
import type { Outbox } from "../spool/outbox.ts";
import type { Accepted } from "../spool/records.ts";
import { settleDuplicate } from "../spool/refuse.ts";
import type { Item } from "./lanes.ts";
import type { Looker } from "./looker.ts";
import type { Schedule } from "./schedule.ts";
import { type HaltingPort, isExpired, type Outcome, type Sender, withAttempt } from "./sender.ts";
import type { Status } from "./status.ts";

export class Handler {
  readonly #outbox: Outbox;
  readonly #sender: Sender;
  readonly #looker: Looker;
  readonly #schedule: Schedule;
  readonly #status: Status;
  readonly #log: Logger;
  /** Ids that were claimed and are not settled, with the hash of what was dropped. */
  readonly #active = new Map<string, string | undefined>();

  constructor(
    outbox: Outbox,
    sender: Sender,
    looker: Looker,
    schedule: Schedule,
    status: Status,
    log: Logger,
  ) {
    this.#outbox = outbox;
    this.#sender = sender;
    this.#looker = looker;
    this.#schedule = schedule;
    this.#status = status;
    this.#log = log;
  }

  /** A message that was found claimed or waiting: a drop with its id is a duplicate. */
  noteActive(entry: Accepted): void {
    this.#active.set(entry.id, entry.contentSha256);
  }

  /** Whether a message that was accepted, and is not settled, has this id. */
  isTaken(id: string): boolean {
    return this.#active.has(id) || this.#schedule.has(id);
  }

  /** What became of the item; undefined when there is nothing to send (any more). Throws when nothing was decided. */
  handle(port: HaltingPort, item: Item): Promise<Outcome | undefined> {
    if (item.kind === "drop") return this.#handleDrop(port, item);
    if (item.kind === "retry") return this.#handleRetry(port, item.file, item.id);
    return this.#handleUncertain(port, item.entry);
  }

  async #handleDrop(port: HaltingPort, item: Extract<Item, { kind: "drop" }>): Promise<Outcome | undefined> {
    const { file } = item;
    const drop = item.drop ?? this.#outbox.read(file);
    if (drop.kind !== "message") {
      this.#looker.release(file, drop.kind !== "gone"); // it changed since it was looked at
      return undefined;
    }
    // A repetition of a scheduled message, perhaps: what waits for long is known by a hash only.
    if (this.#schedule.has(drop.entry.id)) await this.#schedule.locate(drop.entry.id);
    // From here to the reservation of the id nothing is awaited: two drops with one id, in two lanes, must not both pass.
    const known = this.#knownAs(drop);
    if (known !== undefined) return this.#settleDuplicate(file, drop, known.contentSha256);
    const { id, message, contentSha256 } = drop.entry;
    const dueMs = message.not_before === undefined ? 0 : Date.parse(message.not_before);
    this.#active.set(id, contentSha256);
    try {
      if (drop.redriven) await this.#outbox.syncLetters();
      if (dueMs > Date.now()) {
        await this.#scheduleDrop(file, drop, dueMs);
        this.#active.delete(id);
        return undefined;
      }
      const claim = await claimDrop(this.#outbox, file, drop);
      this.#looker.release(file, claim.kind === "changed");
      if (claim.kind === "claimed") {
        return await this.#settle(this.#sender.deliver(port, claim.entry), id);
      }
    } catch (error) {
      // It was not accepted: its own drop must not be taken for a duplicate of it.
      this.#active.delete(id);
      if (!(await this.#refusedAtClaim(file, drop, error))) throw error;
      return undefined;
    }
    this.#active.delete(id);
    return undefined;
  }

  async #scheduleDrop(file: string, drop: ReadMessage, dueMs: number): Promise<void> {
    const scheduled = await scheduleDrop(this.#outbox, file, drop, dueMs);
    this.#looker.release(file, scheduled === undefined);
    if (scheduled === undefined) return;
    this.#schedule.add({ file: scheduled.file, id: drop.entry.id, attempt: drop.entry.attempts, dueMs });
  }

  /** An attachment that is missing, outside or too large: the drop is still in outbox/ and will never become a message. */
  async #refusedAtClaim(file: string, drop: ReadMessage, error: unknown): Promise<boolean> {
    if (!(error instanceof SpoolwayError) || error.fate !== "reject") return false;
    const { code, message, hint } = error;
    await this.#looker.refuse(file, { id: drop.entry.id, code, error: message, hint, bytes: drop.bytes });
    return true;
  }

  /** The message that has this id already, if there is one. */
  #knownAs(drop: ReadMessage): { contentSha256: string | undefined } | undefined {
    const { id } = drop.entry;
    const settled = this.#outbox.settled(id);
    // A dead letter that was copied back: the newest, not one whose old name came back after a power cut. Another message must not take its place.
    const isCopy =
      drop.redriven &&
      settled?.as === "failed" &&
      settled.contentSha256 === drop.entry.contentSha256 &&
      settled.attempts <= drop.entry.attempts;
    if (isCopy && !this.isTaken(id)) return undefined;
    if (settled !== undefined) return settled;
    if (this.#active.has(id)) return { contentSha256: this.#active.get(id) };
    const scheduled = this.#schedule.get(id);
    if (scheduled === undefined) return undefined;
    const waiting = this.#outbox.readAccepted("retry", scheduled.file, id);
    if (waiting.kind === "message") return { contentSha256: waiting.entry.contentSha256 };
    // Moved back into the outbox, perhaps: then this drop is the message, and the folder is the truth.
    this.#schedule.forget(id);
    return undefined;
  }

  /** T6. */
  async #settleDuplicate(
    file: string,
    drop: ReadMessage,
    contentSha256: string | undefined,
  ): Promise<undefined> {
    const done = await settleDuplicate(this.#outbox, file, drop, contentSha256, (id) => this.isTaken(id));
    if (done !== "stays") this.#looker.release(file, false);
    if (done === "removed") this.#status.duplicates += 1;
    else this.#status.refused += 1;
    this.#log.info("drop.duplicate", { id: drop.entry.id, file, done });
  }

  async #handleRetry(port: HaltingPort, file: string, id: string): Promise<Outcome | undefined> {
    const drop = this.#outbox.readAccepted("retry", file, id);
    if (drop.kind !== "message") {
      this.#active.delete(id);
      if (drop.kind !== "gone")
        this.#log.error("retry.unreadable", { file, code: drop.code, error: drop.error });
      return undefined;
    }
    const { entry } = drop;
    if (isExpired(entry)) {
      const expired = new SpoolwayError("expired", `it was to be sent before ${entry.message.expires_at}`);
      return this.#settle(this.#sender.fail(entry, expired, file), id);
    }
    const claimed = await this.#outbox.claimRetry(file, entry);
    if (claimed === undefined) {
      this.#active.delete(id); // a person took it away
      return undefined;
    }
    return this.#settle(this.#sender.deliver(port, claimed), id);
  }

  async #handleUncertain(port: HaltingPort, entry: Accepted): Promise<Outcome | undefined> {
    const crash = {
      code: "outcome_unknown",
      message: "the process ended while it was being sent",
      fate: "uncertain" as const,
    };
    const known = withAttempt(entry, entry.acceptedAt, crash, true);
    const reconciled = await this.#sender.reconcile(port, known);
    if (reconciled !== undefined) return this.#settle(Promise.resolve(reconciled), entry.id);
    if (known.budgetUsed >= this.#sender.attemptsMax) {
      // A message that ends the process each time it is sent must not do so for ever.
      const error = new SpoolwayError("attempts_exhausted", "the process ended each time it was being sent");
      return this.#settle(this.#sender.fail(known, error), entry.id);
    }
    const again = await this.#outbox.claimAgain(known);
    return this.#settle(this.#sender.deliver(port, again), entry.id);
  }

  async #settle(outcome: Promise<Outcome>, id: string): Promise<Outcome> {
    const settled = await outcome;
    if (settled.kind === "settled") this.#active.delete(id);
    return settled;
  }
}
