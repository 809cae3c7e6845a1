// No test leaves a process behind. Every child is registered by its pid; after the file's last test whatever still runs is killed by pid and
// fails the file. A pid is remembered with its start time, so that a reused pid is never taken for ours. In a command (npm run soak) there is no such end: it looks
// itself.
import type { ChildProcess } from "node:child_process";
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { afterAll, onTestFinished } from "vitest";
import { waitFor } from "./wait.ts";

interface Tracked {
  pid: number;
  what: string;
  startedAt: string | undefined;
}

const tracked = new Map<string, Tracked>();

/** Remembers a process; `what` is for the error when it survives. Returns nothing; a pid that is gone already is fine. */
export function track(pid: number | undefined, what: string): void {
  if (pid === undefined) return;
  const startedAt = processInfo(pid)?.startedAt;
  tracked.set(`${pid} ${startedAt}`, { pid, what, startedAt });
}

/** Remembers a child and returns it. */
export function trackChild<T extends ChildProcess>(child: T, what: string): T {
  track(child.pid, what);
  return child;
}

/**
 * Remembers everything below `pid`, everything in its process group, and everything that works in `folder` or below: by that what lost its parent a moment
 * ago is found.
 */
export function trackDescendants(pid: number, folder: string): void {
  for (const info of allProcesses()) {
    if (isBelow(info, pid) || worksIn(info.pid, folder)) track(info.pid, `${folder} ${commandOf(info.pid)}`);
  }
}

/** The processes remembered so far that still run, as text for a person. */
export function survivors(): string[] {
  return running().map((one) => `${one.pid} ${one.what}`);
}

/** Resolves when nothing that was remembered for `what` (all when absent) runs any more; throws when something does after `timeoutMs`. */
export async function expectGone(timeoutMs = 10_000, what?: string): Promise<void> {
  const left = () => running().filter((one) => what === undefined || one.what.startsWith(what));
  await waitFor(() => left().length === 0, {
    timeoutMs,
    message: () =>
      `these processes to end: ${left()
        .map((one) => `${one.pid} ${one.what}`)
        .join(", ")}`,
  });
}

/** Resolves with the exit of a child, also when it is over already. */
export async function exited(child: ChildProcess): Promise<{ code: number | null; signal: string | null }> {
  if (child.exitCode === null && child.signalCode === null) {
    await new Promise<void>((resolve) => child.once("exit", () => resolve()));
  }
  return { code: child.exitCode, signal: child.signalCode };
}

/** SIGKILL, to a group where it is negative; false when there is none any more. */
export function killPid(pid: number): boolean {
  try {
    process.kill(pid, "SIGKILL");
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    return false;
  }
}

/** Ends a child by its pid and waits for it. */
export async function endChild(child: ChildProcess, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal);
  await exited(child);
}

/** Runs `task` when the current test ends, or at the end of the file when called outside of a test (beforeAll). */
export function atEnd(task: (failed: boolean) => Promise<void> | void): void {
  try {
    onTestFinished(async ({ task: test }) => task(test.result?.state === "fail"));
  } catch (error) {
    // Outside of a test vitest says so by throwing.
    if (!/onTestFinished|test/i.test((error as Error).message)) throw error;
    fileTasks.push(task);
  }
}

const fileTasks: Array<(failed: boolean) => Promise<void> | void> = [];

/** Called in a beforeAll: what atEnd is told from then on ends with the function that is returned (in afterAll), and not with the file. */
export function endOfBlock(): () => Promise<void> {
  const from = fileTasks.length;
  return async () => {
    for (const task of fileTasks.splice(from).reverse()) await task(false);
  };
}

/** What the end of a file does, and of a command that uses these helpers. */
export async function endOfFile(): Promise<void> {
  for (const task of fileTasks.splice(0).reverse()) await task(false);
  await expectGone(3000).catch((error: unknown) => {
    for (const one of running()) process.kill(one.pid, "SIGKILL");
    throw error;
  });
}

try {
  afterAll(endOfFile);
} catch (error) {
  if (!/find the current suite/.test((error as Error).message)) throw error; // a command: nothing ends by itself
}

interface ProcessInfo {
  pid: number;
  parent: number;
  group: number;
  startedAt: string;
}

/** Those that are gone are forgotten: a pid with its start time does not come back. */
function running(): Tracked[] {
  for (const [key, { pid, startedAt }] of tracked) {
    const info = processInfo(pid);
    if (info === undefined || (startedAt !== undefined && info.startedAt !== startedAt)) tracked.delete(key);
  }
  return [...tracked.values()];
}

/** What the kernel says of a process; undefined when it is gone or only waits to be reaped. */
function processInfo(pid: number): ProcessInfo | undefined {
  if (process.platform !== "linux") return withoutProc(pid);
  try {
    // The name in parentheses may hold spaces and parentheses itself: count from the last one.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return undefined;
    return { pid, parent: Number(fields[1]), group: Number(fields[2]), startedAt: fields[19] ?? "" };
  } catch {
    return undefined; // gone between listing and reading
  }
}

function withoutProc(pid: number): ProcessInfo | undefined {
  try {
    process.kill(pid, 0);
    return { pid, parent: 0, group: 0, startedAt: "" };
  } catch {
    return undefined; // no such process
  }
}

function allProcesses(): ProcessInfo[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => processInfo(Number(name)) ?? []);
}

function isBelow(info: ProcessInfo, top: number): boolean {
  if (info.group === top && info.pid !== top) return true;
  for (
    let at: ProcessInfo | undefined = info;
    at !== undefined && at.parent > 1;
    at = processInfo(at.parent)
  ) {
    if (at.parent === top) return true;
  }
  return false;
}

function worksIn(pid: number, folder: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`).startsWith(folder);
  } catch {
    return false; // gone, or somebody else's
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
  } catch {
    return "(gone)";
  }
}
