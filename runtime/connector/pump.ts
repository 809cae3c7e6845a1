// The outbox pump of one connector: finds drops, sorts them into lanes, lets p-queue run the lanes, and puts what has to wait back in time.
//
//   outbox/ ──look──▶ lane ──p-queue (concurrency, rate, priority)──▶ Sender ──▶ sent/ failed/ retry/
//
// It lives as long as the process. Looking and refusing go on while the connector is offline; sending needs a session (`run`).
import { setImmediate as nextTurn } from "node:timers/promises";
import PQueue from "p-queue";
import type { ConnectorSettings } from "../config/model.ts";
import { SpoolwayError } from "../errors.ts";
import type { Logger } from "../sdk.ts";
import { parseRetryName } from "../spool/names.ts";
import type { Outbox } from "../spool/outbox.ts";
import type { Accepted } from "../spool/records.ts";
import { recover, removeFinished, type RetryEntry } from "../spool/recover.ts";
import type { Depths } from "./beat.ts";
import { Handler } from "./handler.ts";
import { type Lane, Lanes } from "./lanes.ts";
import { Looker } from "./looker.ts";
import { Schedule } from "./schedule.ts";
import type { HaltingPort, Outcome, Sender, SendPort } from "./sender.ts";
import type { Status } from "./status.ts";

/** A wait that stands on disk comes from some wall clock: after a clock jump it must not hold a lane for years. */
const waitMaxMs = 24 * 3_600_000;

/** A lane whose next message needs room on a full disk looks again after this. */
const fullWaitMs = 5000;

/** So many scheduled messages whose time has come lie in memory; the others wait on disk until some of them are sent. */
const dueMax = 5000;

/**
 * A conversation whose message waits for a retry takes memory (about a kilobyte). When so many wait, the platform as a whole is in trouble: no new conversation is begun until
 * some are through.
 */
const blockedLanesMax = 50_000;

/** A lane that has so few messages in memory, and more in the backlog, wants them. */
const refillAt = 16;

export class Pump {
  readonly #outbox: Outbox;
  readonly #log: Logger;
  readonly #queue: PQueue;
  readonly #lanes = new Lanes();
  readonly #looker: Looker;
  readonly #schedule: Schedule;
  readonly #handler: Handler;
  #port: HaltingPort | undefined;
  #sessionEnds: ((error: SpoolwayError) => void) | undefined;
  #rateLimitTimer: NodeJS.Timeout | undefined;

