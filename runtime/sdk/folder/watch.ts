// spoolway/sdk/folder/watch: files that people and programs put into a folder, each handed over once it is complete, in the order of their times. Complete is what has not changed
// for a settle time, or what its taker says is whole.
//
//   found ──changes──▶ found ──settled──▶ take ──"gone"──▶ forgotten
//             ▲          └─early──▶ take ─┤ └─"stays"──▶ not shown again before it changes
//             └───────────"later"─────────┘
import { type FSWatcher, statSync, watch } from "node:fs";
import { errnoOf } from "../../errors.ts";
import { type Context, reconnect, sleep } from "../../sdk.ts";
import { type Entry, scan } from "./scan.ts";

const scanMs = 2000;
const coalesceMs = 20;
const atOnce = 32;

/** What became of a file: it is away (or to be looked at anew), it is done with and still there, or it is not whole yet. */
export type Outcome = "gone" | "stays" | "later";

/**
 * An outcome, or how to come to it: that is called at once, and the next file is taken while it runs, up to 32 of them. Events of small files that are delivered there keep their
 * order and share a commit.
 */
export type Taken = Outcome | (() => Promise<Outcome>);

export interface FolderWatchOptions {
  recursive: boolean;
  pattern: string | undefined;
  /** How long a file must not have changed. */
  settleMs: number;
  /** Whether a change of mode, owner or links makes it another file; see signatureOf. */
  changeTime: boolean;
  /** Whether a file is shown before it has settled, because its content says whether it is whole; after "later", again when it changes or has settled. */
  early(entry: Entry): boolean;
  /** Takes one file after the other; `settled` is false where it came early. entry.refusal says why it must not be opened. A throw ends the watch. */
  take(entry: Entry, settled: boolean): Promise<Taken>;
  /** A file that stayed is not there any more. */
  forget(name: string): Promise<void>;
}

interface Waiting {
  signature: string;
  /** performance.now(): time is measured here, a file's own times can be anything. */
  since: number;
  /** It came early and was not whole: it is shown again only when it has settled. */
  shown: boolean;
}

export class FolderWatch {
  readonly #root: string;
  readonly #ctx: Context;
  readonly #options: FolderWatchOptions;
  #waiting = new Map<string, Waiting>();
  /** Signatures of files that are done with and still there. */
  readonly #stayed = new Map<string, string>();
  readonly #unreachable = new Set<string>();
  #watch: FSWatcher | undefined;
  #watchedInode: number | undefined;
  #hint: () => void = () => undefined;

  constructor(root: string, ctx: Context, options: FolderWatchOptions) {
    this.#root = root;
    this.#ctx = ctx;
    this.#options = options;
  }

  /** Until ctx.signal aborts. Throws `reconnect` when the folder is gone, and what `take` throws. */
  async run(): Promise<void> {
    const { signal } = this.#ctx;
    try {
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
    } finally {
      this.#watch?.close();
    }
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
        const { signature, name } = entry;
        const now = performance.now();
        const before = this.#waiting.get(name);
        const known = before?.signature === signature ? before : { signature, since: now, shown: false };
        const leftMs = this.#options.settleMs - (now - known.since);
        const early = entry.refusal === undefined && this.#options.early(entry);
        if (leftMs > 0 && (!early || known.shown)) {
          waiting.set(name, known);
          dueMs = Math.min(dueMs, leftMs);
          continue;
        }
        // One that had to settle may be large: what is under way ends first, and nothing overtakes it.
        if (!early || window.length >= atOnce) await finish(window.splice(0));
        const taken = await this.#options.take(entry, leftMs <= 0);
        if (taken === "later") {
          waiting.set(name, { ...known, shown: true });
          dueMs = Math.min(dueMs, Math.max(leftMs, coalesceMs));
        } else {
          const ended = this.#end(entry, taken);
          ended.catch(() => undefined); // finish() throws it
          window.push(ended);
        }
      }
    } finally {
      await finish(window);
    }
    this.#waiting = waiting;
    return dueMs;
  }

  async #end({ name, signature }: Entry, taken: Taken): Promise<void> {
    const outcome = typeof taken === "function" ? await taken() : taken;
    if (outcome === "stays") this.#stayed.set(name, signature);
  }

  async #scan(): Promise<Entry[]> {
    const seen = new Set<string>();
    const isHandled = ({ name, signature }: Entry): boolean => {
      seen.add(name);
      return this.#stayed.get(name) === signature;
    };
    const onUnreachable = (name: string): void => {
      if (this.#unreachable.has(name)) return;
      this.#unreachable.add(name);
      this.#ctx.log.warn("file.unreachable", { file: name, hint: "Its name is no UTF-8. Rename it." });
    };
    try {
      const { entries, complete } = await scan(this.#root, { ...this.#options, isHandled, onUnreachable });
      for (const name of complete ? [...this.#stayed.keys()] : []) {
        if (seen.has(name)) continue;
        this.#stayed.delete(name);
        await this.#options.forget(name);
      }
      return entries;
    } catch (error) {
      const code = errnoOf(error) ?? "";
      if (!["ENOENT", "ENOTDIR"].includes(code)) throw error;
      throw folderGone(this.#root);
    }
  }

  /** A watch follows the inode: a folder that was replaced needs a new one. Without a watch the scan alone does it, a little later. */
  #rewatch(): void {
    const inode = statSync(this.#root, { throwIfNoEntry: false })?.ino;
    if (inode === this.#watchedInode) return;
    this.#watch?.close();
    this.#watch = undefined;
    this.#watchedInode = inode;
    if (inode === undefined) return;
    try {
      this.#watch = watch(this.#root, { persistent: false }, () => this.#hint());
      this.#watch.on("error", () => this.#watch?.close());
    } catch (error) {
      this.#ctx.log.info("watch.unavailable", { error: (error as Error).message, scan_ms: scanMs });
    }
  }
}

/** The error for a folder that was there and is not: its disk may be unmounted, and it may come back. */
export const folderGone = (root: string): Error =>
  reconnect(`the folder is gone: ${root}`, { hint: "Put it back, or mount its disk; it goes on by itself." });

/** Waits for all, also when one fails; then throws the first failure. */
async function finish(window: Array<Promise<void>>): Promise<void> {
  const failed = (await Promise.allSettled(window)).find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
