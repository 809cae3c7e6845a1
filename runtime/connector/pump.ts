// The outbox pump of one connector: finds drops, sorts them into lanes, lets p-queue run the lanes, and puts what has to wait back in time.
//
//   outbox/ ──look──▶ lane ──p-queue (concurrency, rate, priority)──▶ Sender ──▶ sent/ failed/ retry/
//
// It lives as long as the process. Looking and refusing go on while the connector is offline; sending needs a session (`run`).
import PQueue from "p-queue";
import type { ConnectorSettings } from "../config/model.ts";
import { SpoolwayError } from "../errors.ts";
import type { Logger } from "../sdk.ts";
import type { ReadMessage } from "../spool/drops.ts";
import { parseRetryName } from "../spool/names.ts";
import type { Outbox } from "../spool/outbox.ts";
import type { Accepted } from "../spool/records.ts";
import { recover, type RetryEntry } from "../spool/recover.ts";
import type { Depths } from "./beat.ts";
import { type Item, type Lane, Lanes } from "./lanes.ts";
import { Looker } from "./looker.ts";
import { Schedule } from "./schedule.ts";
import { isExpired, type Outcome, type Sender, type SendPort, withAttempt } from "./sender.ts";
import type { Status } from "./status.ts";

/** A wait that stands on disk comes from some wall clock: after a clock jump it must not hold a lane for years. */
const waitMaxMs = 24 * 3_600_000;

/** A lane that has so few messages in memory, and more in the backlog, wants them. */
const refillAt = 16;

export class Pump {
  readonly #outbox: Outbox;
  readonly #sender: Sender;
  readonly #status: Status;
  readonly #log: Logger;
  readonly #queue: PQueue;
  readonly #lanes = new Lanes();
  readonly #looker: Looker;
  readonly #schedule: Schedule;
  /** Ids that are in lanes or in flight, with the hash of what was dropped. */
  readonly #active = new Map<string, string | undefined>();
  #retryCount = 0;
  #port: SendPort | undefined;
  #sessionEnds: ((error: SpoolwayError) => void) | undefined;
  #rateLimitTimer: NodeJS.Timeout | undefined;

