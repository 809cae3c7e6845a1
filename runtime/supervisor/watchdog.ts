// Tells a connector that works from one that hangs or swells. One watchdog per process.
//
// It counts how long the heartbeat's `seq` has stood still, on the supervisor's own monotonic clock: no wall time and no mtime takes part, so
// a clock that is set or a copied file cannot kill anybody. Only time in which the supervisor itself was looking counts: when its own
// checks have a gap (SIGSTOP, a sleeping laptop, a stuck disk), the gap counts as one interval, and nobody is killed for it.
import { readFileSync } from "node:fs";
import type { SupervisorSettings } from "../config/model.ts";
import { errnoOf } from "../errors.ts";

/** How often check() is called, in ms. */
export const checkIntervalMs = 1000;

export class Watchdog {
  private readonly settings: () => SupervisorSettings;
  private seq: number | undefined;
  /** A new beat came since the last check. */
  private fresh = false;
  private stillMs = 0;
  private checkedAtMs: number;

  constructor(settings: () => SupervisorSettings, nowMs: number) {
    this.settings = settings;
    this.checkedAtMs = nowMs;
  }

  /** Notes a heartbeat of this process. Returns whether it is a new one. */
  beat(seq: number): boolean {
    if (seq === this.seq) return false;
    this.seq = seq;
    this.fresh = true;
    return true;
  }

  /** Call it every checkIntervalMs, after the heartbeat was read. True: no sign of life for too long. */
  check(nowMs: number): boolean {
    const gapMs = nowMs - this.checkedAtMs;
    this.checkedAtMs = nowMs;
    this.stillMs = this.fresh ? 0 : this.stillMs + (gapMs > 2 * checkIntervalMs ? checkIntervalMs : gapMs);
    this.fresh = false;
    return this.stillMs > this.patienceMs();
  }

  /** How long it may be silent now: longer before its first beat. */
  patienceMs(): number {
    const { startGraceMs, watchdogMs } = this.settings();
    return this.seq === undefined ? startGraceMs : watchdogMs;
  }
}

/**
 * Resident bytes of a process as the kernel counts them; undefined where there is no /proc or the process is gone. Asked beside the heartbeat's
 * rss_bytes, because a process that leaks in a tight loop does not beat. (VmRSS, not statm: that one counts in pages, whose size differs.)
 */
export function residentBytes(pid: number): number | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return match ? Number(match[1]) * 1024 : undefined;
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES", "EPERM"].includes(errnoOf(error) ?? "")) return undefined;
    throw error;
  }
}
