// Promises 1 and 2 when the power goes at a known moment: before each call with which a scenario changes the disk, and after the last. Then the disk is mounted
// again, the connector started, and the oracle asked for everything that was promised until then.
//
// Each call is tried with a synced and with an unsynced beginning, and the disks take turns in how they treat unsynced bytes (power-disk.ts). Of all these cases
// SPOOLWAY_POWER_STEPS (default 150) are taken at random, by SPOOLWAY_SEED; "all" takes every one, in every mode (`npm run test:power`).
import { afterAll, describe, expect, test } from "vitest";
import { seededRandom } from "../helpers/random.ts";
import { missingPowerDisk, type MountMode, mountModes, PowerDisk } from "./power-disk.ts";
import { callsOf, type Cut, outcomeOf } from "./power-steps.ts";
import { scenarios } from "./scenarios.ts";

const steps = process.env.SPOOLWAY_POWER_STEPS ?? "150";
const seed = Number(process.env.SPOOLWAY_SEED ?? Math.floor(Math.random() * 2 ** 31));
const missing = missingPowerDisk();
let disk: PowerDisk | undefined;
afterAll(() => disk?.remove());

interface Case extends Cut {
  mode: MountMode;
}

/** Every cut there is. With `stale` only synced ones: what takes the place of an unsynced drop may be any other message there, which nobody can tell. */
async function allCases(on: PowerDisk): Promise<Case[]> {
  const cases: Case[] = [];
  for (const scenario of scenarios) {
    for (const before of [...(await callsOf(on, scenario)), undefined]) {
      for (const mode of Object.keys(mountModes) as MountMode[]) {
        cases.push({ scenario, before, synced: true, mode });
        if (mode !== "stale") cases.push({ scenario, before, synced: false, mode });
      }
    }
  }
  return cases;
}

/** A seeded choice without repetition. */
function choose<T>(all: readonly T[], count: number): T[] {
  const random = seededRandom(seed);
  const left = [...all];
  return Array.from({ length: Math.min(count, all.length) }, () =>
    left.splice(random.below(left.length), 1),
  ).flat();
}

describe.skipIf(missing)(`power cuts at known moments${missing === undefined ? "" : ` (${missing})`}`, () => {
  test("lose nothing that was promised", { timeout: 1_800_000 }, async () => {
    disk = PowerDisk.create({ mode: "ordered" });
    const all = await allCases(disk);
    const cases = steps === "all" ? all : choose(all, Number(steps));
    console.log(`seed ${seed}: ${cases.length} of ${all.length} cases, ${scenarios.length} scenarios`);
    const failures: string[] = [];
    const counts = { fired: 0, atEnd: 0 };
    for (const [n, one] of cases.entries()) {
      if (n === 0) await disk.revive(one.mode);
      const { problems, fired } = await outcomeOf(one, disk, cases[n + 1]?.mode ?? "ordered");
      counts[fired ? "fired" : "atEnd"] += 1;
      if (problems.length > 0) failures.push(`${nameOf(one)}\n  ${problems.join("\n  ")}`);
    }
    console.log(
      `${counts.fired} power cuts before a call, ${counts.atEnd} at the end; ${failures.length} failures`,
    );
    expect(failures.slice(0, 20), `${failures.length} failures`).toEqual([]);
    // Nearly all calls that were recorded come again.
    const planned = cases.filter(({ before }) => before !== undefined).length;
    expect(counts.fired).toBeGreaterThan(planned * 0.8);
  });
});

function nameOf({ scenario, before, synced, mode }: Case): string {
  const where = before === undefined ? "at the end" : `before ${before.what} #${before.nth}`;
  return `${scenario.name}, ${mode}${synced ? ", synced" : ""}, cut ${where}`;
}
