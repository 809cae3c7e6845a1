// Messages that wait for their not_before, by wall clock, in bounded memory with any number of them. One timer, at most half a minute long, so that a clock that is set does not
// matter.
//
// The folder retry/ is the truth; its names begin with the date. In memory are the soonest `pageEntries` (a page) and of all others a hash of the id, which tells whether a
// drop with this id might be a repetition. When the page is used up the folder is read for the next.
import { namesIn } from "../spool/disk.ts";
import { parseRetryName } from "../spool/names.ts";
import type { RetryEntry } from "../spool/recover.ts";
import { IdSet } from "./id-set.ts";

const lookMaxMs = 30_000;
const readAgainMs = 5000;
const locatedMax = 1000;

/** What bounds the memory; without it everything is held. */
export interface Paging {
  /** retry/<name> */
  folder: string;
  /** How many more may be due now: what is due lies in memory until it is sent. */
  room(): number;
  /** The folder could not be read; it is tried again. */
  failed(error: unknown): void;
  pageEntries?: number;
}

const pageEntriesDefault = 20_000;

export class Schedule {
  readonly #due: (entry: RetryEntry) => void;
  readonly #paging: Paging | undefined;
  readonly #pageEntries: number;
  #ids = new IdSet();
  /** Sorted by name, which is by date. */
  #page: RetryEntry[] = [];
  readonly #inPage = new Map<string, RetryEntry>();
  /** The last name of a page that does not hold all: what comes after it is on disk only. */
  #boundary: string | undefined;
  /** What was asked for by its id and is in no page. */
  readonly #located = new Map<string, RetryEntry>();
  /** Added while the folder is read: the reading may have passed its place. */
  #late: RetryEntry[] | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** `due` is called with what has come to its time. */
  constructor(due: (entry: RetryEntry) => void, paging?: Paging) {
    this.#due = due;
    this.#paging = paging;
    this.#pageEntries = paging === undefined ? Infinity : (paging.pageEntries ?? pageEntriesDefault);
  }

  get size(): number {
    return this.#ids.size;
  }

  /** Whether a message with this id waits; by its hash. */
  has(id: string): boolean {
    return this.#ids.has(id);
  }

  /** The entry, where it is in memory: see locate(). */
  get(id: string): RetryEntry | undefined {
    return this.#inPage.get(id) ?? this.#located.get(id);
  }

