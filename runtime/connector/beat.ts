// The heartbeat: heartbeat/<name>.json, rewritten every two seconds by the main loop. A loop that is stuck does not beat, and that is the point.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Heartbeat } from "../../schema/types.ts";
import { errnoOf, hintFor } from "../errors.ts";
import type { FromConnector } from "../ipc.ts";
import { reserveProblem } from "../spool/reserve.ts";
import type { DiskSpace } from "../spool/space.ts";
import { writeVolatile } from "../spool/volatile.ts";
import type { Logger } from "../sdk.ts";
import type { Status } from "./status.ts";

const everyMs = 2000;
/** Coarse, because each step wakes the process: 50 connectors must be idle when nothing happens. */
const delayResolutionMs = 250;

export interface Depths {
  outbox_depth: number;
  retry_depth: number;
  in_flight: number;
  unclaimed: number;
  /** ms since 1970 */
  oldestMs: number | undefined;
}

/** What a sandbox adds: its guest must be as alive as this process, and its memory counts. */
export interface Vital {
  isAlive(): boolean;
  rssBytes(): number;
}

export class Beat {
  readonly #path: string;
  readonly #fixed: Pick<Heartbeat, "version" | "name" | "type" | "pid" | "run_id">;
  readonly #status: Status;
  readonly #depths: () => Depths;
  readonly #space: DiskSpace;
  readonly #log: Logger;
  readonly #vital: Vital | undefined;
  readonly #delay = monitorEventLoopDelay({ resolution: delayResolutionMs });
  #seq = 0;
  /** Said once, not every two seconds. */
  #failing = false;
  /** What the disk lacks, as it was said last. */
  #lack: string | undefined;
  #reserveProblem: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    spool: string,
    name: string,
    type: string,
    status: Status,
    depths: () => Depths,
    space: DiskSpace,
    log: Logger,
    vital?: Vital,
  ) {
    this.#path = join(spool, "heartbeat", `${name}.json`);
    this.#fixed = {
      version: 1,
      name,
      type,
      pid: process.pid,
      run_id: `${process.pid}-${Math.round(performance.timeOrigin * 1000).toString(36)}`,
    };
    this.#status = status;
    this.#depths = depths;
    this.#space = space;
    this.#log = log;
    this.#vital = vital;
  }

  start(): void {
    this.#recall();
    this.#delay.enable();
    this.#timer = setInterval(() => this.now(), everyMs);
    this.now();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#delay.disable();
    this.now();
  }

  /** Beats now: after a change that people wait for. */
  now(): void {
    if (this.#vital?.isAlive() === false) return;
    this.#seq += 1;
    this.#lookAtDisk();
    const heartbeat = this.#heartbeat();
    try {
      writeVolatile(this.#path, `${JSON.stringify(heartbeat)}\n`);
      this.#failing = false;
    } catch (error) {
      // A full or broken disk. The supervisor would take us for hung; a restart repairs nothing.
      const problem = { code: "spool_write_failed", message: (error as Error).message };
      const alive: FromConnector = { type: "alive", heartbeat: { error: problem, ...heartbeat } };
      if (process.connected) process.send?.(alive, () => undefined);
      if (!this.#failing) this.#log.error("heartbeat.failed", { error });
      this.#failing = true;
    }
  }

  /** Not only when an event is refused: people should know before. */
  #lookAtDisk(): void {
    let lack: string | undefined;
    try {
      lack = this.#space.shortage();
    } catch (error) {
      lack = (error as Error).message;
    }
    if (lack !== undefined && this.#lack === undefined)
      this.#log.error("spool.full", { code: "spool_full", message: lack });
    if (lack === undefined && this.#lack !== undefined) this.#log.info("spool.has_room");
    this.#lack = lack;
    const problem = reserveProblem()?.message;
    if (problem !== undefined && problem !== this.#reserveProblem)
      this.#log.warn("reserve.incomplete", { message: problem });
    this.#reserveProblem = problem;
  }

  /** A restart does not make people forget when the connector last heard or said something. */
  #recall(): void {
    try {
      const last = JSON.parse(readFileSync(this.#path, "utf8")) as Partial<Heartbeat>;
      if (typeof last.last_received_at === "string") this.#status.lastReceivedAt ??= last.last_received_at;
      if (typeof last.last_sent_at === "string") this.#status.lastSentAt ??= last.last_sent_at;
    } catch (error) {
      // The first start, or a file that somebody broke: there is nothing to recall.
      if (!(error instanceof SyntaxError) && errnoOf(error) !== "ENOENT") throw error;
    }
  }

  #heartbeat(): Heartbeat {
    const status = this.#status;
    const { oldestMs, ...depths } = this.#depths();
    const lack = this.#lack === undefined ? undefined : { code: "spool_full", message: this.#lack };
    const delayMs = Math.max(0, this.#delay.max / 1e6 - delayResolutionMs);
    this.#delay.reset();
    return {
      ...this.#fixed,
      seq: this.#seq,
      beat_at: new Date().toISOString(),
      state: status.state,
      // About receiving: nothing is received while there is no room for it.
      liveness: lack === undefined || status.liveness === "offline" ? status.liveness : "failing",
      ...present({
        last_received_at: status.lastReceivedAt,
        last_sent_at: status.lastSentAt,
        last_probe_ok_at: status.lastProbeOkAt,
        last_sync_at: status.lastSyncAt,
      }),
      received: status.received,
      sent: status.sent,
      failed: status.failed,
      retried: status.retried,
      refused: status.refused,
      duplicates: status.duplicates,
      ...depths,
      oldest_waiting_s:
        oldestMs === undefined ? 0 : Math.max(0, Math.round((Date.now() - oldestMs) / 100) / 10),
      event_loop_delay_ms: Math.round(delayMs * 10) / 10,
      rss_bytes: ownRssBytes() + (this.#vital?.rssBytes() ?? 0),
      ...present({
        error: status.error ?? lack,
        user_action: status.userAction ?? (lack === undefined ? undefined : hintFor("spool_full")),
      }),
    };
  }
}

let lastRssBytes = 0;

/** Memory in use; what it was last where no descriptor is left to ask the kernel with. */
function ownRssBytes(): number {
  try {
    lastRssBytes = process.memoryUsage.rss();
  } catch (error) {
    if (!["EMFILE", "ENFILE"].includes(errnoOf(error) ?? "")) throw error;
  }
  return lastRssBytes;
}

/** Without the keys whose value is undefined. */
function present<T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };
}
