// The order of what was sent and said, and what came twice: the part of the oracle that looks at sequences.
import type { Facts } from "./facts.ts";
import type { Said } from "./ledger.ts";

/** Order in each conversation; twice only where the documented window allows it. */
export function arrivalProblems(facts: Facts, hold: boolean): string[] {
  const problems: string[] = [];
  const order = new Map(facts.drops.map((drop, n) => [drop.id, drop.isScheduled ? undefined : n]));
  const newest = new Map<string, number>();
  const accepted = new Map<string, "certain" | "uncertain">();
  const settled = new Map<string, "sent" | "failed">();
  for (const entry of facts.ledger.entries) {
    if (entry.what === "crashed") {
      for (const id of accepted.keys()) accepted.set(id, "uncertain");
    } else if (entry.what === "settled" || entry.what === "found") {
      settled.set(entry.id, entry.as);
    } else if (entry.what === "redriving") {
      settled.delete(entry.id);
      order.delete(entry.id);
    } else if (entry.what === "arrived") {
      const { id, conversation, answer } = entry;
      const known = accepted.get(id);
      if (settled.has(id)) problems.push(`${id} was sent again after it was ${settled.get(id)}`);
      else if (known === "certain") problems.push(`${id} was sent twice, and nothing had crashed`);
      else if (known !== undefined && hold) problems.push(`${id} was sent twice in spite of hold`);
      if (answer === "ok") accepted.set(id, "certain");
      if (answer === "late") accepted.set(id, "uncertain");
      const at = order.get(id);
      if (at === undefined) continue;
      if (at < (newest.get(conversation) ?? -1))
        problems.push(`${id} came after a younger one of ${conversation}`);
      newest.set(conversation, Math.max(at, newest.get(conversation) ?? -1));
    }
  }
  return problems;
}

/** Every event that was said is in the inbox, once, in the order of its conversation. */
export function eventProblems(facts: Facts): string[] {
  const problems: string[] = [];
  const { ledger, survey } = facts;
  const said = new Map<string, Said>(ledger.of("said").map((entry) => [entry.id, entry]));
  const count = Map.groupBy(survey.inbox, (event) => event.id);
  for (const { id, key } of said.values()) {
    const copies = count.get(id)?.length ?? 0;
    // What a reader removed may come again, if the crash took the note that it was seen.
    const isGone = facts.has("consuming", id);
    if (copies > 1 || (copies < 1 && !isGone))
      problems.push(`the event ${key} is in the inbox ${copies} times`);
  }
  for (const event of survey.inbox) if (!said.has(event.id)) problems.push(`${event.id} was never said`);
  for (const conversation of new Set([...said.values()].map((entry) => entry.conversation))) {
    const seen = survey.inbox.filter(
      (event) => event.conversation?.id === conversation && !facts.has("consuming", event.id),
    );
    const ids = [...new Set(seen.map((event) => event.id))];
    const expected = [...said.keys()].filter((id) => ids.includes(id));
    if (ids.join() !== expected.join())
      problems.push(
        `the events of ${conversation} are out of order: ${seen.map((one) => one.content?.text).join()}`,
      );
  }
  return problems;
}
