// Files that have no name yet, in spool/tmp. The name says which process writes it, so that a sweep removes only what nobody writes any more.
import { readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { errnoOf } from "../errors.ts";
import { namesIn, remove } from "./disk.ts";
import { fs } from "./fs.ts";

let counter = 0;
let ownPrefix: string | undefined;
let ownSpace: string | undefined;

/** Two processes see the same pids only on the same host and in the same pid namespace. */
function pidSpace(): string {
  if (ownSpace !== undefined) return ownSpace;
  let namespace = "";
  try {
    namespace = readlinkSync("/proc/self/ns/pid");
  } catch {
    // no /proc: pids are the host's
  }
  ownSpace = `${hostname()}.${namespace}`.replaceAll(/[^A-Za-z0-9.]/g, "").slice(0, 80);
  return ownSpace;
}

/** A fresh path in tmp/: `<host and pid namespace>-<pid>-<start>-<n>`. */
export function tmpPath(tmp: string): string {
  ownPrefix ??= `${pidSpace()}-${process.pid}-${Date.now().toString(36)}`;
  counter += 1;
  return join(tmp, `${ownPrefix}-${counter}`);
}

const otherHostMaxAgeMs = 3_600_000;

/** Removes what dead processes left in tmp/ (R5). Returns how many. Files of living processes are left alone. */
export async function sweepTmp(tmp: string): Promise<number> {
  const here = pidSpace();
  let removed = 0;
  for await (const names of namesIn(tmp)) {
    for (const name of names) if (isAbandoned(tmp, name, here) && remove(join(tmp, name))) removed += 1;
  }
  return removed;
}

function isAbandoned(tmp: string, name: string, here: string): boolean {
  const match = /^([A-Za-z0-9.]+)-(\d+)-/.exec(name);
  return match?.[1] === here ? !isAlive(Number(match[2])) : ageMs(join(tmp, name)) > otherHostMaxAgeMs;
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === "EPERM";
  }
}

function ageMs(path: string): number {
  try {
    const stat = fs.lstatSync(path);
    return stat.isFile() ? Date.now() - stat.mtimeMs : 0;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return 0;
    throw error;
  }
}
