// spoolway/sdk/known-items: a list that is read again and again (a feed): which of its items are new, which changed since, and how often. For sources that give out what there
// is, and not what happened.
//
//   unseen ─▶ new (revision 0) ─▶ as it was … ─▶ changed (revision 1) ─▶ …        what was not in the list for long is forgotten, the oldest first
import { fingerprint } from "./fingerprint.ts";

/** What is kept of an item, as JSON: its id, the fingerprint of its content, and how often that changed. */
export type KnownItem = [id: string, print: string, revision: number];

export interface Item {
  id: string;
  /** Tells it from another one to which the list gives the same id. */
  twin: unknown;
  /** Of what makes it another version when it changes. */
  print: string;
}

export interface News {
  /** Of one item, also where the list gives several the same. */
  id: string;
  /** 0: it is new. */
  revision: number;
}

/** Beside those that are in the list: some show older ones again. */
const rememberedMin = 1000;

/** Calls `tell` for what is new or changed, one after the other, in the list's order. Resolves with what to keep; rejects when `tell` does. */
export async function newsOf<One extends Item>(
  items: readonly One[],
  kept: readonly KnownItem[],
  tell: (item: One, news: News) => Promise<unknown>,
): Promise<KnownItem[]> {
  const known = new Map(kept.map((item) => [item[0], item]));
  const used = new Set<string>();
  for (const item of items) {
    const { print } = item;
    const twin = fingerprint(item.id, item.twin);
    const own = known.has(twin) || used.has(item.id) ? twin : item.id;
    const exact = fingerprint(twin, print);
    const id = used.has(own) ? exact : own;
    if (used.has(exact)) continue; // the very same, twice
    used.add(id).add(exact);
    const [, before, count] = known.get(id) ?? [id, undefined, -1];
    const revision = before === print ? count : count + 1;
    if (before !== print) await tell(item, { id, revision });
    // At the end: what is in the list is the last to be forgotten.
    known.delete(id);
    known.set(id, [id, print, revision]);
  }
  return [...known.values()].slice(-Math.max(rememberedMin, 2 * items.length));
}

/** Of a list that has the newest first: by time where every item has one (milliseconds), those of the same time as they stand. */
export function oldestFirst<One>(list: readonly One[], timeMs: (one: One) => number): One[] {
  const items = list.toReversed();
  return items.some((one) => Number.isNaN(timeMs(one))) ? items : items.sort((a, b) => timeMs(a) - timeMs(b));
}
