// A copy of the project in which anything may be broken, and the tests that run in it. Whatever they leave behind, also when they are killed, lies in the copy and is
// gone with it.
import { type ChildProcess, spawn } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { killPid } from "../helpers/children.ts";
import { memoryFolder } from "../helpers/memoryFolder.ts";
import type { Mutation } from "./mutations.ts";

const root = resolve(import.meta.dirname, "../..");
/** Enough for a removal to show, small enough for fifty of them. */
const bounded = { SPOOLWAY_MODEL_STATES: "20000", SPOOLWAY_HOSTILE: "3000" };
const longestMs = 180_000;

export class Copy {
  readonly #root = mkdtempSync(join(realpathSync(tmpdir()), "spoolway-mutation-"));
  readonly #memory = memoryFolder("mutation");
  #child: ChildProcess | undefined;

  constructor() {
    const skipped = new Set(["node_modules", ".git"]);
    const isData = (path: string): boolean => path.startsWith(join(root, "spool/"));
    cpSync(root, this.#root, {
      recursive: true,
      filter: (path) => !skipped.has(basename(path)) && !isData(path),
    });
    symlinkSync(join(root, "node_modules"), join(this.#root, "node_modules"));
    mkdirSync(join(this.#root, "t"));
  }

  /** Runs its tests, file by file, on a source without this step. The names of the tests that failed, of the first file that had any; none: nobody noticed. */
  async noticedBy({ id, file, find, replace, tests }: Mutation): Promise<string[]> {
    const path = join(this.#root, file);
    const source = readFileSync(path, "utf8");
    const parts = source.split(find);
    if (parts.length !== 2)
      throw new Error(
        `${id}: its text occurs ${parts.length - 1} times in ${file}; correct test/mutation/mutations.yml`,
      );
    writeFileSync(path, parts.join(replace));
    try {
      for (const one of tests) {
        const failed = await this.failures(one);
        if (failed.length > 0) return failed;
      }
      return [];
    } finally {
      writeFileSync(path, source);
    }
  }

  /** The names of the tests that fail; that they could not be run, or hung, counts as one. */
  async failures(tests: string): Promise<string[]> {
    const report = join(this.#root, "report.json");
    rmSync(report, { force: true });
    const vitest = [join(root, "node_modules/vitest/vitest.mjs"), "run", tests, "--bail=1"];
    const config = ["--configLoader", "native", "--config", "test/vitest.config.ts"];
    const child = spawn(
      process.execPath,
      [...vitest, ...config, "--reporter=json", `--outputFile=${report}`],
      {
        cwd: this.#root,
        env: { ...bounded, ...process.env, TMPDIR: join(this.#root, "t"), SPOOLWAY_MEMORY: this.#memory },
        stdio: "ignore",
        detached: true,
      },
    );
    this.#child = child;
    // A removal may make something hang: that is a failure, too.
    const late = setTimeout(() => this.#kill(), longestMs);
    const code = await new Promise<number | null>((done) => child.once("exit", done));
    clearTimeout(late);
    this.#child = undefined;
    if (code === 0) return [];
    if (code === null) return [`${basename(tests)} hung`];
    return failedIn(report) ?? [`${basename(tests)} could not be run: exit code ${code}`];
  }

  #kill(): void {
    if (this.#child?.pid !== undefined) killPid(-this.#child.pid);
  }

  /** Ends the tests that run in it, and removes it. */
  remove(): void {
    this.#kill();
    // What was killed a moment ago may still make a file.
    for (const path of [this.#root, this.#memory])
      rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
}

/** Undefined: there is no report, or it names no test. */
function failedIn(report: string): string[] | undefined {
  let text: string;
  try {
    text = readFileSync(report, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const { testResults } = JSON.parse(text) as {
    testResults: Array<{ assertionResults: Array<{ status: string; fullName: string }> }>;
  };
  const failed = testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status === "failed")
    .map(({ fullName }) => fullName);
  return failed.length > 0 ? failed : undefined;
}
