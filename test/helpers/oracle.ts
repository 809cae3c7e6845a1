// What must be true of a spool, whatever was killed: checked against what the test itself knows that it dropped and said.
//
//   checkStill   while nothing runs (everything was just killed): every message is somewhere, in a combination that the state table allows, and no file is torn
//   checkSettled at the end: every message in exactly one final state, every event in the inbox once
//
// Where a ledger tells what was promised to whom, promises.ts asks for more.
import type { InboundEvent } from "../../schema/types.ts";
import { type Known, type Place, places, type Survey, surveyOf } from "./survey.ts";

/** The rows of schema/README.md's state table: the folders in which files of one id may lie at once. */
const legal = new Set([
  "outbox", // 1
  "sending", // 2
  "retry", // 3
  "retry+sending", // 4, 12
  "sent", // 5
  "failed", // 6
  "sending+sent", // 7
  "sending+failed", // 8, 9
  "retry+failed", // 11
  "outbox+retry", // T1s was interrupted: row 10
  "outbox+sending", // T1 of a drop with attachments was interrupted: row 10
]);

export class Oracle {
  private readonly spool: string;
  private readonly name: string;
  private readonly known: Known = new Map();

  constructor(spool: string, name: string) {
    this.spool = spool;
    this.name = name;
  }

  /** The problems found; none when all is well. `dropped` are the ids of all drops so far. Nothing may be running. */
  checkStill(dropped: Iterable<string>): string[] {
    const { problems, byId } = this.survey();
    for (const id of dropped) {
      const problem = combinationProblem(placesOf(byId, id));
      if (problem !== undefined) problems.push(`${id} ${problem}`);
    }
    return problems;
  }

  /** The problems at the end. `expected` says for each dropped id where it must have ended. */
  checkSettled(expected: ReadonlyMap<string, "sent" | "failed">): string[] {
    const { problems, byId } = this.survey();
    for (const [id, where] of expected) {
      const combination = placesOf(byId, id).join("+");
      if (combination !== where)
        problems.push(`${id} is in ${combination || "no folder"}, expected ${where}`);
    }
    for (const id of byId.keys())
      if (!expected.has(id)) problems.push(`${id} in ${placesOf(byId, id).join("+")} was never dropped`);
    return problems;
  }

  /** The events in the order of their file names. */
  inbox(): InboundEvent[] {
    return this.survey().inbox;
  }

  private survey(): Survey {
    const survey = surveyOf(this.spool, this.name, this.known);
    for (const file of survey.unreadable.keys()) survey.problems.push(`outbox/${file} is no message`);
    for (const id of survey.torn.keys()) survey.problems.push(`the claim of ${id} is torn`);
    return survey;
  }
}

/** The folders that hold a file of this id, in the order of the state table; a folder twice where there are two. */
export function placesOf(byId: Survey["byId"], id: string): Place[] {
  return (byId.get(id) ?? []).map((found) => found.place);
}

/**
 * What is wrong with this combination of folders; undefined when the state table allows it. `oldNames`: the power was cut, and a file system may give a name back that
 * a rename or a removal took away and nothing synced: in outbox/ (row 10) and in retry/ (row 12), beside whatever came of it.
 */
export function combinationProblem(found: readonly Place[], oldNames = false): string | undefined {
  if (found.length === 0) return "is nowhere";
  const present = places.filter((place) => found.includes(place));
  if (oldNames) {
    const later = present.filter((place) => place !== "outbox" && place !== "retry");
    if (later.length === 0 || legal.has(later.join("+"))) return undefined;
  }
  const isTwice = found.length > present.length;
  return legal.has(present.join("+")) && !isTwice ? undefined : `is in ${found.join("+")}`;
}

/** What was seen of `expected`, in order, with immediate repetitions taken out: must be `expected` itself. The first difference, or undefined. */
export function orderProblem(seen: readonly string[], expected: readonly string[]): string | undefined {
  const once = seen.filter((one, n) => one !== seen[n - 1]);
  const at = Array.from({ length: Math.max(once.length, expected.length) }).findIndex(
    (_, n) => once[n] !== expected[n],
  );
  if (at < 0) return undefined;
  const around = (list: readonly string[]) => JSON.stringify(list.slice(Math.max(0, at - 2), at + 3));
  return `position ${at}: seen ${around(once)}, expected ${around(expected)}`;
}
