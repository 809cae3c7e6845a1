// Waiting for something that another process does: polls, because files and foreign processes send no events.
import { setTimeout as delay } from "node:timers/promises";

export interface WaitOptions {
  /** Default 25 s: generous, since a test machine may be busy. A passing wait costs only as long as the thing takes. */
  timeoutMs?: number;
  /** What was waited for, for the error; a function is asked at the end, when it can say what was there instead. */
  message?: string | (() => string | Promise<string>);
  everyMs?: number;
}

type Found<T> = Exclude<T, undefined | null | false>;

/**
 * Polls `check` until it gives something (not undefined, null or false) and resolves with that. A throw counts as "not yet"; the last one is in the error.
 */
export async function waitFor<T>(check: () => T | Promise<T>, options: WaitOptions = {}): Promise<Found<T>> {
  const { timeoutMs = 25_000, everyMs = 20 } = options;
  const deadline = performance.now() + timeoutMs;
  let lastError: unknown;
  for (;;) {
    try {
      const value = await check();
      if (value !== undefined && value !== null && value !== false) return value as Found<T>;
      lastError = undefined;
    } catch (error) {
      if (error instanceof GiveUp) throw error;
      lastError = error;
    }
    if (performance.now() > deadline) break;
    await delay(everyMs);
  }
  const what = typeof options.message === "function" ? await options.message() : options.message;
  throw new Error(`waited ${timeoutMs} ms for ${what ?? "a condition"}`, { cause: lastError });
}

/** Thrown by a check: what is waited for can never come. */
export class GiveUp extends Error {}

/** Holds when `check` stays true for all of `forMs`: for things that must not happen. */
export async function staysTrue(
  check: () => boolean | Promise<boolean>,
  forMs: number,
  message: string,
): Promise<void> {
  const deadline = performance.now() + forMs;
  while (performance.now() < deadline) {
    if (!(await check())) throw new Error(`did not stay so: ${message}`);
    await delay(50);
  }
}
