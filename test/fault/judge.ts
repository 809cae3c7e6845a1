// The end of every fault case: what the crash left is judged, started again, and judged again. Returns the problems; none when all promises were kept.
import { LazyStateDb } from "../../runtime/spool/statedb.ts";
import type { Judged } from "../helpers/facts.ts";
import { problemsSettled, problemsStill } from "../helpers/promises.ts";
import { restart, type RestartOptions } from "./restart.ts";
import type { World } from "./world.ts";

export interface JudgeOptions extends RestartOptions {
  /** The power was cut on a disk that may give old names back (disk-model.ts). */
  oldNames?: boolean;
}

/** `world`: the spool as the crash left it, with the ledger up to the crash. Nothing runs. */
export async function recoverAndJudge(world: World, options: JudgeOptions = {}): Promise<string[]> {
  const still = problemsStill(judged(world, options));
  if (still.length > 0) return still.map((problem) => `after the crash: ${problem}`);
  try {
    await restart(world, options);
  } catch (error) {
    return [`the start afterwards: ${(error as Error).stack}`, ...world.warnings];
  }
  const settled = problemsSettled(judged(world, options), await stateOf(world));
  return settled.map((problem) => `in the end: ${problem}`);
}

function judged(world: World, { oldNames }: JudgeOptions): Judged {
  return {
    spool: world.root,
    name: world.connector,
    ledger: world.ledger,
    hold: world.settings.onUncertain === "hold",
    ...(oldNames === undefined ? {} : { oldNames }),
  };
}

/** What the connector's state says for every key that was written. */
async function stateOf(world: World): Promise<Map<string, unknown>> {
  const keys = new Set(world.ledger.of("set", "setting").map((entry) => entry.key));
  const values = new Map<string, unknown>();
  if (keys.size === 0) return values;
  const state = new LazyStateDb(world.paths, world.settings.seenKeepMs);
  const db = await state.get();
  for (const key of keys) values.set(key, db.get(key));
  await state.close();
  return values;
}
