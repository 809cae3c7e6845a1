// Whether the promises in a ledger were kept: the oracle's questions about one connector's spool.
//
//   problemsStill     right after the crash, before anything runs: nothing that was promised is missing, nothing visible is torn
//   problemsSettled   after the start that follows, when nothing is left to do: one outcome for every message, everything in order, doubled only in the documented window
//
// Both work on a disk and on a model of one.
import { Facts, type Judged } from "./facts.ts";
import type { Ledger } from "./ledger.ts";
import { combinationProblem, placesOf } from "./oracle.ts";
import { existsAt } from "./seam.ts";
import { arrivalProblems, eventProblems } from "./sequence.ts";

/** Also notes in the ledger which messages have their outcome on the disk: from now on they must not be sent again. */
export function problemsStill(judged: Judged): string[] {
  const facts = new Facts(judged);
  const { survey, ledger } = facts;
  const problems = [...survey.problems];
  for (const [id, found] of survey.byId) {
    const problem = combinationProblem(
      facts.withoutCopies(
        id,
        found.map((one) => one.place),
      ),
      judged.oldNames,
    );
    if (problem !== undefined) problems.push(`${id} ${problem}`);
  }
  for (const [id, bytes] of survey.torn)
    if (
      facts.isAcceptedNow(id) ||
      !facts.drops.some((drop) => drop.id === id && facts.isTornFrom(bytes, drop))
    )
      problems.push(`the claim of ${id} is torn: ${JSON.stringify(bytes.toString("latin1", 0, 200))}`);
  for (const drop of facts.drops) {
    const isThere = facts.isThere(drop);
    if (facts.isPromised(drop) && !isThere && !facts.mayBeGone(drop.id))
      problems.push(`${drop.id} (${drop.file}) is nowhere`);
  }
  for (const { id, as } of ledger.of("settled")) {
    const here = placesOf(survey.byId, id);
    if (as === "sent" && !here.includes("sent") && !facts.has("sweeping", id))
      problems.push(`${id} was settled as sent and has no receipt: ${here.join("+")}`);
    if (
      as === "failed" &&
      !here.includes("failed") &&
      !facts.has("redriving", id) &&
      !facts.has("purging", id)
    )
      problems.push(`${id} was given up and has no dead letter: ${here.join("+")}`);
  }
  for (const { id } of ledger.of("redriven"))
    if (facts.isOnlyFailed(id)) problems.push(`${id} was put back into the outbox, and that is undone`);
  for (const { file } of ledger.of("refused", "removed"))
    if (facts.isInOutbox(file)) problems.push(`outbox/${file} was taken away and is back`);
  const inbox = new Set(survey.inbox.map((event) => event.id));
  for (const { id } of ledger.of("delivered"))
    if (!inbox.has(id) && !facts.has("consuming", id))
      problems.push(`the event ${id} was delivered and is gone`);
  problems.push(...lastingProblems(facts));
  for (const [id, found] of survey.byId) {
    for (const { place } of found)
      // A dead letter beside the message that it became again says nothing.
      if (place === "sent" || (place === "failed" && !facts.has("redriving", id)))
        ledger.add({ what: "found", id, as: place });
  }
  return problems;
}

/** `values`: what the connector's state says for each key that the ledger names. */
export function problemsSettled(judged: Judged, values: ReadonlyMap<string, unknown> = new Map()): string[] {
  const facts = new Facts(judged);
  const { survey, ledger } = facts;
  const problems = [...survey.problems, ...lastingProblems(facts)];
  for (const file of survey.unreadable.keys()) problems.push(`outbox/${file} was neither taken nor refused`);
  for (const drop of facts.drops) {
    const found = placesOf(survey.byId, drop.id);
    const expected = facts.expectedEnds(drop);
    if (drop.as === "bad") {
      if (expected !== undefined && !facts.isThere(drop))
        problems.push(`the bad drop ${drop.file} is nowhere`);
    } else if (drop.as === "message" || drop.as === "conflicting") {
      const where = found.length === 0 ? "nowhere" : found.join("+");
      if (!expected?.includes(where))
        problems.push(`${drop.id} (${drop.text}) is in ${where}, expected ${expected?.join(" or ")}`);
    }
  }
  for (const id of survey.entries.keys())
    if (!placesOf(survey.byId, id).includes("failed")) problems.push(`failed/${id}.entry has no dead letter`);
  for (const [id, found] of survey.byId)
    if (!facts.isKnown(id))
      problems.push(`${id} in ${found.map((one) => one.place).join("+")} was never dropped`);
  problems.push(...arrivalProblems(facts, judged.hold ?? false), ...eventProblems(facts));
  for (const key of new Set(ledger.of("set", "setting").map((entry) => entry.key))) {
    const allowed = valuesAfter(ledger, key);
    const value = values.get(key);
    if (!allowed.includes(value as string))
      problems.push(`the state has ${key} = ${String(value)}, expected ${allowed.join(" or ")}`);
  }
  return problems;
}

/** The last value that was durable, and what was being written after it. */
function valuesAfter(ledger: Ledger, key: string): Array<string | undefined> {
  const all = ledger.of("set", "setting").filter((entry) => entry.key === key);
  const last = all.findLastIndex((entry) => entry.what === "set");
  const later = all.slice(last + 1).map((entry) => entry.value);
  return [all[last]?.value, ...later];
}

/** Attachments, pauses, removals: what must hold at any time. */
function lastingProblems({ spool, survey, ledger }: Facts): string[] {
  const problems: string[] = [];
  for (const { sha256 } of ledger.of("stored"))
    if (!survey.media.has(sha256)) problems.push(`media/${sha256} was stored and is gone`);
  for (const [id, found] of survey.byId) {
    for (const { place, value } of found) {
      if (place === "outbox") continue;
      for (const hash of attachmentsOf(value))
        if (!survey.media.has(hash)) problems.push(`${id} in ${place} has lost its attachment ${hash}`);
    }
  }
  const pauses = ledger.of("pausing", "paused", "resuming", "resumed");
  for (const name of new Set(pauses.map((entry) => entry.name))) {
    const last = pauses.findLast((entry) => entry.name === name)?.what;
    const isThere = existsAt(`${spool}/control/${name}.pause`);
    if (last === "paused" && !isThere) problems.push(`the pause of ${name} is gone`);
    if (last === "resumed" && isThere) problems.push(`the pause of ${name} is back`);
  }
  for (const { id } of ledger.of("purged"))
    if (survey.byId.has(id)) problems.push(`${id} was removed and is back`);
  return problems;
}

function attachmentsOf(value: Record<string, unknown> | undefined): string[] {
  const message = value?.message as { attachments?: Array<{ sha256?: string }> } | undefined;
  return (message?.attachments ?? []).flatMap(({ sha256 }) => sha256 ?? []);
}
