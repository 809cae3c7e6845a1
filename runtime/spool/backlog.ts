// What waits in outbox/<name>/, oldest first, in bounded memory with any number of files.
//
// The folder is the truth and a scan reads it; a directory watch only hints. A scan keeps the oldest `maxEntries` (a page); what is younger stays on disk
// until the page is used up (`overflow`). Order: mtime, then name.
import { type FSWatcher, lstatSync, watch } from "node:fs";
import { opendir } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { errnoOf } from "../errors.ts";
import { isDropName } from "./names.ts";

export interface WaitingDrop {
  file: string;
  mtimeMs: number;
}

const before = (a: WaitingDrop, b: WaitingDrop): boolean =>
  a.mtimeMs === b.mtimeMs ? a.file < b.file : a.mtimeMs < b.mtimeMs;
const compare = (a: WaitingDrop, b: WaitingDrop): number => (before(a, b) ? -1 : 1);

/** A turn of the event loop after so many entries: the heartbeat goes on while a million files are read. */
const entriesPerTurn = 500;

export class Backlog {
  readonly #folder: string;
  readonly #maxEntries: number;
  /** Sorted from #head on. */
  #page: WaitingDrop[] = [];
  #head = 0;
  /** The youngest entry of a page that did not hold all: what is younger is not in memory. */
  #boundary: WaitingDrop | undefined;
  /** Files that the last scan left on disk. */
  #beyond = 0;
  #watcher: FSWatcher | undefined;
  /** Entries that are no drops: attachments, or drops with a wrong name. */
  unclaimed = 0;
  lastScanMs = 0;

  constructor(folder: string, maxEntries = 50_000) {
    this.#folder = folder;
    this.#maxEntries = maxEntries;
  }

  /** Files known to wait, without those that were taken. */
  get depth(): number {
    return this.#page.length - this.#head + this.#beyond;
  }

  /** Whether there are more files on disk than in memory. */
  get overflow(): boolean {
    return this.#boundary !== undefined;
  }

  /** mtime of the oldest entry, in ms since 1970. */
  get oldestMs(): number | undefined {
    return this.#page[this.#head]?.mtimeMs;
  }

  /** The oldest entry, which leaves the backlog. */
  take(): WaitingDrop | undefined {
    const entry = this.#page[this.#head];
    if (entry === undefined) return undefined;
    this.#head += 1;
    if (this.#head > 1024 && this.#head * 2 > this.#page.length) {
      this.#page = this.#page.slice(this.#head);
      this.#head = 0;
    }
    return entry;
  }

  /** A file that a hint named. Nothing happens when it is gone or younger than a page that does not hold all. */
  note(file: string): void {
    if (!isDropName(file)) return;
    const entry = this.#look(file);
    if (entry === undefined) return;
    if (this.#boundary !== undefined && before(this.#boundary, entry)) {
      this.#beyond += 1;
      return;
    }
    let low = this.#head;
    let high = this.#page.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (before(this.#page[middle] as WaitingDrop, entry)) low = middle + 1;
      else high = middle;
    }
    if (this.#page[low]?.file !== file) this.#page.splice(low, 0, entry);
  }

  /**
   * Reads the folder anew. `isHeld` names what somebody holds already. `after`: only entries younger than the current page's last (the next page);
   * the current page must be used up.
   */
  async scan(isHeld: (file: string) => boolean, next = false): Promise<void> {
    const began = performance.now();
    const after = next ? this.#boundary : undefined;
    let found: WaitingDrop[] = [];
    let cut = false;
    let total = 0;
    let unclaimed = 0;
    let seen = 0;
    for await (const { name: file } of await opendir(this.#folder, { bufferSize: 256 })) {
      if (++seen % entriesPerTurn === 0) await nextTurn();
      if (!isDropName(file)) {
        unclaimed += 1;
        continue;
      }
      if (isHeld(file)) continue;
      const entry = this.#look(file);
      if (entry === undefined || (after !== undefined && !before(after, entry))) continue;
      total += 1;
      found.push(entry);
      if (found.length >= 2 * this.#maxEntries) {
        found = found.sort(compare).slice(0, this.#maxEntries);
        cut = true;
      }
    }
    found.sort(compare);
    if (found.length > this.#maxEntries) {
      found = found.slice(0, this.#maxEntries);
      cut = true;
    }
    this.unclaimed = unclaimed;
    // RACE: a hint may have added an entry while the folder was read; it is in the folder, so this scan or the next has it.
    this.#page = found;
    this.#head = 0;
    this.#boundary = cut ? found.at(-1) : undefined;
    this.#beyond = total - found.length;
    this.lastScanMs = performance.now() - began;
  }

  /**
   * Calls `hint` with a file name soon after something happened to it, or with undefined when names were lost and a scan is needed. Returns false
   * where the folder cannot be watched (inotify limits): then scans alone find what is new.
   */
  watch(hint: (file: string | undefined) => void): boolean {
    try {
      this.#watcher = watch(this.#folder, { persistent: false }, (_event, file) => hint(file ?? undefined));
    } catch {
      return false; // ENOSPC, EMFILE: the caller scans more often
    }
    this.#watcher.on("error", () => hint(undefined));
    return true;
  }

  close(): void {
    this.#watcher?.close();
  }

  #look(file: string): WaitingDrop | undefined {
    try {
      return { file, mtimeMs: lstatSync(join(this.#folder, file)).mtimeMs };
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    }
  }
}
