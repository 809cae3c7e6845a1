// Looking at the outbox: reads drops in order and gives each to its lane, refuses what is none, waits for what is unfinished.
//
//   backlog ──read──▶ message ─▶ lane     unfinished ─▶ looked at again until it parses or the settle time is over     refused ─▶ failed/
//
// A directory watch wakes it, a scan every few seconds is the truth. It reads only as far as lanes are wanted.
import { setImmediate as nextTurn } from "node:timers/promises";
import PQueue from "p-queue";
import type { ConnectorSettings } from "../config/model.ts";
import type { Logger } from "../sdk.ts";
import { Backlog, type WaitingDrop } from "../spool/backlog.ts";
import type { ReadMessage } from "../spool/drops.ts";
import { seemsIllegible } from "../spool/legible.ts";
import type { Outbox } from "../spool/outbox.ts";
import { type Refusal, refuseDrop } from "../spool/refuse.ts";
import { sleep } from "../timing.ts";
import type { Lane, Lanes } from "./lanes.ts";
import type { Status } from "./status.ts";

const scanEveryMs = 5000;
const scanUnwatchedMs = 1000;
const unfinishedLookMs = 250;
const refuseAgainMs = 10_000; // held so long, a full disk is not tried in a loop; then a scan finds it again
/** Only small drops at the head of a lane are kept in memory whole: a message that is sent at once is read once. */
const cachedBytesMax = 65_536;
const skipsPerTurn = 32;
const parkedMany = 5000;
const perLane = 500;

export interface LookerPort {
  /** How many more lanes should be made ready. */
  wanted(): number;
  /** True when so few lanes are ready that sending may stall. */
  isStarving(): boolean;
  ready(lane: Lane): void;
  /** Whether an accepted message has this id. */
  isTaken(id: string): boolean;
}

export class Looker {
  readonly backlog: Backlog;
  readonly #outbox: Outbox;
  readonly #lanes: Lanes;
  readonly #settings: ConnectorSettings;
  readonly #status: Status;
  readonly #log: Logger;
  readonly #port: LookerPort;
  readonly #closed = new AbortController();
  /** Files in lanes, being refused, or that cannot be moved: not to be looked at again before they are released. */
  readonly #held = new Set<string>();
  readonly #unfinished = new Map<string, { fingerprint: string; sinceMs: number }>();
  readonly #refusals = new PQueue({ concurrency: 8 });
  #hints = new Set<string>();
  #scanWanted = true;
  #rewindWanted = false;
  #watched = false;
  #lastScanAt = 0;
  /** On performance.now()'s clock. */
  #restUntil = 0;
  #wakeUp = Promise.withResolvers<void>();
  #running: Promise<void> = Promise.resolve();

  constructor(
    outbox: Outbox,
    lanes: Lanes,
    settings: ConnectorSettings,
    status: Status,
    log: Logger,
    port: LookerPort,
  ) {
    this.#outbox = outbox;
    this.#lanes = lanes;
    this.#settings = settings;
    this.#status = status;
    this.#log = log;
    this.#port = port;
    this.backlog = new Backlog(outbox.paths.outbox);
  }

  get held(): number {
    return this.#held.size + this.#unfinished.size;
  }

