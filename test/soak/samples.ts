// What processes hold, sampled over time, and whether it stays flat: resident memory, open descriptors, inotify watches. Linux only (/proc).
import { readdirSync, readFileSync } from "node:fs";

export interface Held {
  rssMb: number;
  descriptors: number;
  watches: number;
}
export type Measure = keyof Held;

/** How much more the last quarter may have than the first: a part of it, and so much on top. Medians, so that a process in its first moments does not count. */
const allowed: Record<Measure, { factor: number; plus: number }> = {
  rssMb: { factor: 1.15, plus: 10 },
  descriptors: { factor: 1, plus: 3 },
  watches: { factor: 1, plus: 1 },
};

/** A run of less has no quarters that could be compared: caches and heaps are still growing. */
const judgedFromMs = 5 * 60_000;
/** Left out at the start: this part of the run, and at most two minutes. */
const warmUp = { part: 0.1, maxMs: 120_000 };

export interface Flatness {
  process: string;
  measure: Measure;
  /** Medians of the first and of the last quarter. */
  first: number;
  last: number;
  max: number;
  slopePerHour: number;
  /** What `last` may be at most. */
  limit: number;
  /** Undefined: the run was too short to say. */
  flat: boolean | undefined;
}

export interface Sample extends Held {
  atMs: number;
}

export class Samples {
  private readonly rows = new Map<string, Sample[]>();
  private readonly startedMs = performance.now();

  /** Takes a sample of what runs as `process` now; nothing when it is between two lives. */
  take(process: string, pid: number | undefined): void {
    const held = pid === undefined ? undefined : heldBy(pid);
    if (held === undefined) return;
    let rows = this.rows.get(process);
    if (rows === undefined) this.rows.set(process, (rows = []));
    rows.push({ ...held, atMs: performance.now() - this.startedMs });
  }

  judge(): Flatness[] {
    return flatness(this.rows);
  }
}

/** Compares the first and the last quarter of each process's samples. */
export function flatness(samples: ReadonlyMap<string, readonly Sample[]>): Flatness[] {
  const totalMs = Math.max(0, ...[...samples.values()].map((rows) => rows.at(-1)?.atMs ?? 0));
  const fromMs = Math.min(totalMs * warmUp.part, warmUp.maxMs);
  const quarterMs = (totalMs - fromMs) / 4;
  return [...samples].flatMap(([process, all]) => {
    const rows = all.filter(({ atMs }) => atMs >= fromMs);
    const first = rows.filter(({ atMs }) => atMs < fromMs + quarterMs);
    const last = rows.filter(({ atMs }) => atMs >= totalMs - quarterMs);
    return (Object.keys(allowed) as Measure[]).map((measure): Flatness => {
      const before = median(first.map((row) => row[measure]));
      const after = median(last.map((row) => row[measure]));
      const limit = before * allowed[measure].factor + allowed[measure].plus;
      return {
        process,
        measure,
        first: before,
        last: after,
        max: Math.max(...rows.map((row) => row[measure])),
        slopePerHour: slope(rows.map((row) => [row.atMs / 3_600_000, row[measure]])),
        limit,
        flat: totalMs < judgedFromMs ? undefined : after <= limit,
      };
    });
  });
}

function heldBy(pid: number): Held | undefined {
  try {
    const rssKb = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    if (rssKb === undefined) return undefined; // it has ended and waits to be reaped
    const descriptors = readdirSync(`/proc/${pid}/fd`);
    const watches = descriptors.map((fd) => watchesOf(pid, fd)).reduce((sum, count) => sum + count, 0);
    return { rssMb: Number(rssKb) / 1024, descriptors: descriptors.length, watches };
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined; // it has just ended
    throw error;
  }
}

/** An inotify descriptor has one line for each watch. */
function watchesOf(pid: number, fd: string): number {
  try {
    return readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8").match(/^inotify /gm)?.length ?? 0;
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return 0; // closed meanwhile
    throw error;
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

/** Least squares. */
function slope(points: ReadonlyArray<readonly [number, number]>): number {
  const mean = (at: 0 | 1) => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const over = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  const under = points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
  return under === 0 ? 0 : over / under;
}
