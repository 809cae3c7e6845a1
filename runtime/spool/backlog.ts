// What waits in outbox/<name>/, oldest first, in bounded memory with any number of files.
//
// The folder is the truth and a scan reads it; a directory watch only hints. A scan keeps the oldest `pageEntries` (a page); what is younger stays on
// disk until the page is used up (`overflow`). Order: mtime, then name.
//
// A reader walks the page with next(): what it takes leaves the backlog, what it skips (its lane is blocked or full) stays, and rewind() walks again from
// the oldest entry that was skipped.
import type { FSWatcher } from "node:fs";
import { join } from "node:path";
import { errnoOf } from "../errors.ts";
import { namesIn } from "./disk.ts";
import { fs } from "./fs.ts";
import { makeLegible, seemsIllegible } from "./legible.ts";
import { isDropName } from "./names.ts";

export interface WaitingDrop {
  readonly file: string;
  readonly mtimeMs: number;
  /** Its lane, noted by a reader that skipped it, so that it is not read again to be skipped again. */
  lane?: string;
}

const before = (a: WaitingDrop, b: WaitingDrop): boolean =>
  a.mtimeMs === b.mtimeMs ? a.file < b.file : a.mtimeMs < b.mtimeMs;
const compare = (a: WaitingDrop, b: WaitingDrop): number => (before(a, b) ? -1 : 1);

/** The page grows by next pages only while everything in it is skipped; more than this is not held in memory. */
const maxEntries = 1_000_000;

export class Backlog {
  readonly #folder: string;
  readonly #pageEntries: number;
  /** Sorted; undefined where an entry was taken. */
  #page: Array<WaitingDrop | undefined> = [];
  /** Everything before it was taken. */
  #head = 0;
  /** What next() looks at next. */
  #cursor = 0;
  #taken = 0;
  /** The youngest entry of a page that did not hold all: what is younger is not in memory. */
  #boundary: WaitingDrop | undefined;
  /** Files that the last scan left on disk. */
  #beyond = 0;
  /** Hints that came while a scan was reading: it may have passed their place already. */
  #noted: string[] | undefined;
  #watcher: FSWatcher | undefined;
  #watchedInode = 0;
  /** Entries that are no drops: attachments, or drops with a wrong name. */
  unclaimed = 0;
  lastScanMs = 0;

  constructor(folder: string, pageEntries = 100_000) {
    this.#folder = folder;
    this.#pageEntries = pageEntries;
  }

  /** Files known to wait, without those that were taken. */
  get depth(): number {
    return this.#page.length - this.#taken + this.#beyond;
  }

  /** Whether there are more files on disk than in memory. */
  get overflow(): boolean {
    return this.#boundary !== undefined;
  }

  /** Whether every entry of the page was taken. */
  get isUsedUp(): boolean {
    return this.#taken === this.#page.length;
  }

  /** mtime of the oldest entry, in ms since 1970. */
  get oldestMs(): number | undefined {
    return this.#page[this.#head]?.mtimeMs;
  }

  /** The oldest entry that was not looked at since the last rewind; it stays until take() is called. */
  next(): WaitingDrop | undefined {
    while (this.#cursor < this.#page.length) {
      const entry = this.#page[this.#cursor];
      this.#cursor += 1;
      if (entry !== undefined) return entry;
    }
    return undefined;
  }

