// npm run bench [-- deliver|send|processes] [--rounds N] [--most N]: every figure beside the bare operation of the same run, as a ratio.
//
// Nothing here is a test: machines differ and are noisy. docs/benchmarks.md holds figures that were really measured, with the machine.
import { cpus, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { benchDeliver } from "./deliver.ts";
import { rows } from "./measure.ts";
import { benchProcesses } from "./processes.ts";
import { benchSend } from "./send.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "5" },
    most: { type: "string", default: "1000000" },
    json: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
const wanted = (part: string): boolean => positionals.length === 0 || positionals.includes(part);

console.log(
  `node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? "cpu"}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB\n`,
);
if (wanted("deliver")) await benchDeliver(rounds);
if (wanted("send")) await benchSend(rounds, Number(values.most));
if (wanted("processes")) await benchProcesses(rounds);
if (values.json) console.log(JSON.stringify(rows, null, 2));