  constructor(outbox: Outbox, sender: Sender, settings: ConnectorSettings, status: Status, log: Logger) {
    this.#outbox = outbox;
    this.#sender = sender;
    this.#status = status;
    this.#log = log;
    this.#queue = new PQueue({
      concurrency: settings.concurrency,
      autoStart: false,
      ...(settings.rate === null
        ? {}
        : { intervalCap: settings.rate.count, interval: settings.rate.perMs, carryoverIntervalCount: true }),
    });
    this.#schedule = new Schedule((entry) => this.#takeRetry(entry));
    this.#looker = new Looker(outbox, this.#lanes, settings, status, log, {
      wanted: () => Math.max(settings.concurrency * 2, 64) - this.#lanes.active,
      isStarving: () => this.#lanes.active < settings.concurrency * 2,
      ready: (lane) => this.#enqueue(lane),
    });
  }

  /** Finishes what a crash interrupted (R1 … R6) and begins to look at the outbox. Once, before the first session. */
  async start(): Promise<void> {
    const { uncertain, retries, broken } = await recover(this.#outbox);
    for (const file of broken) this.#log.error("claim.broken", { file });
    for (const entry of uncertain) {
      this.#active.set(entry.id, entry.contentSha256);
      const lane = this.#lanes.get(entry.message.conversation_id);
      this.#lanes.append(lane, { kind: "uncertain", entry });
      this.#enqueue(lane);
    }
    if (uncertain.length > 0) this.#log.warn("message.uncertain", { count: uncertain.length });
    for (const entry of retries.sort((a, b) => a.dueMs - b.dueMs)) this.#restoreRetry(entry);
    await this.#looker.start();
  }

  /** Sends through `port` until its signal aborts; then waits for what is in flight. Rejects when a send says that the session is lost. */
  async run(port: SendPort): Promise<void> {
    const ended = new Promise<never>((_resolve, reject) => (this.#sessionEnds = reject));
    const aborted = new Promise<void>((resolve) => {
      if (port.signal.aborted) resolve();
      else port.signal.addEventListener("abort", () => resolve(), { once: true });
    });
    this.#port = port;
    if (this.#rateLimitTimer === undefined) this.#queue.start();
    try {
      await Promise.race([ended, aborted]);
    } finally {
      this.#queue.pause();
      this.#port = undefined;
      this.#sessionEnds = undefined;
    }
  }

  /** Takes no new message from now on; resolves when nothing is in flight. */
  async drain(): Promise<void> {
    this.#queue.pause();
    await this.#queue.onPendingZero();
  }

  /** Stops looking; what waits stays on disk. */
  async close(): Promise<void> {
    this.#queue.pause();
    this.#queue.clear();
    clearTimeout(this.#rateLimitTimer);
    this.#schedule.close();
    this.#lanes.close();
    await this.#looker.close();
  }

  get depths(): Depths {
    const { backlog } = this.#looker;
    const oldest = [this.#lanes.oldestMs(), backlog.oldestMs].filter((ms) => ms !== undefined);
    return {
      outbox_depth: backlog.depth + this.#looker.held,
      retry_depth: this.#retryCount,
      in_flight: this.#queue.pending,
      unclaimed: backlog.unclaimed,
      oldestMs: oldest.length === 0 ? undefined : Math.min(...oldest),
    };
  }

  #enqueue(lane: Lane): void {
    if (!this.#lanes.isReady(lane)) return;
    lane.running = true;
    this.#lanes.active += 1;
    const head = lane.items[0];
    const priority = head?.kind === "drop" ? head.priority : 0;
    this.#queue
      .add(() => this.#runLane(lane), { priority })
      .catch((error: unknown) => {
        // A disk error outside the settling of a message: the lane's items are on disk and are found again.
        this.#log.error("lane.failed", { error });
        this.#sessionEnds?.(
          error instanceof SpoolwayError
            ? error
            : new SpoolwayError("spool_write_failed", (error as Error).message),
        );
      })
      .finally(() => {
        lane.running = false;
        this.#lanes.active -= 1;
        this.#enqueue(lane);
        if (lane.overflowed && lane.items.length <= refillAt) this.#looker.lookAgain();
        this.#lanes.dropIfEmpty(lane);
        this.#looker.wake();
      });
  }

  /** The head of one lane. Between two messages p-queue decides anew, by priority and rate. */
  async #runLane(lane: Lane): Promise<void> {
    const port = this.#port;
    if (port === undefined) return;
    const item = this.#lanes.shift(lane);
    if (item === undefined) return;
    let outcome: Outcome | undefined;
    try {
      outcome = await this.#handle(port, item);
    } catch (error) {
      // Nothing was decided: it is the head of its lane again.
      if (item.kind === "retry") this.#retryCount += 1;
      this.#lanes.prepend(lane, item.kind === "drop" ? { ...item, drop: undefined } : item);
      throw error;
    }
    if (outcome?.kind === "waiting") this.#wait(lane, outcome);
  }

  #handle(port: SendPort, item: Item): Promise<Outcome | undefined> {
    if (item.kind === "drop") return this.#handleDrop(port, item);
    if (item.kind === "retry") return this.#handleRetry(port, item.file, item.id);
    return this.#handleUncertain(port, item.entry);
  }

  async #handleDrop(port: SendPort, item: Extract<Item, { kind: "drop" }>): Promise<Outcome | undefined> {
    const { file } = item;
    const drop = item.drop ?? this.#outbox.read(file);
    if (drop.kind !== "message") {
      this.#looker.release(file, drop.kind !== "gone"); // it changed since it was looked at
      return undefined;
    }
    if (await this.#isDuplicate(file, drop)) return undefined;
    const { id, message, contentSha256 } = drop.entry;
    const dueMs = message.not_before === undefined ? 0 : Date.parse(message.not_before);
    if (dueMs > Date.now()) return this.#scheduleDrop(file, drop, dueMs);
    this.#active.set(id, contentSha256);
    try {
      const claim = await this.#outbox.claim(file, drop);
      this.#looker.release(file, claim.kind === "changed");
      if (claim.kind === "claimed") {
        if (drop.redriven) this.#outbox.supersede(id);
        return await this.#settle(this.#sender.deliver(port, claim.entry), id);
      }
    } catch (error) {
      if (!(await this.#refusedAtClaim(file, drop, error))) throw error;
    }
    this.#active.delete(id);
    return undefined;
  }

  async #scheduleDrop(file: string, drop: ReadMessage, dueMs: number): Promise<undefined> {
    try {
      const scheduled = await this.#outbox.schedule(file, drop, dueMs);
      this.#looker.release(file, scheduled === undefined);
      if (scheduled === undefined) return;
      this.#retryCount += 1;
      this.#schedule.add({ file: scheduled.file, id: drop.entry.id, attempt: drop.entry.attempts, dueMs });
    } catch (error) {
      if (!(await this.#refusedAtClaim(file, drop, error))) throw error;
    }
  }

  /** An attachment that is missing, outside or too large: the drop is still in outbox/ and will never become a message. */
  async #refusedAtClaim(file: string, drop: ReadMessage, error: unknown): Promise<boolean> {
    if (!(error instanceof SpoolwayError) || error.fate !== "reject") return false;
    const { code, message, hint } = error;
    await this.#looker.refuse(file, { id: drop.entry.id, code, error: message, hint, bytes: drop.bytes });
    return true;
  }

  /** T6. */
  async #isDuplicate(file: string, drop: ReadMessage): Promise<boolean> {
    const { id } = drop.entry;
    const settled = this.#outbox.settled(id);
    if (settled?.as === "failed" && drop.redriven) return false;
    const scheduled = this.#schedule.get(id);
    if (settled === undefined && !this.#active.has(id) && scheduled === undefined) return false;
    const known = settled?.contentSha256 ?? this.#active.get(id) ?? this.#contentOf(scheduled);
    const done = await this.#outbox.duplicate(file, drop, known);
    this.#looker.release(file, false);
    if (done === "removed") this.#status.duplicates += 1;
    else this.#status.refused += 1;
    this.#log.info("drop.duplicate", { id, file, done });
    return true;
  }

  #contentOf(scheduled: RetryEntry | undefined): string | undefined {
    if (scheduled === undefined) return undefined;
    const drop = this.#outbox.readAccepted("retry", scheduled.file, scheduled.id);
    return drop.kind === "message" ? drop.entry.contentSha256 : undefined;
  }

  async #handleRetry(port: SendPort, file: string, id: string): Promise<Outcome | undefined> {
    this.#retryCount -= 1;
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

  async #handleUncertain(port: SendPort, entry: Accepted): Promise<Outcome | undefined> {
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

  /** The lane's head went to retry/: the lane waits for it. */
  #wait(lane: Lane, outcome: Extract<Outcome, { kind: "waiting" }>): void {
    const id = parseRetryName(outcome.file)?.id ?? outcome.file;
    this.#holdForRetry(lane, { file: outcome.file, id }, outcome.waitMs);
    if (outcome.pauseAllMs !== undefined) this.#pauseAll(outcome.pauseAllMs);
    if (outcome.ends !== undefined) this.#sessionEnds?.(outcome.ends);
  }

  #holdForRetry(lane: Lane, { file, id }: { file: string; id: string }, waitMs: number): void {
    this.#retryCount += 1;
    if (!this.#active.has(id)) this.#active.set(id, undefined);
    this.#lanes.prepend(lane, { kind: "retry", file, id });
    this.#lanes.block(lane, Math.min(Math.max(0, waitMs), waitMaxMs), () => this.#enqueue(lane));
  }

  /** A retry entry found on disk: tried before, it holds its lane; otherwise it waits beside the lanes. */
  #restoreRetry(entry: RetryEntry): void {
    if (entry.attempt === 0) {
      this.#retryCount += 1;
      this.#schedule.add(entry);
      return;
    }
    const drop = this.#outbox.readAccepted("retry", entry.file, entry.id);
    if (drop.kind !== "message") return;
    this.#active.set(entry.id, drop.entry.contentSha256);
    this.#holdForRetry(this.#lanes.get(drop.entry.message.conversation_id), entry, entry.dueMs - Date.now());
  }

  /** A scheduled message whose time has come joins its lane, ahead of what still lies in outbox/. */
  #takeRetry(entry: RetryEntry): void {
    const drop = this.#outbox.readAccepted("retry", entry.file, entry.id);
    if (drop.kind !== "message") {
      this.#retryCount -= 1;
      return;
    }
    this.#active.set(entry.id, drop.entry.contentSha256);
    const lane = this.#lanes.get(drop.entry.message.conversation_id);
    this.#lanes.afterRetries(lane, { kind: "retry", file: entry.file, id: entry.id });
    this.#enqueue(lane);
  }

  #pauseAll(ms: number): void {
    this.#queue.pause();
    clearTimeout(this.#rateLimitTimer);
    this.#rateLimitTimer = setTimeout(
      () => {
        this.#rateLimitTimer = undefined;
        if (this.#port !== undefined) this.#queue.start();
      },
      Math.min(ms, 2 ** 31 - 1),
    );
  }
}
