// Cases with real processes: the act runs in a child that is really killed (syscalls-child.ts), alone or under strace; the start afterwards and the oracle are here.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { projectRoot } from "../helpers/command.ts";
import { atEnd, killPid, trackChild } from "../helpers/children.ts";
import { Ledger } from "../helpers/ledger.ts";
import type { Plan } from "./inject-faults.ts";
import { recoverAndJudge } from "./judge.ts";
import { readLedger } from "./scenario-main.ts";
import { withFolder } from "./syscalls-case.ts";
import { World } from "./world.ts";

export interface ChildRun {
  code: number | null;
  signal: string | null;
  /** What it said on descriptor 3, by lines. */
  said: string[];
  stderr: string;
}

/** Resolves when the child, and strace around it, have ended. Both end with the test at the latest. */
export async function runChild(
  name: string,
  folder: string,
  plan?: Plan,
  strace?: { args: readonly string[]; log: string },
): Promise<ChildRun> {
  const fault = plan === undefined ? [] : [plan.fault, String(plan.call.nth), plan.call.what];
  const program = [process.execPath, join(projectRoot, "test/fault/syscalls-child.ts")];
  const args = [...program, name, join(folder, "spool"), join(folder, "ledger"), ...fault];
  const around = strace === undefined ? [] : ["strace", "-f", "-y", "-o", strace.log, ...strace.args];
  const [command = "", ...rest] = [...around, ...args];
  const child = trackChild(
    spawn(command, rest, {
      // strace counts calls per thread.
      env: { ...process.env, UV_THREADPOOL_SIZE: "1" },
      stdio: ["ignore", "ignore", "pipe", "pipe"],
      // A group of their own: a strace that is killed lets its child go on alone.
      detached: true,
    }),
    `syscalls-child ${name}`,
  );
  let isRunning = true;
  let isLate = false;
  atEnd(() => {
    if (isRunning && child.pid !== undefined) isLate = killPid(-child.pid);
  });
  let said = "";
  let stderr = "";
  child.stdio[3]?.on("data", (text: Buffer) => (said += text.toString()));
  child.stderr?.on("data", (text: Buffer) => (stderr += text.toString()));
  await new Promise<void>((resolve) => child.once("close", () => resolve()));
  isRunning = false;
  if (isLate) throw new Error(`${name} was still running when its test was over`);
  return { code: child.exitCode, signal: child.signalCode, said: said.split("\n").slice(0, -1), stderr };
}

export interface KillOutcome {
  fired: boolean;
  signal: string | null;
  problems: string[];
}

/** The act in a child that is killed by itself; then the start and the oracle. */
export async function runKilled(scenario: string, plan: Plan): Promise<KillOutcome> {
  return withFolder(async (folder) => {
    const { said, signal, stderr } = await runChild(scenario, folder, plan);
    const problems = await judgeRemains(folder);
    const isKilled = signal === "SIGKILL";
    return {
      fired: said.includes("fired"),
      signal,
      problems: [...(isKilled ? [] : [`it was not killed: ${stderr}`]), ...problems],
    };
  });
}

/** What a dead child left in `folder`, started again and judged. */
export async function judgeRemains(folder: string): Promise<string[]> {
  const after = new World(join(folder, "spool"), new Ledger(readLedger(join(folder, "ledger"))));
  const problems = await recoverAndJudge(after);
  return problems.length === 0 ? [] : [...problems, ...after.warnings];
}
