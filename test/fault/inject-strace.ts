// Faults that the kernel itself seems to make: strace answers system calls of a real process with an error, or with a signal. And what strace saw, as a list.
//
// strace counts `when=N` per thread: a program whose N-th call matters runs with UV_THREADPOOL_SIZE=1.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { exited, trackChild } from "../helpers/children.ts";
import { waitFor } from "../helpers/wait.ts";

/** Why strace cannot be used here; undefined when it can. Said by the tests that are skipped for it. */
export const straceMissing: string | undefined = whyNot();

function whyNot(): string | undefined {
  if (process.platform !== "linux") return "strace is there on Linux only";
  const { status, error, stderr } = spawnSync("strace", ["-o", "/dev/null", "-e", "trace=none", "true"], {
    encoding: "utf8",
  });
  if (error !== undefined) return `strace does not run: ${error.message} (apt-get install strace)`;
  return status === 0 ? undefined : `strace may not trace here: ${stderr.trim()}`;
}

/** One line of a log of strace -f -y, finished calls only. */
export interface SystemCall {
  name: string;
  args: string;
  /** Of its result. */
  text: string;
  failed: boolean;
  injected: boolean;
}

/** Calls that were interrupted by those of other threads are put together again. */
export function parseStrace(log: string): SystemCall[] {
  const begun = new Map<string, string>();
  return log.split("\n").flatMap((line) => {
    const [, thread = "", rest = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const unfinished = / <unfinished \.\.\.>$/.exec(rest);
    if (unfinished !== null) {
      begun.set(thread, rest.slice(0, unfinished.index));
      return [];
    }
    const resumed = /^<\.\.\. \w+ resumed>/.exec(rest);
    const whole = resumed === null ? rest : `${begun.get(thread) ?? ""}${rest.slice(resumed[0].length)}`;
    const [, name, args, text] = /^(\w+)\((.*)\) += (.*)$/.exec(whole) ?? [];
    if (name === undefined || args === undefined || text === undefined) return [];
    return [{ name, args, text, failed: text.startsWith("-1"), injected: text.includes("(INJECTED)") }];
  });
}

/** strace that watches a running process and all its threads, e.g. with `-e inject=fsync:error=EIO`. */
export class Attached {
  readonly #child;
  readonly #log: string;

  constructor(pid: number, log: string, args: readonly string[]) {
    this.#log = log;
    this.#child = trackChild(
      spawn("strace", ["-f", "-y", "-p", String(pid), "-o", log, ...args], {
        stdio: ["ignore", "ignore", "pipe"],
      }),
      `strace of ${pid}`,
    );
  }

  /** Resolves when the faults are in force. */
  async attached(): Promise<void> {
    let said = "";
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
    await waitFor(() => said.includes("attached"), { message: () => `strace to attach; it said: ${said}` });
  }

  /** The calls that were answered with an injected error so far. */
  injected(): SystemCall[] {
    return existsSync(this.#log)
      ? parseStrace(readFileSync(this.#log, "utf8")).filter((call) => call.injected)
      : [];
  }

  /** Lets go of the process: the fault is over. */
  async end(): Promise<void> {
    this.#child.kill("SIGINT");
    await exited(this.#child);
  }
}
