// When an ended connector is started again. One policy per connector; it remembers its crashes.
//
//   exited unasked (also with 0)  crash       backoff; too many within a while: parked
//   exit 100                      permanent   no restart until a person acts
//   exit 111                      temporary   backoff, never parked: the connector itself says that it will pass
//
// Backoff is full jitter from backoffBaseMs, doubling up to backoffMaxMs. Crashes are forgotten only after healthyAfterMs of uninterrupted health
// AND one success, so that a connector which dies every five minutes does not count as healthy in between. A parked connector gets
// one try after parkForMs: one more crash parks it again. All times are the caller's monotonic milliseconds.
import type { Heartbeat } from "../../schema/types.ts";
import type { SupervisorSettings } from "../config/model.ts";
import { exitCode } from "../errors.ts";
import { backoffMs } from "../timing.ts";

export type ExitKind = "crash" | "permanent" | "temporary";

/** What the end of a process that nobody asked to end means. */
export function exitKind(code: number | null): ExitKind {
  if (code === exitCode.permanent) return "permanent";
  return code === exitCode.temporary ? "temporary" : "crash";
}

export type Verdict = { next: "permanent" } | { next: "retry" | "park"; delayMs: number };

export class RestartPolicy {
  private readonly settings: () => SupervisorSettings;
  /** Unasked ends in a row; the backoff's exponent. */
  private failures = 0;
  /** When it crashed, newest last; at most parkCrashes of them. */
  private crashes: number[] = [];
  private onProbation = false;
  private healthySinceMs: number | undefined;
  private firstBeat: Heartbeat | undefined;
  private succeeded = false;

  constructor(settings: () => SupervisorSettings) {
    this.settings = settings;
  }

  /** A new process: health begins anew. */
  started(): void {
    this.healthySinceMs = undefined;
    this.firstBeat = undefined;
    this.succeeded = false;
  }

  /** A heartbeat of the present process. */
  beat(nowMs: number, beat: Heartbeat): void {
    this.firstBeat ??= beat;
    this.succeeded ||= grew(this.firstBeat, beat);
    if (beat.state !== "live") this.healthySinceMs = undefined;
    else this.healthySinceMs ??= nowMs;
    const healthyMs = this.healthySinceMs === undefined ? 0 : nowMs - this.healthySinceMs;
    if (this.succeeded && healthyMs >= this.settings().healthyAfterMs) this.forgive();
  }

  /** An unasked end; returns what follows, and after how many milliseconds. */
  exited(nowMs: number, kind: ExitKind): Verdict {
    if (kind === "permanent") return { next: "permanent" };
    const { parkCrashes, parkWithinMs, parkForMs, backoffBaseMs, backoffMaxMs } = this.settings();
    this.failures += 1;
    if (kind === "crash") {
      this.crashes = [...this.crashes, nowMs].slice(-parkCrashes);
      const oldest = this.crashes[0] ?? nowMs;
      const tooMany = this.crashes.length >= parkCrashes && nowMs - oldest <= parkWithinMs;
      if (tooMany || this.onProbation) {
        this.crashes = [];
        this.onProbation = true;
        return { next: "park", delayMs: parkForMs };
      }
    }
    return { next: "retry", delayMs: backoffMs(this.failures, backoffBaseMs, backoffMaxMs) };
  }

  /** Forgets every crash: it was healthy for long enough, or a person acted. */
  forgive(): void {
    this.failures = 0;
    this.crashes = [];
    this.onProbation = false;
  }
}

/** One success: something was received, sent, synced or probed since the first beat of this process. */
function grew(first: Heartbeat, now: Heartbeat): boolean {
  return (
    (now.received ?? 0) > (first.received ?? 0) ||
    (now.sent ?? 0) > (first.sent ?? 0) ||
    now.last_probe_ok_at !== first.last_probe_ok_at ||
    now.last_sync_at !== first.last_sync_at
  );
}
