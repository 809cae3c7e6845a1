// The account of one connector at the end of a soak: what was lost, doubled or out of order, in each direction.
import type { Wire } from "../helpers/servers/wire.ts";
import type { Traffic } from "../helpers/traffic.ts";
import type { Consumer } from "./consumer.ts";

export interface Direction {
  messages: number;
  lost: number;
  /** Came more than once, always under the id that it had the first time: the documented window. */
  doubledSameId: number;
  doubledOtherId: number;
  outOfOrder: number;
}

export interface Tally {
  connector: string;
  out: Direction;
  in: Direction;
  /** Out: messages that did not end where they had to (sent, or failed for those that the platform refuses). */
  wrongEnd: number;
}

interface Seen {
  id: string;
  conversation: string;
  text: string;
}

export function tallyOf(connector: string, wire: Wire, traffic: Traffic, consumer: Consumer): Tally {
  const outcomes = consumer.outcomes.get(connector) ?? new Map<string, string>();
  const dropped = [...traffic.dropped].map(([id, { text, conversation }]) => ({ id, text, conversation }));
  const arrived = [...wire.arrivals].flatMap(([conversation, list]) =>
    list.map(({ id, text }) => ({ id, conversation, text })),
  );
  return {
    connector,
    out: compare(
      dropped.filter(({ id }) => traffic.fateOf(id) === "sent"),
      arrived,
    ),
    in: compare(wire.said, consumer.events.get(connector) ?? []),
    wrongEnd: dropped.filter(({ id }) => outcomes.get(id) !== traffic.fateOf(id)).length,
  };
}

/** What became of the messages that were wanted, in this order inside a conversation. A message is known by its text, which no other has. */
export function compare(
  wanted: ReadonlyArray<{ conversation: string; text: string }>,
  seen: readonly Seen[],
): Direction {
  const place = new Map(wanted.map(({ text }, n) => [text, n]));
  const ids = new Map<string, string>();
  const latest = new Map<string, number>();
  const result = { messages: wanted.length, lost: 0, doubledSameId: 0, doubledOtherId: 0, outOfOrder: 0 };
  for (const { id, conversation, text } of seen) {
    const before = ids.get(text);
    ids.set(text, before ?? id);
    if (before !== undefined) {
      if (before === id) result.doubledSameId += 1;
      else result.doubledOtherId += 1;
      continue;
    }
    const at = place.get(text) ?? -1;
    if (at < (latest.get(conversation) ?? -1)) result.outOfOrder += 1;
    else latest.set(conversation, at);
  }
  result.lost = wanted.filter(({ text }) => !ids.has(text)).length;
  return result;
}

/** Whether anything is wrong; what was doubled with the same id is not. */
export function isWrong({ out, in: inbound, wrongEnd }: Tally): boolean {
  const bad = ({ lost, doubledOtherId, outOfOrder }: Direction) => lost + doubledOtherId + outOfOrder > 0;
  return bad(out) || bad(inbound) || wrongEnd > 0;
}
