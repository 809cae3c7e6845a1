// One session: looks into the folder again and again, and makes an event of each file that is complete.
//
//   found ──changes──▶ found ──unchanged for `settle`, or a JSON object that parses──▶ delivered ──▶ away
//     └ a link, a pipe, unreadable, no JSON, refused by the runtime ──▶ .failed/
import { type FSWatcher, statSync, watch } from "node:fs";
import { type Context, parseDuration, sleep } from "spoolway/sdk";
import { Handler } from "./handler.ts";
import { isJson, same } from "./intake.ts";
import { type FolderConfig, gone } from "./place.ts";
import { type Entry, scan } from "./scan.ts";

const scanMs = 2000;
const coalesceMs = 20;
const atOnce = 32;

interface Waiting {
  signature: string[];
  since: number;
  /** JSON that was read once and is no whole object: it is read again only when it has settled. */
  read: boolean;
}

export class Watcher {
  readonly #root: string;
  readonly #ctx: Context<FolderConfig>;
  readonly #settleMs: number;
  readonly #handler: Handler;
  /** Since when (performance.now()) a file has looked like this: time is measured here, a file's own times can be anything. */
  #waiting = new Map<string, Waiting>();
  readonly #unreachable = new Set<string>();
  #watch: FSWatcher | undefined;
  #watchedInode: number | undefined;
  #hint: () => void = () => undefined;

  constructor(root: string, ctx: Context<FolderConfig>) {
    this.#root = root;
    this.#ctx = ctx;
    this.#settleMs = parseDuration(ctx.config.settle);
    this.#handler = new Handler(root, ctx);
  }

  /** Until the session ends. Throws when the folder is gone or an event could not be written. */
  async run(): Promise<void> {
    const { signal } = this.#ctx;
    while (!signal.aborted) {
      const hinted = new Promise<void>((resolve) => (this.#hint = resolve));
      this.#rewatch();
      const begun = performance.now();
      const dueMs = await this.#pass();
      const passMs = performance.now() - begun;
      const timer = new AbortController();
      await Promise.race([hinted, sleep(Math.min(scanMs, dueMs), AbortSignal.any([signal, timer.signal]))]);
      timer.abort();
      // Several changes are one look, and looking never takes more than half of the time.
      await sleep(Math.max(coalesceMs, passMs), signal);
    }
  }

  close(): void {
    this.#watch?.close();
    this.#watch = undefined;
  }

  /** One look; returns the milliseconds until the next file can have settled. */
  async #pass(): Promise<number> {
    const entries = await this.#scan();
    const waiting = new Map<string, Waiting>();
    let dueMs = Infinity;
    const window: Array<Promise<void>> = [];
    try {
      for (const entry of entries) {
        if (this.#ctx.signal.aborted) break;
        const before = this.#waiting.get(entry.name);
        const now = performance.now();
        const known = before !== undefined && same(before.signature, entry.signature) ? before : undefined;
        const since = known?.since ?? now;
        const leftMs = this.#settleMs - (now - since);
        const early = isJson(entry) && entry.refusal === undefined && known?.read !== true;
        if (leftMs > 0 && !early) {
          waiting.set(entry.name, { signature: entry.signature, since, read: known?.read ?? false });
          dueMs = Math.min(dueMs, leftMs);
          continue;
        }
        // Files with bytes to stream go one by one: nothing may overtake them.
        if (!isJson(entry) || window.length >= atOnce) await finish(window.splice(0));
        const taken = await this.#handler.take(entry, leftMs <= 0);
        if (taken === "later") {
          waiting.set(entry.name, { signature: entry.signature, since, read: true });
          dueMs = Math.min(dueMs, Math.max(leftMs, coalesceMs));
        } else if (taken !== undefined) window.push(taken.done);
      }
    } finally {
      await finish(window.splice(0));
    }
    this.#waiting = waiting;
    return dueMs;
  }

  async #scan(): Promise<Entry[]> {
    const seen = new Set<string>();
    const isHandled = (entry: Entry): boolean => {
      seen.add(entry.name);
      return this.#handler.isHandled(entry);
    };
    const { recursive, pattern } = this.#ctx.config;
    const options = {
      recursive,
      pattern,
      changeTime: this.#handler.changeTime,
      isHandled,
      onUnreachable: (name: string) => {
        if (this.#unreachable.has(name)) return;
        this.#unreachable.add(name);
        this.#ctx.log.warn("file.unreachable", { file: name, hint: "Its name is no UTF-8. Rename it." });
      },
    };
    try {
      const { entries, complete } = await scan(this.#root, options);
      if (complete) await this.#handler.forget(seen);
      return entries;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw code === "ENOENT" || code === "ENOTDIR" ? gone(this.#root) : error;
    }
  }

  /** A watch follows the inode: a folder that was replaced needs a new one. Without a watch the scan alone does it, a little later. */
  #rewatch(): void {
    const inode = statSync(this.#root, { throwIfNoEntry: false })?.ino;
    if (inode === this.#watchedInode) return;
    this.close();
    this.#watchedInode = inode;
    if (inode === undefined) return;
    try {
      this.#watch = watch(this.#root, { persistent: false }, () => this.#hint());
      this.#watch.on("error", () => this.close());
    } catch (error) {
      this.#ctx.log.info("watch.unavailable", { error: (error as Error).message, scan_ms: scanMs });
    }
  }
}

/** Waits for all, also when one fails; then throws the first failure. */
async function finish(window: Array<Promise<void>>): Promise<void> {
  const failed = (await Promise.allSettled(window)).find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
