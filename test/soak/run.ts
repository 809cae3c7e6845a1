// npm run soak -- --minutes N [--seed S] [--json]: kills supervisor and connectors at random under two-way load, and says what was lost, doubled or out of order, and
// whether memory, descriptors and watches stayed flat. Ctrl-C ends it early, with what is true by then. Exit code 1 when anything is wrong, 2 for wrong arguments.
//
// A seed repeats the choices; the machine's timing stays its own. The folders of a run in which something was wrong are kept.
import { parseArgs } from "node:util";
import { setTimeout as delay } from "node:timers/promises";
import { endOfFile } from "../helpers/children.ts";
import { Samples } from "./samples.ts";
import { flatTable, messageTable } from "./report.ts";
import { Storm } from "./storm.ts";
import { isWrong } from "./tally.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "30" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    json: { type: "boolean", default: false },
  },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
if (!(minutes > 0) || !Number.isSafeInteger(seed)) {
  console.error(
    "npm run soak -- --minutes N [--seed S] [--json]: minutes must be a number above 0, the seed a whole number",
  );
  process.exit(2);
}

const ended = new AbortController();
process.once("SIGINT", () => ended.abort());
process.once("SIGTERM", () => ended.abort());
const out = values.json ? process.stderr : process.stdout;
const startedMs = performance.now();
const storms = [
  new Storm({ name: "stormy", seed, spared: [], killsSupervisor: true, pauseMs: 1500 }),
  new Storm({ name: "calm", seed: seed + 1, spared: ["spared"], killsSupervisor: false, pauseMs: 3000 }),
];
const samples = new Samples();
const failures: string[] = [];

out.write(`seed ${seed}, ${minutes} minutes\n`);
try {
  await Promise.all(storms.map((storm) => storm.start()));
  const timer = setTimeout(() => ended.abort(), minutes * 60_000);
  const watching = watch();
  const outcomes = await Promise.allSettled(storms.map((storm) => storm.run(ended.signal)));
  clearTimeout(timer);
  ended.abort();
  await watching;
  for (const outcome of outcomes) if (outcome.status === "rejected") failures.push(String(outcome.reason));
} finally {
  const wrong = failures.length > 0 || storms.some((storm) => storm.problems.length > 0);
  for (const storm of storms) await storm.end(wrong);
  await endOfFile();
}
report();

/** Samples and says how it goes, until the end. */
async function watch(): Promise<void> {
  const everyMs = Math.max(500, Math.min(5000, (minutes * 60_000) / 200));
  for (let n = 0; !ended.signal.aborted; n += 1) {
    for (const storm of storms) storm.sample(samples);
    if (out.isTTY) out.write(`\r${progress()}  `);
    else if (n % Math.ceil(60_000 / everyMs) === 0) out.write(`${progress()}\n`);
    await delay(everyMs, undefined, { signal: ended.signal }).catch(() => undefined); // the end of the run ends the pause too
  }
  if (out.isTTY) out.write("\r\x1b[K");
}

function progress(): string {
  const atMinutes = (performance.now() - startedMs) / 60_000;
  const parts = storms.map(({ name, messages, kills, problems }) => {
    const killed = `killed ${kills.connector} connectors, ${kills.supervisor} supervisors`;
    return `${name}: ${messages.out} out, ${messages.in} in, ${killed}, ${problems.length} problems`;
  });
  return `${atMinutes.toFixed(1)} min  ${parts.join("  |  ")}`;
}

function report(): void {
  const flat = samples.judge();
  const rows = storms.map((storm) => ({ storm, tallies: storm.tallies() }));
  const problems = [...failures, ...storms.flatMap((storm) => storm.problems)];
  const wrong =
    problems.length > 0 ||
    flat.some((one) => one.flat === false) ||
    rows.some(({ tallies }) => tallies.some(isWrong));
  const ran = { seed, minutes: (performance.now() - startedMs) / 60_000 };
  if (values.json) {
    const buses = rows.map(({ storm, tallies }) => ({ bus: storm.name, kills: storm.kills, tallies }));
    console.log(JSON.stringify({ ...ran, ok: !wrong, buses, flat, problems }));
  } else {
    console.log(`\n${messageTable(rows)}\n\n${flatTable(flat)}\n`);
    for (const problem of problems.slice(0, 50)) console.log(`PROBLEM ${problem}`);
    const growth = flat.some((one) => one.flat === undefined) ? "" : ", nothing grows";
    console.log(wrong ? "something is wrong" : `nothing lost, nothing out of order${growth}`);
  }
  process.exitCode = wrong ? 1 : 0;
}
