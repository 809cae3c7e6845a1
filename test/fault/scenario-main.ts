// One phase of one scenario, in a process of its own, which may be killed.
//
//   node test/fault/scenario-main.ts prepare|act|restart NAME SPOOL LEDGER
//
// The ledger is a file of one JSON object per line: read at the start, so that a phase knows what the ones before it promised, and appended to, synchronously, in the
// moment of each promise. It must not lie on the disk whose power is cut. Exit code 0: the phase is over.
import { closeSync, existsSync, openSync, readFileSync, writeSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { type Entry, Ledger } from "../helpers/ledger.ts";
import { restart } from "./restart.ts";
import { type Prepared, type Scenario, scenarioNamed } from "./scenarios.ts";
import { World, type WorldOptions } from "./world.ts";

/** The ledger in this file, which goes on being written there. */
export function openLedger(path: string): { ledger: Ledger; close: () => void } {
  const fd = openSync(path, "a");
  const ledger = new Ledger(readLedger(path), (entry) => void writeSync(fd, `${JSON.stringify(entry)}\n`));
  return { ledger, close: () => closeSync(fd) };
}

/** The entries in this file; a last line that a kill cut off was never promised. */
export function readLedger(path: string): Entry[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Entry);
}

export type Phase = "prepare" | "act" | "restart";

/** What a scenario's `prepare` made crosses to `act` in the ledger. */
export async function runPhase(phase: Phase, scenario: Scenario, world: World): Promise<void> {
  if (phase === "restart") return restart(world);
  if (phase === "prepare") {
    const prepared = await scenario.prepare(world);
    world.ledger.add({ what: "prepared", data: prepared });
    return;
  }
  const prepared = world.ledger.of("prepared").at(-1)?.data as Prepared | undefined;
  await scenario.act(world, prepared ?? {});
}

async function main([phase, name = "", spool = "", path = "", onUncertain]: string[]): Promise<void> {
  const { ledger, close } = openLedger(path);
  const options = onUncertain === "hold" ? ({ onUncertain } satisfies WorldOptions) : {};
  await runPhase(phase as Phase, scenarioNamed(name), new World(spool, ledger, options));
  close();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main(process.argv.slice(2));