  constructor(outbox: Outbox, sender: Sender, settings: ConnectorSettings, status: Status, log: Logger) {
    this.#outbox = outbox;
    this.#log = log;
    this.#queue = new PQueue({
      concurrency: settings.concurrency,
      autoStart: false,
      ...(settings.rate === null
        ? {}
        : { intervalCap: settings.rate.count, interval: settings.rate.perMs, carryoverIntervalCount: true }),
    });
    this.#schedule = new Schedule((entry) => this.#takeRetry(entry), {
      folder: outbox.paths.retry,
      room: () => dueMax - (this.#lanes.retries - this.#lanes.blockedCount),
      failed: (error) => this.#log.error("retry.unreadable", { error }),
    });
    this.#looker = new Looker(outbox, this.#lanes, settings, status, log, {
      wanted: () =>
        this.#lanes.blockedCount >= blockedLanesMax ? 0 : settings.concurrency * 2 - this.#lanes.active,
      isStarving: () => this.#lanes.active < settings.concurrency,
      ready: (lane) => this.#enqueue(lane),
      isTaken: (id) => this.#handler.isTaken(id),
    });
    this.#handler = new Handler(outbox, sender, this.#looker, this.#schedule, status, log);
  }

  /** Finishes what a crash interrupted (R1 … R6) and begins to look at the outbox. Once, before the first session. */
  async start(): Promise<void> {
    const { uncertain, retries, broken } = await recover(this.#outbox, (entry) => this.#schedule.load(entry));
    for (const file of broken) this.#log.error("claim.broken", { file });
    for (const entry of uncertain) {
      this.#handler.noteActive(entry);
      const lane = this.#lanes.get(entry.message.conversation_id);
      this.#lanes.append(lane, { kind: "uncertain", entry });
      this.#enqueue(lane);
    }
    if (uncertain.length > 0) this.#log.warn("message.uncertain", { count: uncertain.length });
    let restored = 0;
    for (const entry of retries.sort((a, b) => a.dueMs - b.dueMs)) {
      this.#restoreRetry(entry);
      if (++restored % 100 === 0) await nextTurn();
    }
    this.#schedule.start();
    await this.#looker.start();
  }

  /** Sends through `port` until its signal aborts; then waits for what is in flight. Rejects when a send says that the session is lost. */
  async run(port: SendPort): Promise<void> {
    const ended = new Promise<never>((_resolve, reject) => (this.#sessionEnds = reject));
    const aborted = new Promise<void>((resolve) => {
      if (port.signal.aborted) resolve();
      else port.signal.addEventListener("abort", () => resolve(), { once: true });
    });
    this.#port = { ...port, halt: (error, waitMs) => this.#halt(error, waitMs) };
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
      retry_depth: this.#schedule.size + this.#lanes.retries,
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
    void this.#queue.add(() => this.#runLane(lane), { priority });
  }

  async #runLane(lane: Lane): Promise<void> {
    try {
      await this.#runHead(lane);
    } catch (error) {
      // Nothing is wrong with the session: messages that need no room go on in the other lanes. The heartbeat says what is wrong.
      if (error instanceof SpoolwayError && error.code === "spool_full")
        this.#lanes.block(lane, fullWaitMs, () => this.#enqueue(lane));
      else this.#loseSession(error);
    }
    // Before p-queue takes the next task, so that it chooses among all lanes.
    lane.running = false;
    this.#lanes.active -= 1;
    this.#enqueue(lane);
    if (lane.overflowed && lane.items.length <= refillAt) this.#looker.lookAgain();
    this.#lanes.dropIfEmpty(lane);
    this.#looker.wake();
    this.#schedule.wake();
  }

  /** A disk error outside the settling of a message: its item is the head of its lane again. */
  #loseSession(error: unknown): void {
    this.#log.error("lane.failed", { error });
    this.#sessionEnds?.(
      error instanceof SpoolwayError
        ? error
        : new SpoolwayError("spool_write_failed", (error as Error).message),
    );
  }

  /** The head of one lane. Between two messages p-queue decides anew, by priority and rate. */
  async #runHead(lane: Lane): Promise<void> {
    const port = this.#port;
    if (port === undefined) return;
    const item = this.#lanes.shift(lane);
    if (item === undefined) return;
    let outcome: Outcome | undefined;
    try {
      outcome = await this.#handler.handle(port, item);
    } catch (error) {
      // Nothing was decided: it is the head of its lane again.
      this.#lanes.prepend(lane, item.kind === "drop" ? { ...item, drop: undefined } : item);
      throw error;
    }
    if (outcome?.kind === "waiting") this.#wait(lane, outcome);
  }

  /** The lane's head went to retry/: the lane waits for it. */
  #wait(lane: Lane, outcome: Extract<Outcome, { kind: "waiting" }>): void {
    const id = parseRetryName(outcome.file)?.id ?? outcome.file;
    this.#holdForRetry(lane, { file: outcome.file, id }, outcome.waitMs);
  }

  #holdForRetry(lane: Lane, { file, id }: { file: string; id: string }, waitMs: number): void {
    this.#lanes.prepend(lane, { kind: "retry", file, id });
    this.#lanes.block(lane, Math.min(Math.max(0, waitMs), waitMaxMs), () => this.#enqueue(lane));
  }

  /** A retry entry found on disk: tried before, it holds its lane; otherwise it waits beside the lanes. */
  #restoreRetry(entry: RetryEntry): void {
    if (entry.attempt === 0) return this.#schedule.load(entry);
    const drop = this.#outbox.readAccepted("retry", entry.file, entry.id);
    if (drop.kind !== "message") return;
    this.#handler.noteActive({ ...drop.entry, id: entry.id });
    const waitMs = remainingMs(entry.dueMs, drop.entry);
    this.#holdForRetry(this.#lanes.get(drop.entry.message.conversation_id), entry, waitMs);
  }

  /** A scheduled message whose time has come joins its lane, ahead of what still lies in outbox/. */
  #takeRetry(entry: RetryEntry): void {
    if (removeFinished(this.#outbox, entry)) return;
    const drop = this.#outbox.readAccepted("retry", entry.file, entry.id);
    if (drop.kind !== "message") return; // a person took it away
    this.#handler.noteActive({ ...drop.entry, id: entry.id });
    const lane = this.#lanes.get(drop.entry.message.conversation_id);
    this.#lanes.afterRetries(lane, { kind: "retry", file: entry.file, id: entry.id });
    this.#enqueue(lane);
  }

  /** A send said something about all of them: at once, before its own message is settled. */
  #halt(error: SpoolwayError, waitMs: number): void {
    this.#queue.pause();
    if (error.fate !== "rate_limited") return this.#sessionEnds?.(error);
    clearTimeout(this.#rateLimitTimer);
    this.#rateLimitTimer = setTimeout(
      () => {
        this.#rateLimitTimer = undefined;
        if (this.#port !== undefined) this.#queue.start();
      },
      Math.min(waitMs, 2 ** 31 - 1),
    );
  }
}

/** How long a retry still waits: until its time, but never longer than the pause that it was given. The clock may have been set back meanwhile, by a day. */
function remainingMs(dueMs: number, { history }: Accepted): number {
  const pauseMs = dueMs - Date.parse(history.at(-1)?.ended_at ?? "");
  const leftMs = dueMs - Date.now();
  return Number.isNaN(pauseMs) ? leftMs : Math.min(leftMs, pauseMs);
}
