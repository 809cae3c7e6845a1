// spoolway/sdk/lookups: what an id stands for (a user's name), asked once and remembered in bounded memory. An answer that fails is no obstacle: the event goes without it.

interface Entry<T> {
  found: Promise<T | undefined>;
  at: number;
}

/** Then what failed is asked for again. */
const failedKeepMs = 60_000;

export class Lookups<T> {
  readonly #find: (id: string) => Promise<T>;
  readonly #onFailure: (id: string, error: unknown) => void;
  readonly #max: number;
  readonly #keepMs: number;
  readonly #entries = new Map<string, Entry<T>>();

  /** `keepMs`: names change. */
  constructor(
    find: (id: string) => Promise<T>,
    onFailure: (id: string, error: unknown) => void = () => undefined,
    { max = 5000, keepMs = 3_600_000 } = {},
  ) {
    this.#find = find;
    this.#onFailure = onFailure;
    this.#max = max;
    this.#keepMs = keepMs;
  }

  /** Never rejects. */
  get(id: string): Promise<T | undefined> {
    const known = this.#entries.get(id);
    if (known !== undefined && performance.now() - known.at < this.#keepMs) return known.found;
    const entry: Entry<T> = { at: performance.now(), found: Promise.resolve(undefined) };
    entry.found = this.#find(id).catch((error: unknown) => {
      entry.at += failedKeepMs - this.#keepMs;
      this.#onFailure(id, error);
      return undefined;
    });
    this.#entries.delete(id);
    this.#entries.set(id, entry);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > this.#max && oldest !== undefined) this.#entries.delete(oldest);
    return entry.found;
  }
}
