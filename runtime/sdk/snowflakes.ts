// spoolway/sdk/snowflakes: where we are on a platform whose ids are times (snowflakes: Discord, Mastodon, and others), and what was said while nobody listened. A mark for each
// place (a server, a direct conversation) is enough: of its channels each is asked for what came after it.
//
//   a place is new ─▶ its mark is its newest id     known ─▶ each channel with something newer is read, page by page ─▶ its mark moves

import { type Logger, reject } from "../sdk.ts";
import { unlessRefused } from "./http/explained.ts";

/** By place: the newest id that was dealt with. To be kept in the connector's state. */
export type Marks = Record<string, string>;

export interface Channel {
  id: string;
  /** Of its newest message; null: it has none; absent: unknown, so that it is always asked. */
  last_message_id?: string | null | undefined;
}

/** Messages of different channels may overtake each other by so much. What is read twice has the same key. */
const overlapMs = 60_000;
/** The time is in the bits above. */
const overlap = BigInt(overlapMs) << 22n;

/** The id that a producer wrote under `key`; throws invalid_target for what is none, so that it cannot become a part of another address. */
export function snowflake(text: string | undefined, key: string): string {
  if (text !== undefined && /^\d{15,21}$/.test(text)) return text;
  const hint = `${key} is a number of about 19 digits, in quotes. Take it from an event or a receipt.`;
  throw reject(`${key} ${JSON.stringify(text ?? null)} is not an id of this platform`, "invalid_target", {
    hint,
  });
}

/** Moves the mark of the place to this id, and never back. "0": nothing was there yet, so that all that comes is new. */
export function moveMark(marks: Marks, place: string, id: string): void {
  if (BigInt(id) > BigInt(marks[place] ?? -1)) marks[place] = id;
}

/**
 * Each message of these channels after the place's mark, oldest first within a channel; the mark moves after the last one. `read` resolves with the messages right after an id,
 * in any order, and with none at the end; a channel that it refuses (reject) is left out.
 */
export async function* missedIn<Message extends { id: string }>(
  marks: Marks,
  place: string,
  channels: readonly Channel[],
  read: (channel: string, after: string) => Promise<readonly Message[]>,
  log: Logger,
): AsyncGenerator<Message> {
  let newest = channels.map(({ last_message_id: id }) => BigInt(id ?? 0)).reduce(greater, 0n);
  const mark = marks[place];
  const since = mark === undefined ? undefined : greater(BigInt(mark) - overlap, 0n);
  for (const { id, last_message_id: last } of since === undefined ? [] : channels) {
    const isOld = last === null || (last !== undefined && BigInt(last) <= (since ?? 0n));
    for (let after = since ?? 0n, isMore = !isOld; isMore;) {
      const found = await unlessRefused(read(id, String(after)), [], log, `channel ${id}`);
      const page = found.toSorted((a, b) => (BigInt(a.id) < BigInt(b.id) ? -1 : 1));
      yield* page;
      after = BigInt(page.at(-1)?.id ?? after);
      newest = greater(newest, after);
      isMore = page.length > 0;
    }
  }
  moveMark(marks, place, String(newest));
}

const greater = (a: bigint, b: bigint): bigint => (a > b ? a : b);
