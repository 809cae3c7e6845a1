// spoolway/sdk/wall-clock: waiting for a time of day. The wall clock may be set, and a machine may sleep, which timers do not notice; so one never sleeps for
// long, and looks at the clock again:
//
//   while (!signal.aborted) {
//     …what is due now; what a clock that was set has changed…
//     await sleepTowards(nextAt, signal);
//   }
import { sleep } from "../timing.ts";

/** A clock that was set and a machine that slept are noticed within this time. Far below what a timer can hold (24.8 days). */
const maxStepMs = 30_000;

/** Resolves when the clock shows `at` (ms since 1970; Infinity: never), but after `maxMs` at the latest, and at once when the signal aborts. Never rejects. */
export async function sleepTowards(at: number, signal?: AbortSignal, maxMs = maxStepMs): Promise<void> {
  // At least a millisecond, so that a loop around a time in the past lets others run.
  await sleep(Math.max(1, Math.min(maxMs, at - Date.now())), signal);
}
