// Figures: medians with their spread, and ratios of two things measured in turns (A B A B …), because machines are noisy and drift.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Row {
  what: string;
  figure: string;
  beside?: string;
  ratio?: string;
  aim?: string;
}

export const rows: Row[] = [];

export function report(row: Row): void {
  rows.push(row);
  const { what, figure, beside = "", ratio = "", aim = "" } = row;
  console.log(
    [what.padEnd(52), figure.padEnd(24), beside.padEnd(44), ratio.padEnd(24), aim].join(" ").trimEnd(),
  );
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? NaN;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** "0.85 (0.80–0.91)" */
export function spread(values: readonly number[], digits = 2): string {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return `${median(values).toFixed(digits)} (${low.toFixed(digits)}–${high.toFixed(digits)})`;
}

/** Runs both in turns, each time in a fresh folder; returns the figures of each and their ratios pair by pair. */
export async function inTurns(
  rounds: number,
  ours: (folder: string) => Promise<number>,
  bare: (folder: string) => Promise<number>,
): Promise<{ ours: number[]; bare: number[]; ratios: number[] }> {
  const result = { ours: [] as number[], bare: [] as number[], ratios: [] as number[] };
  for (let round = -1; round < rounds; round += 1) {
    const a = await inFolder(ours);
    const b = await inFolder(bare);
    if (round < 0) continue; // warm-up
    result.ours.push(a);
    result.bare.push(b);
    result.ratios.push(a / b);
  }
  return result;
}

export async function inFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(process.env.SPOOLWAY_BENCH_DIR ?? tmpdir(), "spoolway-bench-"));
  try {
    return await run(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
