// `npm run test:mutation`: takes one step after another out of a copy of the source and runs the tests that ought to notice. A step whose removal no test notices is
// either not needed or not tested: exit code 1.
//
//   --only ID[,ID]   these only          --sample N [--seed S]   N chosen by chance          --list   what there is
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import { seededRandom } from "../helpers/random.ts";
import { type Mutation, mutations } from "./mutations.ts";

const root = resolve(import.meta.dirname, "../..");
/** Enough for a removal to show, small enough for forty of them. */
const bounded = { SPOOLWAY_MODEL_STATES: "20000", SPOOLWAY_HOSTILE: "3000" };
const longestMs = 180_000;

interface Outcome {
  mutation: Mutation;
  /** Names of the tests that failed, of the first file that had any; none: it survived. */
  caughtBy: string[];
  seconds: number;
}

/** A copy of the project in which anything may be broken. */
function copyProject(): string {
  const copy = mkdtempSync(join(tmpdir(), "spoolway-mutation-"));
  const skipped = new Set(["node_modules", ".git"].map((name) => join(root, name)));
  const isData = (path: string): boolean => path.startsWith(join(root, "spool/"));
  cpSync(root, copy, { recursive: true, filter: (path) => !skipped.has(path) && !isData(path) });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  return copy;
}

/** The names of the tests that fail in this copy; `the tests could not be run` counts as one. */
async function failures(copy: string, tests: string): Promise<string[]> {
  const report = join(copy, "report.json");
  rmSync(report, { force: true });
  const vitest = [join(root, "node_modules/vitest/vitest.mjs"), "run", tests, "--bail=1"];
  const config = ["--configLoader", "native", "--config", "test/vitest.config.ts"];
  const child = spawn(process.execPath, [...vitest, ...config, "--reporter=json", `--outputFile=${report}`], {
    cwd: copy,
    env: { ...bounded, ...process.env },
    stdio: "ignore",
    detached: true,
  });
  // A removal may make something hang: that is a failure, too.
  const late = setTimeout(() => process.kill(-(child.pid ?? 0), "SIGKILL"), longestMs);
  const code = await new Promise((done) => child.once("exit", done));
  clearTimeout(late);
  if (code === 0) return [];
  try {
    const { testResults } = JSON.parse(readFileSync(report, "utf8")) as {
      testResults: Array<{ assertionResults: Array<{ status: string; fullName: string }> }>;
    };
    const failed = testResults.flatMap(({ assertionResults }) =>
      assertionResults.filter(({ status }) => status === "failed").map(({ fullName }) => fullName),
    );
    return failed.length > 0 ? failed : [`${basename(tests)} could not be run`];
  } catch {
    return [code === null ? `${basename(tests)} hung` : `${basename(tests)} ended with ${String(code)}`]; // it left no report
  }
}

async function tryOut(copy: string, mutation: Mutation): Promise<Outcome> {
  const began = performance.now();
  const path = join(copy, mutation.file);
  const source = readFileSync(path, "utf8");
  const parts = source.split(mutation.find);
  if (parts.length !== 2)
    throw new Error(
      `${mutation.id}: its text occurs ${parts.length - 1} times in ${mutation.file}; correct test/mutation/mutations.yml`,
    );
  writeFileSync(path, parts.join(mutation.replace));
  try {
    for (const tests of mutation.tests) {
      const failed = await failures(copy, tests);
      if (failed.length > 0) return outcome(failed);
    }
    return outcome([]);
  } finally {
    writeFileSync(path, source);
  }

  function outcome(caughtBy: string[]): Outcome {
    return { mutation, caughtBy, seconds: (performance.now() - began) / 1000 };
  }
}

/** Throws when a test fails without any removal: then its failure would prove nothing. */
async function checkSound(copy: string, all: readonly Mutation[]): Promise<void> {
  for (const tests of new Set(all.flatMap((one) => one.tests))) {
    const failed = await failures(copy, tests);
    if (failed.length > 0) throw new Error(`fails by itself: ${failed.join(", ")}`);
  }
}

function chosen(flags: { only?: string; sample?: string; seed?: string }): readonly Mutation[] {
  if (flags.only !== undefined) {
    const ids = flags.only.split(",");
    const unknown = ids.filter((id) => !mutations.some((one) => one.id === id));
    if (unknown.length > 0) throw new Error(`no such mutation: ${unknown.join(", ")}; see --list`);
    return mutations.filter(({ id }) => ids.includes(id));
  }
  if (flags.sample === undefined) return mutations;
  const random = seededRandom(Number(flags.seed ?? Date.now() % 2 ** 31));
  const left = [...mutations];
  return Array.from({ length: Math.min(Number(flags.sample), left.length) }, () => {
    const [one] = left.splice(random.below(left.length), 1);
    return one as Mutation;
  });
}

const { values: flags } = parseArgs({
  options: {
    only: { type: "string" },
    sample: { type: "string" },
    seed: { type: "string" },
    list: { type: "boolean" },
  },
});
if (flags.list) {
  for (const { id, file, without } of mutations)
    console.log(`${id.padEnd(24)} ${file.padEnd(28)} ${without}`);
} else {
  const copy = copyProject();
  const outcomes: Outcome[] = [];
  try {
    const all = chosen(flags);
    await checkSound(copy, all);
    for (const mutation of all) {
      const one = await tryOut(copy, mutation);
      outcomes.push(one);
      const verdict = one.caughtBy[0] ?? "NOT NOTICED";
      console.log(`${mutation.id.padEnd(24)} ${one.seconds.toFixed(0).padStart(4)} s  ${verdict}`);
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
  const table = new Table({ head: ["without", "in", "noticed by"], style: { head: [], border: [] } });
  for (const { mutation, caughtBy } of outcomes)
    table.push([mutation.without, basename(mutation.file), caughtBy[0] ?? "NOT NOTICED"]);
  console.log(table.toString());
  const survived = outcomes.filter(({ caughtBy }) => caughtBy.length === 0).length;
  console.log(
    `${outcomes.length} steps removed one at a time, ${outcomes.length - survived} noticed, ${survived} not noticed`,
  );
  process.exitCode = survived === 0 ? 0 : 1;
}
