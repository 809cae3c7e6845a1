// One case: one scenario, one fault at one of its calls, then what production does: whoever called tries again (World.persist), or the process ends; then a start on
// what is left, and the oracle.
//
// In this process a kill is a call after which nothing reaches the disk any more and whose world is abandoned. Real kills: syscalls-process.ts.
import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { Ledger } from "../helpers/ledger.ts";
import { memoryFolder } from "../helpers/memoryFolder.ts";
import { inject } from "./inject.ts";
import { type Call, type Fault, type Plan, withoutChance } from "./inject-faults.ts";
import { mount } from "./inject-router.ts";
import { recoverAndJudge } from "./judge.ts";
import { perform } from "./perform.ts";
import type { Scenario } from "./scenarios.ts";
import { World } from "./world.ts";

/** A scenario as it is without faults. */
export interface Recorded {
  scenario: Scenario;
  /** What its act calls, in order. */
  calls: readonly Call[];
  /** What lies in the spool when it is over. */
  files: readonly string[];
}

export interface Outcome {
  fault: Fault;
  fired: boolean;
  /** How the act ended: carried through, given up with an error (the process or the command ends with it), or killed. */
  end: "done" | "gave up" | "killed";
  /** What the oracle says. None: all promises were kept. */
  problems: string[];
}

/** A folder for one case, with an empty `spool` in it; gone when `use` is over. */
export async function withFolder<T>(use: (folder: string, spool: string) => Promise<T>): Promise<T> {
  // Power is not cut here, so nothing of the disk is needed but its calls.
  const folder = memoryFolder("fault");
  try {
    const spool = join(folder, "spool");
    mkdirSync(spool);
    return await use(folder, spool);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** So many runs must have a call for it to be a case: a fault at one that comes only now and then might wait for it in vain. */
const recordings = 10;

/** Carries the scenario out without a fault, several times: where several lanes run at once, how often a folder is synced depends on which of them share it. */
export async function record(scenario: Scenario): Promise<Recorded> {
  const [first, ...others] = await Promise.all(
    Array.from({ length: recordings }, () => recordOnce(scenario)),
  );
  if (first === undefined) throw new Error("nothing was recorded");
  const seen = others.map(({ calls }) => new Set(calls.map(keyOf)));
  return { ...first, calls: first.calls.filter((call) => seen.every((keys) => keys.has(keyOf(call)))) };
}

const keyOf = ({ what, nth }: Call): string => `${what} #${nth}`;

async function recordOnce(scenario: Scenario): Promise<Recorded> {
  return withFolder(async (_folder, spool) => {
    const injected = inject({ root: spool });
    const world = new World(spool, new Ledger());
    const unmount = mount(spool, injected.fs);
    const error = await perform(scenario, world, injected);
    if (error !== undefined) throw error;
    await world.stop();
    unmount();
    return { scenario, calls: [...injected.calls], files: filesIn(spool) };
  });
}

/** Throws when the fault's call did not come. */
export async function runCase({ scenario, files }: Recorded, plan: Plan): Promise<Outcome> {
  return withFolder(async (folder, spool) => {
    const before = new World(spool, new Ledger());
    const injected = inject({ root: spool, plan, kill: () => before.abandon() });
    const unmount = mount(spool, injected.fs);
    const error = await perform(scenario, before, injected);
    const end = injected.isDead ? "killed" : error === undefined ? "done" : "gave up";
    // What a dead process still tries goes on failing.
    if (end !== "killed") unmount();
    const problems: string[] = [];
    if (end === "done") {
      await before.stop();
      problems.push(...difference(files, filesIn(spool)));
    }
    // What a process was doing beside the call at which it ended stops with it. Here it goes on, and must find neither the spool nor the ledger.
    const at = end === "done" ? spool : join(folder, "after");
    if (at !== spool) renameSync(spool, at);
    const after = new World(at, new Ledger(before.ledger.entries));
    problems.push(...(await recoverAndJudge(after)));
    unmount();
    const story = [
      ...before.warnings,
      ...(error === undefined ? [] : [error.stack ?? ""]),
      "restart",
      ...after.warnings,
    ];
    return {
      fault: plan.fault,
      fired: injected.fired,
      end,
      problems: problems.length === 0 ? [] : [...problems, ...story],
    };
  });
}

/** The names of all files, without what differs from run to run, what has no name yet, and what SQLite makes beside its database. */
function filesIn(spool: string): string[] {
  return readdirSync(spool, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => withoutChance(relative(spool, join(entry.parentPath, entry.name))))
    .filter((path) => !path.startsWith("tmp/") && !path.startsWith("state/"))
    .sort();
}

/** An error that passed must leave no trace: what is there is what would be there without it. */
function difference(expected: readonly string[], found: readonly string[]): string[] {
  if (found.join("\n") === expected.join("\n")) return [];
  return [
    `after the error there is ${found.join(" ") || "nothing"}, without it ${expected.join(" ") || "nothing"}`,
  ];
}
