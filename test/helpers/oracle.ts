// What must be true of a spool, whatever was killed: checked against what the test itself knows that it dropped and said.
//
//   checkStill   while nothing runs (everything was just killed): every message is somewhere, in a combination that the state table allows, and no file is torn
//   checkSettled at the end: every message in exactly one final state, every event in the inbox once
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parseClaimName, parseInboxName, parseRetryName } from "../../runtime/spool/names.ts";
import * as validators from "../../schema/validators/messages.js";
import type { InboundEvent, OutgoingMessage } from "../../schema/types.ts";

type Place = "outbox" | "retry" | "sending" | "sent" | "failed";

/** The rows of schema/README.md's state table, for messages that nobody copied by hand: the folders in which files of one id may lie at once. */
const legal = new Set([
  "outbox", // 1
  "sending", // 2
  "retry", // 3
  "retry+sending", // 4
  "sent", // 5
  "failed", // 6
  "sending+sent", // 7
  "sending+failed", // 8
  "retry+failed", // 11
  "outbox+retry", // T1s was interrupted: row 10
]);

export class Oracle {
  private readonly spool: string;
  private readonly name: string;
  /** Final files never change: each is read and validated once. */
  private readonly valid = new Set<string>();

  constructor(spool: string, name: string) {
    this.spool = spool;
    this.name = name;
  }

  /** The problems found; none when all is well. `dropped` are the ids of all drops so far. Nothing may be running. */
  checkStill(dropped: Iterable<string>): string[] {
    const problems = this.tornFiles();
    const places = this.places(problems);
    for (const id of dropped) {
      const combination = (places.get(id) ?? []).join("+");
      if (combination === "") problems.push(`${id} is nowhere`);
      else if (!legal.has(combination)) problems.push(`${id} is in ${combination}`);
    }
    return problems;
  }

  /** The problems at the end. `expected` says for each dropped id where it must have ended. */
  checkSettled(expected: ReadonlyMap<string, "sent" | "failed">): string[] {
    const problems = this.tornFiles();
    const places = this.places(problems);
    for (const [id, where] of expected) {
      const combination = (places.get(id) ?? []).join("+");
      if (combination !== where)
        problems.push(`${id} is in ${combination || "no folder"}, expected ${where}`);
    }
    for (const [id, where] of places)
      if (!expected.has(id)) problems.push(`${id} in ${where.join("+")} was never dropped`);
    return problems;
  }

  /** The events in the order of their file names. */
  inbox(): InboundEvent[] {
    return this.list("inbox")
      .sort()
      .map((file) => JSON.parse(readFileSync(join(this.spool, "inbox", file), "utf8")) as InboundEvent);
  }

  /** id → the folders that hold a file of it, in the order of the state table. */
  private places(problems: string[]): Map<string, Place[]> {
    const found = new Map<string, Place[]>();
    const add = (id: string | undefined, place: Place, file: string) => {
      if (id === undefined) problems.push(`${place}/${file} has a name that the protocol does not know`);
      else if (found.get(id)?.includes(place)) problems.push(`${id} lies in ${place} twice`);
      else found.set(id, [...(found.get(id) ?? []), place]);
    };
    for (const file of this.list("outbox")) add(this.dropId(file), "outbox", file);
    for (const file of this.list("retry")) add(parseRetryName(file)?.id, "retry", file);
    for (const file of this.list("sending")) add(parseClaimName(file)?.id, "sending", file);
    for (const file of this.list("sent")) add(file.replace(/\.json$/, ""), "sent", file);
    for (const file of this.list("failed")) add(file.replace(/\.json$/, ""), "failed", file);
    return found;
  }

  private dropId(file: string): string | undefined {
    return (JSON.parse(readFileSync(join(this.spool, "outbox", this.name, file), "utf8")) as OutgoingMessage)
      .id;
  }

  /** Every named file parses and keeps its schema. */
  private tornFiles(): string[] {
    const problems: string[] = [];
    const check = (folder: "inbox" | Exclude<Place, "outbox">, validate: validators.Validator) => {
      for (const file of this.list(folder)) {
        const path = join(folder, file);
        if (this.valid.has(path)) continue;
        if (folder === "inbox" && parseInboxName(file) === undefined)
          problems.push(`${path}: not an inbox name`);
        const wrong = problemOf(
          join(this.spool, folder, folder === "inbox" ? "" : this.name, file),
          validate,
        );
        if (wrong !== undefined) problems.push(`${path}: ${wrong}`);
        else if (folder !== "sending") this.valid.add(path);
      }
    };
    check("inbox", validators.inbound);
    check("sent", validators.receipt);
    check("failed", validators.deadLetter);
    check("retry", validators.retry);
    // A claim is the drop itself, or the retry entry that it was.
    const claim = (data: unknown) => validators.outgoingMessage(data) || validators.retry(data);
    check("sending", claim);
    return problems;
  }

  private list(folder: string): string[] {
    const path = folder === "inbox" ? join(this.spool, folder) : join(this.spool, folder, this.name);
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => entry.name);
  }
}

function problemOf(path: string, validate: validators.Validator): string | undefined {
  const text = readFileSync(path, "utf8");
  try {
    return validate(JSON.parse(text)) ? undefined : JSON.stringify(validate.errors);
  } catch (error) {
    return `torn: ${(error as Error).message}: ${text.slice(0, 200)}`;
  }
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