  /** Removes the entry that next() just returned. */
  take(): void {
    if (this.#page[this.#cursor - 1] === undefined) return;
    this.#page[this.#cursor - 1] = undefined;
    this.#taken += 1;
    while (this.#head < this.#page.length && this.#page[this.#head] === undefined) this.#head += 1;
    if (this.#head < 4096 || this.#head * 2 < this.#page.length) return;
    this.#page = this.#page.slice(this.#head);
    this.#cursor -= this.#head;
    this.#taken -= this.#head;
    this.#head = 0;
  }

  /** Looks again at what was skipped. */
  rewind(): void {
    this.#cursor = this.#head;
  }

  /** A file that a hint named. Nothing happens when it is gone or younger than a page that does not hold all. */
  note(file: string): void {
    if (!isDropName(file)) return;
    this.#noted?.push(file);
    const entry = this.#look(file);
    if (entry === undefined) return;
    if (this.#boundary !== undefined && before(this.#boundary, entry)) {
      this.#beyond += 1;
      return;
    }
    const at = this.#placeOf(entry);
    if (this.#page[at]?.file === file) return;
    this.#page.splice(at, 0, entry);
    // Behind the cursor it would not be looked at before a rewind.
    if (at < this.#cursor) this.#cursor = at;
  }

  /** Index of the first entry that is not before `entry`. Taken entries in between are passed over. */
  #placeOf(entry: WaitingDrop): number {
    let low = this.#head;
    let high = this.#page.length;
    while (low < high) {
      let middle = (low + high) >> 1;
      while (middle < high && this.#page[middle] === undefined) middle += 1;
      if (middle === high) high = (low + high) >> 1;
      else if (before(this.#page[middle] as WaitingDrop, entry)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Reads the folder anew. `isHeld` names what the reader took and still works on. */
  async scan(isHeld: (file: string) => boolean): Promise<void> {
    const began = performance.now();
    this.#noted = [];
    const { found, total, unclaimed, illegible } = await this.#read(isHeld, undefined);
    const legible = illegible ? makeLegible(this.#folder) : { renamed: [], stuck: 0 };
    this.#page = found;
    this.#head = 0;
    this.#cursor = 0;
    this.#taken = 0;
    this.#setRest(found, total);
    this.unclaimed = unclaimed + legible.stuck;
    // RACE: entries that appeared behind the reading position are in no page yet.
    const missed = [...this.#noted, ...legible.renamed];
    this.#noted = undefined;
    if (missed.length > 0) {
      const inPage = new Set(found.map((entry) => entry.file));
      for (const file of missed) if (!inPage.has(file) && !isHeld(file)) this.note(file);
    }
    this.lastScanMs = performance.now() - began;
  }

  /** Adds the next page to one of which everything is skipped. False when there is nothing to add, or no room. */
  async extend(isHeld: (file: string) => boolean): Promise<boolean> {
    if (this.#boundary === undefined || this.#page.length >= maxEntries) return false;
    const { found, total } = await this.#read(isHeld, this.#boundary);
    this.#page.push(...found);
    this.#setRest(found, total);
    return found.length > 0;
  }

  #setRest(found: WaitingDrop[], total: number): void {
    this.#beyond = total - found.length;
    this.#boundary = this.#beyond > 0 ? found.at(-1) : undefined;
  }

  async #read(isHeld: (file: string) => boolean, after: WaitingDrop | undefined) {
    let found: WaitingDrop[] = [];
    let total = 0;
    let unclaimed = 0;
    let illegible = false;
    for await (const names of namesIn(this.#folder)) {
      for (const file of names) {
        if (!isDropName(file)) {
          unclaimed += 1;
          continue;
        }
        if (isHeld(file)) continue;
        const entry = this.#look(file);
        illegible ||= entry === undefined && seemsIllegible(file);
        if (entry === undefined || (after !== undefined && !before(after, entry))) continue;
        total += 1;
        found.push(entry);
        if (found.length >= 2 * this.#pageEntries) found = found.sort(compare).slice(0, this.#pageEntries);
      }
    }
    found.sort(compare);
    return { found: found.slice(0, this.#pageEntries), total, unclaimed, illegible };
  }

  /**
   * Calls `hint` with a file name soon after something happened to it, or with undefined when names were lost and a scan is needed. Returns false
   * where the folder cannot be watched (inotify limits): then scans alone find what is new.
   */
  watch(hint: (file: string | undefined) => void): boolean {
    this.#watcher?.close();
    try {
      this.#watchedInode = fs.statSync(this.#folder).ino;
      this.#watcher = fs.watch(this.#folder, { persistent: false }, (_event, file) =>
        hint(file ?? undefined),
      );
    } catch {
      return false; // ENOSPC, EMFILE: the caller scans more often
    }
    this.#watcher.on("error", () => hint(undefined));
    return true;
  }

  /** Whether the folder was removed and made again since it is watched: its watch is dead then. */
  get isReplaced(): boolean {
    return this.#watcher !== undefined && fs.statSync(this.#folder).ino !== this.#watchedInode;
  }

  close(): void {
    this.#watcher?.close();
  }

  #look(file: string): WaitingDrop | undefined {
    try {
      return { file, mtimeMs: fs.lstatSync(join(this.#folder, file)).mtimeMs };
    } catch (error) {
      // ENAMETOOLONG: a name that is no UTF-8 has three bytes for each that could not be read.
      if (["ENOENT", "ENAMETOOLONG"].includes(errnoOf(error) ?? "")) return undefined;
      throw error;
    }
  }
}
