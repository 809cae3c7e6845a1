// Runs programs on the model of the disk in a thread of its own (model.test.ts): every second seed, until it is told that there are enough.
import { constants, setPriority } from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import { useFileSystem } from "../../runtime/spool/fs.ts";
import { ModelFileSystem } from "./disk-model.ts";
import { Program, type ProgramResult } from "./model-program.ts";

export interface WorkerTask {
  seed: number;
  /** From one seed to the next. */
  stride: number;
  statesPerStep: number;
}

const { seed, stride, statesPerStep } = workerData as WorkerTask;
const files = new ModelFileSystem();
useFileSystem(files.fs);
// Most errors here are answers (ENOENT), and nobody reads where they come from.
Error.stackTraceLimit = 0;

// This thread has work for minutes and no deadline: the tests beside it, which have some, come first.
setPriority(constants.priority.PRIORITY_LOW);

let isOver = false;
parentPort?.on("message", () => (isOver = true));
for (let next = seed; !isOver; next += stride) {
  const program = new Program(files, { seed: next, statesPerStep, isOver: () => isOver });
  parentPort?.postMessage((await program.run()) satisfies ProgramResult);
}
// Programs that were left in the middle have timers.
process.exit(0);
