// Waiting for files of others: a directory watch as a hint, a look every now and then as the truth.
import { type FSWatcher, watch } from "node:fs";
import { errnoOf } from "../errors.ts";
import { sleep } from "../timing.ts";

/** Calls `changed` with the name that changed in `folder`, where the system tells. Silent where the folder cannot be watched. */
export function hintOf(folder: string, changed: (name: string | undefined) => void): { close(): void } {
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(folder, (_kind, name) => changed(name ?? undefined));
    // The looks go on without it.
    watcher.on("error", () => watcher?.close());
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
  return { close: () => watcher?.close() };
}

/** Resolves with what `look` finds, or with undefined after `timeoutMs`. Looks every `everyMs`, and when something changes in one of the folders. */
export async function waitUntil<T>(
  look: () => T | undefined,
  timeoutMs: number,
  options: { folders?: readonly string[]; everyMs?: number } = {},
): Promise<T | undefined> {
  const { folders = [], everyMs = 100 } = options;
  const deadline = performance.now() + timeoutMs;
  let hint = new AbortController();
  const hints = folders.map((folder) => hintOf(folder, () => hint.abort()));
  try {
    for (;;) {
      hint = new AbortController();
      const found = look();
      if (found !== undefined) return found;
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return undefined;
      await sleep(Math.min(everyMs, leftMs), hint.signal);
    }
  } finally {
    for (const { close } of hints) close();
  }
}

/** Aborts at Ctrl-C or SIGTERM, so that a command can end in good order; a second one ends the process as usual. */
export function untilAsked(): { signal: AbortSignal; asked: () => NodeJS.Signals | undefined; done(): void } {
  const controller = new AbortController();
  let by: NodeJS.Signals | undefined;
  const stop = (signal: NodeJS.Signals): void => {
    by = signal;
    done();
    controller.abort();
  };
  const done = (): void => {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  return { signal: controller.signal, asked: () => by, done };
}
