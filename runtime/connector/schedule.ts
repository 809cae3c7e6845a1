// Messages that wait for their not_before, by wall clock. One timer, at most half a minute long, so that a clock that is set does not matter.
import type { RetryEntry } from "../spool/recover.ts";

const lookMaxMs = 30_000;

export class Schedule {
  readonly #due: (entry: RetryEntry) => void;
  /** Sorted by dueMs. */
  #entries: RetryEntry[] = [];
  readonly #byId = new Map<string, RetryEntry>();
  #timer: NodeJS.Timeout | undefined;

  constructor(due: (entry: RetryEntry) => void) {
    this.#due = due;
  }

  get size(): number {
    return this.#entries.length;
  }

  get(id: string): RetryEntry | undefined {
    return this.#byId.get(id);
  }

  /** A person took the file away. */
  forget(id: string): void {
    this.#entries = this.#entries.filter((entry) => entry.id !== id);
    this.#byId.delete(id);
  }

  add(entry: RetryEntry): void {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#entries[middle] as RetryEntry).dueMs <= entry.dueMs) low = middle + 1;
      else high = middle;
    }
    this.#entries.splice(low, 0, entry);
    this.#byId.set(entry.id, entry);
    if (low === 0) this.#arm();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#entries = [];
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const [first] = this.#entries;
    if (first === undefined) return;
    this.#timer = setTimeout(() => this.#look(), Math.min(lookMaxMs, Math.max(0, first.dueMs - Date.now())));
  }

  #look(): void {
    const now = Date.now();
    let count = 0;
    while ((this.#entries[count]?.dueMs ?? Infinity) <= now) count += 1;
    for (const entry of this.#entries.splice(0, count)) {
      this.#byId.delete(entry.id);
      this.#due(entry);
    }
    this.#arm();
  }
}
