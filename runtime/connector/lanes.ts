// Lanes: the messages of one conversation, in order, one in flight.
//
//   idle ──add──▶ ready ──start──▶ running ──end──▶ idle or ready
//                                     └──block──▶ blocked ──unblock──▶ ready
//
// A blocked lane (its head waits in retry/) keeps its items; other lanes do not notice.
import type { ReadMessage } from "../spool/drops.ts";
import type { Accepted } from "../spool/records.ts";

/** Something that may be sent when its turn comes. Only names are kept of what is on disk, but for a few that were just read. */
export type Item =
  | { kind: "drop"; file: string; mtimeMs: number; priority: number; drop: ReadMessage | undefined }
  | { kind: "retry"; file: string; id: string }
  | { kind: "uncertain"; entry: Accepted };

export interface Lane {
  readonly key: string;
  items: Item[];
  /** In p-queue or being sent. */
  running: boolean;
  blocked: NodeJS.Timeout | undefined;
  /** Drops of this lane were seen and left in the backlog, for lack of room: nothing younger may be taken before them. */
  overflowed: boolean;
}

export class Lanes {
  readonly #lanes = new Map<string, Lane>();
  readonly #overflowed = new Set<Lane>();
  /** Items in all lanes. */
  parked = 0;
  /** Those of them that lie in retry/. */
  retries = 0;
  /** Lanes that are running or ready to. */
  active = 0;
  blockedCount = 0;

  get(key: string): Lane {
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = { key, items: [], running: false, blocked: undefined, overflowed: false };
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  append(lane: Lane, item: Item): void {
    lane.items.push(item);
    this.#count(item, 1);
  }

  /** For what was accepted before: it goes ahead of what still lies in outbox/. */
  prepend(lane: Lane, item: Item): void {
    lane.items.unshift(item);
    this.#count(item, 1);
  }

  /** Behind the retries that head the lane, ahead of drops. */
  afterRetries(lane: Lane, item: Item): void {
    const at = lane.items.findIndex((other) => other.kind === "drop");
    lane.items.splice(at < 0 ? lane.items.length : at, 0, item);
    this.#count(item, 1);
  }

  shift(lane: Lane): Item | undefined {
    const item = lane.items.shift();
    if (item !== undefined) this.#count(item, -1);
    return item;
  }

  #count(item: Item, change: 1 | -1): void {
    this.parked += change;
    if (item.kind === "retry") this.retries += change;
  }

  isIdle(lane: Lane): boolean {
    return !lane.running && lane.blocked === undefined && lane.items.length === 0;
  }

  isReady(lane: Lane): boolean {
    return !lane.running && lane.blocked === undefined && lane.items.length > 0;
  }

  /** Blocks for waitMs, then calls `ready`. */
  block(lane: Lane, waitMs: number, ready: () => void): void {
    this.unblock(lane);
    this.blockedCount += 1;
    lane.blocked = setTimeout(
      () => {
        this.unblock(lane);
        ready();
      },
      Math.min(waitMs, 2 ** 31 - 1),
    );
  }

  unblock(lane: Lane): void {
    if (lane.blocked === undefined) return;
    clearTimeout(lane.blocked);
    lane.blocked = undefined;
    this.blockedCount -= 1;
  }

  /** Forgets a lane in which nothing is left. */
  dropIfEmpty(lane: Lane): void {
    if (lane.items.length === 0 && !lane.running && lane.blocked === undefined && !lane.overflowed) {
      this.#lanes.delete(lane.key);
    }
  }

  /** Forgets which lanes left drops in the backlog: the caller looks at all of it again. */
  clearOverflow(): void {
    for (const lane of this.#overflowed) {
      lane.overflowed = false;
      this.dropIfEmpty(lane);
    }
    this.#overflowed.clear();
  }

  markOverflowed(lane: Lane): void {
    lane.overflowed = true;
    this.#overflowed.add(lane);
  }

  /** mtime of the oldest parked drop, in ms since 1970. */
  oldestMs(): number | undefined {
    let oldest: number | undefined;
    for (const lane of this.#lanes.values()) {
      const head = lane.items.find((item) => item.kind === "drop");
      if (head?.kind === "drop" && (oldest === undefined || head.mtimeMs < oldest)) oldest = head.mtimeMs;
    }
    return oldest;
  }

  close(): void {
    for (const lane of this.#lanes.values()) this.unblock(lane);
  }
}