  /** Finds the entry on disk, so that get() knows it. Resolves at once where there is none, or get() knows it already. */
  async locate(id: string): Promise<void> {
    if (this.#paging === undefined || !this.has(id) || this.get(id) !== undefined) return;
    for await (const names of namesIn(this.#paging.folder)) {
      for (const file of names) {
        const parsed = parseRetryName(file);
        if (parsed?.id !== id || this.#isClosed) continue;
        if (this.#located.size >= locatedMax) this.#located.clear();
        this.#located.set(id, { file, ...parsed });
        return;
      }
    }
    this.#ids.delete(id); // a person took it away
  }

  /** A person took the file away. */
  forget(id: string): void {
    this.#page = this.#page.filter((entry) => entry.id !== id);
    this.#remove(id);
  }

  /** At the start, before anything else: one that was found on disk. */
  load(entry: RetryEntry): void {
    this.#ids.add(entry.id);
    this.#offer(entry);
  }

  /** After the last load(). */
  start(): void {
    this.#settlePage();
    this.#look();
  }

  add(entry: RetryEntry): void {
    this.#ids.add(entry.id);
    if (this.#late !== undefined) this.#late.push(entry);
    else if (this.#insert(entry) === 0) this.#arm();
  }

  /** There may be room again. */
  wake(): void {
    if ((this.#page[0]?.dueMs ?? Infinity) <= Date.now()) this.#look();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#page = [];
  }

  /** Where in the page it was put; undefined where it is beyond it. */
  #insert(entry: RetryEntry): number | undefined {
    if (this.#boundary !== undefined && entry.file > this.#boundary) return undefined;
    let low = 0;
    let high = this.#page.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#page[middle] as RetryEntry).file <= entry.file) low = middle + 1;
      else high = middle;
    }
    this.#page.splice(low, 0, entry);
    this.#inPage.set(entry.id, entry);
    return low;
  }

  /** For the page that is being collected, in any order. */
  #offer(entry: RetryEntry): void {
    if (this.#boundary !== undefined && entry.file > this.#boundary) return;
    this.#page.push(entry);
    if (this.#page.length >= 2 * this.#pageEntries) this.#cut();
  }

  #cut(): void {
    this.#page.sort((a, b) => (a.file < b.file ? -1 : 1));
    if (this.#page.length <= this.#pageEntries) return;
    this.#page = this.#page.slice(0, this.#pageEntries);
    this.#boundary = this.#page.at(-1)?.file;
  }

  #settlePage(): void {
    this.#cut();
    this.#inPage.clear();
    for (const entry of this.#page) this.#inPage.set(entry.id, entry);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const [first] = this.#page;
    if (first === undefined || this.#isClosed) return;
    this.#timer = setTimeout(() => this.#look(), Math.min(lookMaxMs, Math.max(0, first.dueMs - Date.now())));
  }

  #look(): void {
    if (this.#late !== undefined || this.#isClosed) return;
    const now = Date.now();
    const room = this.#paging?.room() ?? Infinity;
    let count = 0;
    while (count < room && (this.#page[count]?.dueMs ?? Infinity) <= now) count += 1;
    if (!this.#giveOut(count)) return this.#armIn(readAgainMs);
    if (this.#page.length === 0 && this.#boundary !== undefined && this.#paging !== undefined)
      void this.#readPage(this.#paging);
    // Without room it is wake() that goes on.
    else if (room > count) this.#arm();
    else this.#armIn(lookMaxMs);
  }

  /** False when one could not be taken (no descriptors left, a disk error): it stays, with those behind it. */
  #giveOut(count: number): boolean {
    let done = 0;
    try {
      for (; done < count; done += 1) this.#due(this.#page[done] as RetryEntry);
      return true;
    } catch (error) {
      if (this.#paging === undefined) throw error;
      this.#paging.failed(error);
      return false;
    } finally {
      for (const { id } of this.#page.splice(0, done)) this.#remove(id);
    }
  }

  /** The soonest of those that still wait. */
  async #readPage({ folder, failed: say }: Paging): Promise<void> {
    this.#late = [];
    this.#boundary = undefined;
    let failed = false;
    try {
      for await (const names of namesIn(folder)) {
        for (const file of names) {
          const parsed = parseRetryName(file);
          // One that became due is not in #ids any more, nor is one that is tried: only its name is the same folder's.
          if (parsed !== undefined && this.#ids.has(parsed.id)) this.#offer({ file, ...parsed });
        }
      }
    } catch (error) {
      failed = true;
      say(error);
    }
    const late = this.#late;
    this.#late = undefined;
    this.#settlePage();
    for (const entry of late) if (!this.#inPage.has(entry.id)) this.#insert(entry);
    if (!failed) {
      if (this.#boundary === undefined) this.#forgetGhosts();
      return this.#look();
    }
    this.#page = [];
    this.#inPage.clear();
    this.#boundary = "";
    this.#armIn(readAgainMs);
  }

  /** Everything that waits is in the page now: other ids are of files that a person took away. */
  #forgetGhosts(): void {
    if (this.#ids.size <= this.#page.length) return;
    this.#ids = new IdSet();
    for (const entry of this.#page) this.#ids.add(entry.id);
  }

  #armIn(ms: number): void {
    clearTimeout(this.#timer);
    if (!this.#isClosed) this.#timer = setTimeout(() => this.#look(), ms);
  }

  #remove(id: string): void {
    this.#ids.delete(id);
    this.#inPage.delete(id);
    this.#located.delete(id);
  }
}
