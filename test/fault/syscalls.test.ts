// Every call that changes the spool, in every scenario, met by every fault: the process is killed before it and after it, it fails with EIO, ENOSPC or EMFILE, it writes
// less than it was asked to. Whoever called tries again or ends, as in production; then a start, and the oracle. An error that passed must leave no trace.
//
// By default all of them in this process, where a kill is played, and a sample of the kills with real processes. SPOOLWAY_FAULTS=all (npm run test:faults) kills a real
// process for each. SPOOLWAY_SEED repeats a sample.
import PQueue from "p-queue";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Random, seededRandom } from "../helpers/random.ts";
import { useRouter } from "./inject-router.ts";
import { changes, type Fault, faultsOf, isKill, type Plan } from "./inject-faults.ts";
import { scenarios } from "./scenarios.ts";
import { type Outcome, record, type Recorded, runCase } from "./syscalls-case.ts";
import { runKilled } from "./syscalls-process.ts";
import { Table } from "./syscalls-table.ts";

const all = process.env.SPOOLWAY_FAULTS === "all";
const seed = Number(process.env.SPOOLWAY_SEED ?? Math.floor(Math.random() * 2 ** 31));
const realKills = 40;
/** They mostly wait: for backoffs, and for the disk. */
const sideBySide = 16;
/** Where several lanes run at once a call that came in every recording may not come once more. */
const triesMax = 5;

const recorded = new Map<string, Recorded>();
let takeRouterAway: () => void;

beforeAll(async () => {
  takeRouterAway = useRouter();
  for (const scenario of scenarios) recorded.set(scenario.name, await record(scenario));
});
afterAll(() => takeRouterAway());

const plansOf = ({ calls }: Recorded): Plan[] =>
  calls.flatMap((call) => faultsOf(call).map((fault) => ({ call, fault })));

async function untilFired<T extends { fired: boolean }>(run: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    const outcome = await run();
    if (outcome.fired || tries === triesMax) return outcome;
  }
}

/** So many of them, each as likely as any other. */
function sample<T>(from: readonly T[], count: number, random: Random): T[] {
  const left = [...from];
  return Array.from({ length: Math.min(count, left.length) }, () =>
    left.splice(random.below(left.length), 1),
  ).flat();
}

const title = (scenario: string, { fault, call }: Plan): string =>
  `${scenario}: ${fault} at ${call.what} #${call.nth}`;

describe("every fault at every call that changes the spool", () => {
  const table = new Table();

  test.for(scenarios.map(({ name }) => name))("%s", { timeout: 600_000 }, async (name) => {
    const queue = new PQueue({ concurrency: sideBySide });
    const of = recorded.get(name) as Recorded;
    const wrong: string[] = [];
    const one = async (plan: Plan): Promise<void> => {
      const outcome: Outcome = await untilFired(() => runCase(of, plan));
      table.count(name, plan.fault, outcome.fired);
      if (!outcome.fired) wrong.push(`${title(name, plan)}: it did not fire`);
      if (outcome.problems.length > 0) wrong.push([title(name, plan), ...outcome.problems].join("\n    "));
    };
    await queue.addAll(plansOf(of).map((plan) => () => one(plan)));
    expect(wrong.slice(0, 10)).toEqual([]);
  });

  test("covers every kind of call of the interface, and every scenario changes something", () => {
    console.log(table.toString());
    const verbs = new Set(
      [...recorded.values()].flatMap(({ calls }) => calls.map(({ what }) => what.split(" ", 1)[0])),
    );
    const wanted = [
      "create",
      "write",
      "fsync",
      "close",
      "link",
      "rename",
      "unlink",
      "mkdir",
      "utimes",
      "database",
      "sql",
    ];
    expect([...verbs]).toEqual(expect.arrayContaining(wanted));
    const idle = [...recorded.values()]
      .filter(({ calls }) => !calls.some(changes))
      .map(({ scenario }) => scenario.name);
    // An event that is known already touches nothing.
    expect(idle).toEqual(["deliver again"]);
    expect(table.fired).toBe(table.cases);
  });
});

test(
  "a process that is really killed there loses nothing either",
  { timeout: all ? 3 * 3_600_000 : 600_000 },
  async () => {
    const kills = [...recorded.values()].flatMap((of) =>
      plansOf(of)
        .filter(({ fault }) => isKill(fault))
        .map((plan) => ({ name: of.scenario.name, plan })),
    );
    const random = seededRandom(seed);
    const chosen = all ? kills : sample(kills, realKills, random);
    const table = new Table();
    const wrong: string[] = [];
    const queue = new PQueue({ concurrency: 2 });
    const one = async ({ name, plan }: { name: string; plan: Plan }): Promise<void> => {
      const outcome = await untilFired(() => runKilled(name, plan));
      table.count(name, plan.fault satisfies Fault, outcome.fired);
      if (!outcome.fired) wrong.push(`${title(name, plan)}: it did not fire`);
      if (outcome.problems.length > 0) wrong.push([title(name, plan), ...outcome.problems].join("\n    "));
    };
    await queue.addAll(chosen.map((kill) => () => one(kill)));
    console.log(
      `SIGKILL of real processes, ${chosen.length} of ${kills.length} places, seed ${seed}\n${table.toString()}`,
    );
    expect(wrong.slice(0, 10)).toEqual([]);
  },
);
