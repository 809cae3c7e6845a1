// `npm run test:mutation`: takes one step after another out of a copy of the source and runs the tests that ought to notice. A step whose removal no test notices is
// either not needed or not tested: exit code 1.
//
//   --only ID[,ID]              these only                  --list         what there is
//   --sample N [--seed S]       N chosen by chance          --json         an array of {id, file, without, noticed_by, seconds}; what goes on is on stderr
//   --unchecked                 the unchanged source is not tested first: for where the same tests run anyway
import { basename } from "node:path";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import { seededRandom } from "../helpers/random.ts";
import { Copy } from "./copy.ts";
import { type Mutation, mutations, mutationsNamed, sampleOf } from "./mutations.ts";

const { values: flags } = parseArgs({
  options: {
    only: { type: "string" },
    sample: { type: "string" },
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
    list: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    unchecked: { type: "boolean", default: false },
  },
});
const out = flags.json ? process.stderr : process.stdout;

interface Outcome {
  mutation: Mutation;
  /** Name of the first test that failed; undefined: it survived. */
  noticedBy: string | undefined;
  seconds: number;
}

if (flags.list) {
  for (const { id, file, without } of mutations)
    console.log(`${id.padEnd(24)} ${file.padEnd(28)} ${without}`);
} else await run(chosen());

function chosen(): readonly Mutation[] {
  if (flags.only !== undefined) return mutationsNamed(flags.only.split(","));
  if (flags.sample === undefined) return mutations;
  out.write(`seed ${flags.seed}\n`);
  return sampleOf(Number(flags.sample), seededRandom(Number(flags.seed)));
}

async function run(wanted: readonly Mutation[]): Promise<void> {
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)
    process.once(signal, () => {
      copy.remove();
      process.exit(code);
    });
  const copy = new Copy();
  const outcomes: Outcome[] = [];
  try {
    if (!flags.unchecked) await checkSound(copy, wanted);
    for (const mutation of wanted) outcomes.push(await tryOut(copy, mutation));
  } finally {
    copy.remove();
  }
  const survived = outcomes.filter(({ noticedBy }) => noticedBy === undefined).length;
  console.log(flags.json ? json(outcomes) : table(outcomes));
  out.write(
    `${outcomes.length} steps removed one at a time, ${outcomes.length - survived} noticed, ${survived} not noticed\n`,
  );
  process.exitCode = survived === 0 ? 0 : 1;
}

/** Throws when a test fails without any removal: then its failure would prove nothing. */
async function checkSound(copy: Copy, wanted: readonly Mutation[]): Promise<void> {
  for (const tests of new Set(wanted.flatMap((one) => one.tests))) {
    const failed = await copy.failures(tests);
    if (failed.length > 0) throw new Error(`fails by itself: ${failed.join(", ")}`);
  }
}

async function tryOut(copy: Copy, mutation: Mutation): Promise<Outcome> {
  const began = performance.now();
  const [noticedBy] = await copy.noticedBy(mutation);
  const seconds = Math.round((performance.now() - began) / 100) / 10;
  out.write(`${mutation.id.padEnd(24)} ${seconds.toFixed(1).padStart(5)} s  ${noticedBy ?? "NOT NOTICED"}\n`);
  return { mutation, noticedBy, seconds };
}

function json(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ mutation: { id, file, without }, noticedBy, seconds }) => ({
    id,
    file,
    without,
    noticed_by: noticedBy ?? null,
    seconds,
  }));
  return JSON.stringify(rows, undefined, 2);
}

/** As wide as the terminal; else so that a line is still read as one. */
function table(outcomes: readonly Outcome[]): string {
  const width = Math.max(80, Math.min(process.stdout.columns ?? 140, 160));
  const file = Math.max(...outcomes.map(({ mutation }) => basename(mutation.file).length)) + 2;
  const left = width - file - 4;
  const colWidths = [Math.floor(left * 0.45), file, Math.ceil(left * 0.55)];
  const made = new Table({
    head: ["without", "in", "noticed by"],
    colWidths,
    wordWrap: true,
    style: { head: [], border: [] },
  });
  for (const { mutation, noticedBy } of outcomes)
    made.push([mutation.without, basename(mutation.file), noticedBy ?? "NOT NOTICED"]);
  return made.toString();
}
