// A scenario in a process of its own that ends itself with SIGKILL at one of its calls.
//
//   node test/fault/syscalls-child.ts NAME SPOOL LEDGER [FAULT NTH CALL]
//
// Just before the fault it writes "fired" to descriptor 3; a child that is not killed writes its calls there, one JSON object per line. The ledger is written as promises
// are made (scenario-main.ts).
import { writeSync } from "node:fs";
import { useFileSystem } from "../../runtime/spool/fs.ts";
import { inject } from "./inject.ts";
import type { Fault } from "./inject-faults.ts";
import { openLedger } from "./scenario-main.ts";
import { scenarioNamed } from "./scenarios.ts";
import { World } from "./world.ts";

const [name = "", root = "", ledgerPath = "", fault, nth, what] = process.argv.slice(2);
const say = (line: string): void => void writeSync(3, `${line}\n`);

const plan =
  fault === undefined || what === undefined
    ? undefined
    : { fault: fault as Fault, call: { what, nth: Number(nth) } };
const injected = inject({
  root,
  plan,
  fired: () => say("fired"),
  kill: () => process.kill(process.pid, "SIGKILL"),
});
useFileSystem(injected.fs);
const { ledger } = openLedger(ledgerPath);
const world = new World(root, ledger);
const scenario = scenarioNamed(name);
const prepared = await scenario.prepare(world);
injected.arm();
say("armed");
await scenario.act(world, prepared);
injected.disarm();
say("done");
for (const call of injected.calls) say(JSON.stringify(call));
await world.stop();
