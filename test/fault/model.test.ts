// Promises 1, 2 and 4 when the power goes: the spool's modules run on a model of a disk that loses, or keeps, whatever was not forced onto it (model-inode.ts has the
// rules). Random programs of scenarios, several at once, are cut at every step; legal states of each cut are started again, and the oracle judges them.
//
// SPOOLWAY_MODEL_STATES (default 100000), SPOOLWAY_SEED. A failure names its seed and its state: SPOOLWAY_SEED=… SPOOLWAY_MODEL_STATE=… repeats it alone, and
// prints the disk that the start found.
import { Worker } from "node:worker_threads";
import { afterAll, expect, test } from "vitest";
import { useFileSystem } from "../../runtime/spool/fs.ts";
import { ModelFileSystem } from "./disk-model.ts";
import { type Failure, Program, type ProgramResult } from "./model-program.ts";
import type { WorkerTask } from "./model-worker.ts";
import { scenarios } from "./scenarios.ts";

const wanted = Number(process.env.SPOOLWAY_MODEL_STATES ?? 100_000);
const seed = Number(process.env.SPOOLWAY_SEED ?? Math.floor(Math.random() * 2 ** 30));
const only = process.env.SPOOLWAY_MODEL_STATE;
/** One more than two adds nothing on the machines that this runs on. */
const threads = 2;
const statesPerStep = 6;
const failuresShown = 3;
const failuresMax = 20;

const workers: Worker[] = [];
afterAll(() => Promise.all(workers.map((worker) => worker.terminate())));

test.skipIf(only !== undefined)(
  "whatever a power cut leaves, nothing promised is lost, and nothing is sent twice that need not be",
  { timeout: 120_000 + wanted * 20 },
  async () => {
    console.log(`model of the disk: seed ${seed}, ${wanted} states`);
    const sum = { programs: 0, steps: 0, states: 0, secondCuts: 0 };
    const failures: Failure[] = [];
    const seen = new Set<string>();
    await Promise.all(
      Array.from({ length: threads }, (_, n) =>
        runWorker({ seed: seed + n, stride: threads, statesPerStep }, (result) => {
          sum.programs += 1;
          sum.steps += result.steps;
          sum.states += result.states;
          sum.secondCuts += result.secondCuts;
          failures.push(...result.failures);
          for (const name of result.scenarios) seen.add(name);
          if (sum.states >= wanted || failures.length >= failuresMax)
            for (const worker of workers) worker.postMessage("enough");
        }),
      ),
    );
    console.log(
      `${sum.states} crash states of ${sum.programs} programs, cut at ${sum.steps} steps; ${sum.secondCuts} of them were cuts of the start after a cut`,
    );
    expect(failures.slice(0, failuresShown).map(reportOf).join("\n\n"), `${failures.length} failures`).toBe(
      "",
    );
    expect(sum.states).toBeGreaterThanOrEqual(wanted);
    if (wanted >= 50_000)
      expect(scenarios.map((one) => one.name).filter((name) => !seen.has(name))).toEqual([]);
  },
);

test.runIf(only !== undefined)(
  `one state of one seed: ${only ?? "none named"}`,
  { timeout: 600_000 },
  async () => {
    const files = new ModelFileSystem();
    const putBack = useFileSystem(files.fs);
    try {
      const program = new Program(files, { seed, statesPerStep, ...(only === undefined ? {} : { only }) });
      const { failures, states } = await program.run();
      expect(states).toBeGreaterThan(0);
      expect(failures.map(reportOf).join("\n\n")).toBe("");
    } finally {
      putBack();
    }
  },
);

/** Resolves when it has ended, as it is asked to when there are enough. */
function runWorker(task: WorkerTask, note: (result: ProgramResult) => void): Promise<void> {
  const worker = new Worker(new URL("./model-worker.ts", import.meta.url), { workerData: task });
  workers.push(worker);
  return new Promise((resolve, reject) => {
    worker.on("message", note);
    worker.on("error", reject);
    worker.on("exit", () => resolve());
  });
}

function reportOf(failure: Failure): string {
  const { problems, disk, promised } = failure;
  return [
    `SPOOLWAY_SEED=${failure.seed} SPOOLWAY_MODEL_STATE=${failure.state} repeats this: ${failure.scenarios.join(", ")}`,
    ...problems.map((problem) => `  ${problem}`),
    ...disk.map((line) => `    ${line}`),
    ...(only === undefined ? [] : promised.map((entry) => `    ${JSON.stringify(entry)}`)),
  ].join("\n");
}
