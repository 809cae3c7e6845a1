// `npm test`: the one command that checks everything. `--static` (npm run check) leaves the tests out; other arguments go to vitest, as filters.
//
//   connectors' libraries beside the format ─▶ generated files beside types and lint ─▶ tests
//
// Every step runs, also after one failed. The last line is `N passed, N failed` (and `, N skipped`), where each static check counts as one test;
// the exit code is 1 when anything failed.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const bin = (path: string) => join(root, "node_modules", path);

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** Runs a node program with our own node; true when it exits 0. */
function node(args: readonly string[]): boolean {
  const { status, error } = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" });
  if (error) console.error(error);
  return status === 0;
}

/** One step with its heading and its time. */
function step(title: string, run: () => Counts): Counts {
  console.log(`\n== ${title}`);
  const start = performance.now();
  const counts = run();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`== ${title}: ${counts.failed === 0 ? "ok" : "FAILED"} (${seconds} s)`);
  return counts;
}

const outcome = (ok: boolean): Counts => ({ passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 });

/** Checks that do not need each other: each runs on one core only. What they print is kept apart. */
function sideBySide(
  checks: ReadonlyArray<readonly [title: string, args: readonly string[]]>,
): Promise<Counts[]> {
  return Promise.all(
    checks.map(async ([title, args]) => {
      const start = performance.now();
      const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
      const output: Buffer[] = [];
      for (const stream of [child.stdout, child.stderr])
        stream.on("data", (chunk: Buffer) => output.push(chunk));
      const code = await new Promise<number | null>((resolve, reject) => {
        child.on("error", reject);
        child.on("close", resolve);
      });
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      console.log(
        `\n== ${title}\n${Buffer.concat(output).toString()}== ${title}: ${code === 0 ? "ok" : "FAILED"} (${seconds} s)`,
      );
      return outcome(code === 0);
    }),
  );
}

interface VitestReport {
  success: boolean;
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: Array<{ status: string; assertionResults: unknown[] }>;
}

function tests(filters: readonly string[]): Counts {
  const folder = mkdtempSync(join(tmpdir(), "spoolway-report-"));
  try {
    const file = join(folder, "report.json");
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
    const config = ["--configLoader", "native", "--config", "test/vitest.config.ts"];
    const ok = node([bin("vitest/vitest.mjs"), "run", ...config, ...reporters, ...filters]);
    return count(JSON.parse(readFileSync(file, "utf8")) as VitestReport, ok);
  } catch (error) {
    console.error("vitest left no report:", error);
    return { passed: 0, failed: 1, skipped: 0 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function count(report: VitestReport, ok: boolean): Counts {
  const { numPassedTests: passed, numPendingTests, numTodoTests } = report;
  // A file that could not be loaded has no tests to fail, and a failing afterAll belongs to none: they count as one each.
  const files = report.testResults.filter((one) => one.status === "failed" && !hasFailedTest(one)).length;
  const failed = report.numFailedTests + files;
  return { passed, failed: failed === 0 && !ok ? 1 : failed, skipped: numPendingTests + numTodoTests };
}

function hasFailedTest(file: VitestReport["testResults"][number]): boolean {
  return (file.assertionResults as Array<{ status: string }>).some((one) => one.status === "failed");
}

const args = process.argv.slice(2);
const onlyStatic = args.includes("--static");
const filters = args.filter((arg) => arg !== "--static");
const results = [
  ...(await sideBySide([
    // They are no part of `npm ci`; types, lint and tests need them all.
    ["libraries of the connectors", ["runtime/main.ts", "install", "--all"]],
    ["format", [bin("prettier/bin/prettier.cjs"), "--check", "--log-level=warn", "."]],
  ])),
  ...(await sideBySide([
    ["generated files are current", ["schema/generate.ts", "--check"]],
    ["types", [bin("typescript/bin/tsc"), "-p", ".", "--noEmit"]],
    ["lint", [bin("eslint/bin/eslint.js"), "--max-warnings=0", "."]],
  ])),
];
if (!onlyStatic) results.push(step("tests", () => tests(filters)));

const total = { passed: 0, failed: 0, skipped: 0 };
for (const counts of results) {
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
}
console.log(
  `\n${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ""}`,
);
process.exitCode = total.failed === 0 ? 0 : 1;
