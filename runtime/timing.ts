// Time: abortable sleep, backoff, durations.
import { setTimeout as delay } from "node:timers/promises";
import { SpoolwayError } from "./errors.ts";

/** Resolves after `ms`, or at once when the signal aborts: never rejects. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return;
  try {
    await delay(ms, undefined, signal ? { signal } : {});
  } catch (error) {
    if ((error as Error).name !== "AbortError") throw error;
  }
}

/** Resolves when one of these has, or after `ms`; leaves no timer behind. Rejects as the first of them does. */
export async function within(ms: number, ...promises: Array<Promise<unknown>>): Promise<void> {
  const timer = new AbortController();
  await Promise.race([...promises, sleep(ms, timer.signal)]).finally(() => timer.abort());
}

/** Full-jitter backoff: a random time up to min(max, base * 2^(attempt-1)). Source: AWS, "Exponential Backoff And Jitter". */
export function backoffMs(attempt: number, baseMs: number, maxMs: number): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(30, Math.max(0, attempt - 1)));
  // Never below a tenth of the ceiling: a zero wait after a failure would be a busy loop.
  return Math.round(ceiling * (0.1 + 0.9 * Math.random()));
}

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** "500ms", "10s", "5m", "2h", "7d" in milliseconds. Throws `usage` otherwise. */
export function parseDuration(text: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)$/.exec(text);
  if (!match) {
    throw new SpoolwayError("usage", `not a duration: ${JSON.stringify(text)}`, {
      hint: "Write 500ms, 10s, 5m, 2h or 7d.",
    });
  }
  return Number(match[1]) * unitMs[match[2] as keyof typeof unitMs];
}