  /** Begins to watch and to look. */
  async start(): Promise<void> {
    this.#watch();
    if (!this.#watched)
      this.#log.warn("outbox.unwatched", {
        hint: "Raise fs.inotify.max_user_instances; drops are found within a second.",
      });
    this.#running = this.#run();
  }

  #watch(): void {
    this.#watched = this.backlog.watch((file) => this.#hint(file));
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.backlog.close();
    this.wake();
    await this.#running;
    await this.#refusals.onIdle();
  }

  /** Something changed: lanes became free. */
  wake(): void {
    this.#wakeUp.resolve();
  }

  /** A lane whose drops were skipped has room again. */
  lookAgain(): void {
    this.#rewindWanted = true;
    this.wake();
  }

  /** The file is nobody's any more; `again`: it is still there and has to be looked at. */
  release(file: string, again: boolean): void {
    this.#held.delete(file);
    if (again) this.#hint(file);
  }

  /** T7, in the background: bad drops do not hold up good ones. */
  async refuse(file: string, why: Refusal): Promise<void> {
    this.#held.add(file);
    this.#unfinished.delete(file);
    await this.#refusals.onSizeLessThan(1000);
    this.#refusals
      .add(async () => {
        const done = await refuseDrop(this.#outbox, file, why, (id) => this.#port.isTaken(id));
        // What cannot be moved stays held, so that it is not tried in a loop; a restart tries again.
        if (done !== "stays") this.#held.delete(file);
        if (done === "gone") return;
        this.#status.refused += 1;
        this.#log.warn("drop.refused", { id: why.id, file, code: why.code, error: why.error });
      })
      .catch((error: unknown) => {
        this.#log.error("drop.not_refused", { file, code: why.code, error });
        void sleep(refuseAgainMs, this.#closed.signal).then(() => this.#held.delete(file));
      });
  }

  #hint(file: string | undefined): void {
    if (file === undefined || seemsIllegible(file) || this.#hints.size > 10_000) this.#scanWanted = true;
    else if (!this.#held.has(file)) this.#hints.add(file);
    this.wake();
  }

  async #run(): Promise<void> {
    while (!this.#closed.signal.aborted) {
      this.#wakeUp = Promise.withResolvers();
      try {
        await this.#lookOnce();
      } catch (error) {
        this.#log.error("outbox.unreadable", { error });
        this.#scanWanted = true;
        await sleep(1000, this.#closed.signal);
      }
      await this.#wait();
    }
  }

  async #lookOnce(): Promise<void> {
    this.#takeHints();
    const everyMs = this.#watched ? Math.max(scanEveryMs, 50 * this.backlog.lastScanMs) : scanUnwatchedMs;
    const isStale = performance.now() - this.#lastScanAt > everyMs;
    if (this.#scanWanted || isStale || (this.backlog.isUsedUp && this.backlog.overflow)) await this.#scan();
    if (this.#rewindWanted && this.#port.isStarving()) this.#rewind();
    await this.#fill();
    // Everything in the page belongs to lanes that wait: others may lie beyond it.
    while (this.#lanes.active === 0 && this.backlog.overflow && !this.#closed.signal.aborted) {
      if (!(await this.backlog.extend((file) => this.#isHeld(file)))) break;
      await this.#fill();
    }
    await this.#lookAtUnfinished();
  }

  #takeHints(): void {
    const hints = this.#hints;
    this.#hints = new Set();
    for (const file of hints) {
      if (this.#held.has(file)) continue;
      this.#unfinished.delete(file);
      this.backlog.note(file);
    }
  }

  async #scan(): Promise<void> {
    this.#scanWanted = false;
    if (this.backlog.isReplaced) this.#watch();
    await this.backlog.scan((file) => this.#isHeld(file));
    this.#lastScanAt = performance.now();
    this.#lanes.clearOverflow();
    this.#rewindWanted = false;
  }

  #rewind(): void {
    this.#rewindWanted = false;
    this.#lanes.clearOverflow();
    this.backlog.rewind();
  }

  #isHeld(file: string): boolean {
    return this.#held.has(file) || this.#unfinished.has(file);
  }

  /**
   * Looks at drops until enough lanes are ready. Drops of lanes that are full are read to be skipped: while something is being sent, that takes at most a
   * fifth of the time, so that a message does not cost more because many wait.
   */
  async #fill(): Promise<void> {
    if (performance.now() < this.#restUntil && this.#lanes.active > 0) return;
    const began = performance.now();
    let skipped = 0;
    for (let count = 1; this.#port.wanted() > 0 && !this.#closed.signal.aborted; count += 1) {
      const waiting = this.backlog.next();
      if (waiting === undefined) return;
      const isKnown = waiting.lane !== undefined;
      await this.#look(waiting);
      if (!isKnown && waiting.lane !== undefined) skipped += 1;
      if (skipped >= skipsPerTurn && this.#lanes.active > 0) {
        this.#restUntil = performance.now() + 4 * (performance.now() - began);
        return;
      }
      if (count % 32 === 0) await nextTurn();
    }
  }

  async #look(waiting: WaitingDrop): Promise<void> {
    const { file } = waiting;
    if (this.#held.has(file)) return this.backlog.take();
    if (waiting.lane !== undefined && !this.#hasRoom(this.#lanes.get(waiting.lane))) return;
    const drop = this.#outbox.read(file);
    if (drop.kind === "message") return this.#park(waiting, drop);
    this.backlog.take();
    if (drop.kind === "refused") await this.refuse(file, drop);
    else if (drop.kind === "unfinished") this.#noteUnfinished(file, drop.fingerprint);
  }

  #park(waiting: WaitingDrop, drop: ReadMessage): void {
    const lane = this.#lanes.get(drop.entry.message.conversation_id);
    if (!this.#hasRoom(lane)) {
      waiting.lane = lane.key;
      return;
    }
    this.backlog.take();
    this.#held.add(waiting.file);
    const isNext = this.#lanes.isIdle(lane) && drop.bytes.length <= cachedBytesMax;
    this.#lanes.append(lane, {
      kind: "drop",
      file: waiting.file,
      mtimeMs: waiting.mtimeMs,
      priority: drop.entry.message.priority ?? 0,
      drop: isNext ? drop : undefined,
    });
    if (this.#lanes.isReady(lane)) this.#port.ready(lane);
  }

  /** A lane keeps some of its drops in memory, few when there are many lanes; the rest stays in the backlog, behind them. */
  #hasRoom(lane: Lane): boolean {
    if (!lane.overflowed && lane.items.length < (this.#lanes.parked < parkedMany ? perLane : 1)) return true;
    this.#lanes.markOverflowed(lane);
    return false;
  }

  #noteUnfinished(file: string, fingerprint: string): void {
    this.#unfinished.set(file, { fingerprint, sinceMs: performance.now() });
  }

  async #lookAtUnfinished(): Promise<void> {
    let count = 0;
    for (const [file, known] of this.#unfinished) {
      if (++count % 100 === 0) await nextTurn();
      const isDue = performance.now() - known.sinceMs >= this.#settings.settleMs;
      // There may be thousands: each is read when it changed, and once more before it is refused.
      if (!isDue && this.#outbox.isUnchanged(file, known.fingerprint)) continue;
      const drop = this.#outbox.read(file);
      if (drop.kind === "unfinished") {
        if (drop.fingerprint !== known.fingerprint) this.#noteUnfinished(file, drop.fingerprint);
        else if (isDue) await this.refuse(file, { ...drop, id: this.#outbox.idOf(file, drop.bytes) });
        continue;
      }
      this.#unfinished.delete(file);
      if (drop.kind === "refused") await this.refuse(file, drop);
      else if (drop.kind === "message") this.#hint(file);
    }
  }

  /** Until woken, or until it is time to scan or to look at what is unfinished. */
  async #wait(): Promise<void> {
    if (this.#hints.size > 0 || (this.#rewindWanted && this.#port.isStarving())) return nextTurn();
    const restMs = this.#restUntil - performance.now();
    const ms = Math.min(
      this.#unfinished.size > 0 ? unfinishedLookMs : this.#watched ? scanEveryMs : scanUnwatchedMs,
      restMs > 0 ? restMs : Infinity,
    );
    const timer = setTimeout(() => this.wake(), ms);
    await this.#wakeUp.promise;
    clearTimeout(timer);
  }
}
