// The scenarios of the fault tests: everything that changes the spool, each as small as it can be, on the real modules and in the order in which the connector's
// process and the commands call them. `prepare` makes what was there before; faults happen during `act`.
//
//   in this process   useFileSystem(…); await scenario.act(world, await scenario.prepare(world))
//   as a process      node test/fault/scenario-main.ts (see there)
//
// After the fault: restart(world), then the oracle (test/helpers/oracle.ts) judges the spool by world.ledger.
import type { Said } from "../helpers/ledger.ts";
import { inbound } from "./scenarios-in.ts";
import { operations } from "./scenarios-operations.ts";
import { outbound } from "./scenarios-out.ts";
import type { Dropped, World } from "./world.ts";

/** What `prepare` made, for `act`: plain data, which may cross from one process to another. */
export interface Prepared {
  drops?: Dropped[];
  said?: Said;
  key?: string;
}

export interface Scenario {
  name: string;
  prepare: (world: World) => Promise<Prepared>;
  act: (world: World, prepared: Prepared) => Promise<void>;
  /** It starts or stops the parts of the connector's process, which others in the same world would miss. */
  alone?: boolean;
}

export const scenarios: readonly Scenario[] = [...inbound, ...outbound, ...operations];

export function scenarioNamed(name: string): Scenario {
  const found = scenarios.find((one) => one.name === name);
  if (found === undefined)
    throw new Error(`no scenario ${name}; there are: ${scenarios.map((one) => one.name).join(", ")}`);
  return found;
}
