// How many processes a sandbox holds and how much memory they use, as the kernel counts it: asked from outside, through the /proc that is mounted inside.
import { readdirSync, readFileSync } from "node:fs";
import { errnoOf } from "../errors.ts";

export interface Usage {
  processes: number;
  bytes: number;
}

/** `init`: the sandbox's first process, as the host numbers it. Stops counting at `maxProcesses`. Undefined when it is gone. */
export function usage(init: number, maxProcesses: number): Usage | undefined {
  const proc = `/proc/${init}/root/proc`;
  const pids = readable(() => readdirSync(proc))?.filter((name) => /^\d+$/.test(name));
  if (pids === undefined) return undefined;
  // Reading thousands of files would only help the one who started them.
  if (pids.length > maxProcesses) return { processes: pids.length, bytes: 0 };
  const sizes = pids.map((pid) =>
    ownBytes(readable(() => readFileSync(`${proc}/${pid}/status`, "utf8")) ?? ""),
  );
  return { processes: pids.length, bytes: sizes.reduce((sum, bytes) => sum + bytes, 0) };
}

/** Without the pages of files, which processes share. */
function ownBytes(status: string): number {
  const kb = [...status.matchAll(/^Rss(?:Anon|Shmem):\s+(\d+) kB$/gm)].map(([, digits]) => Number(digits));
  return kb.reduce((sum, each) => sum + each, 0) * 1024;
}

/** What cannot be read belongs to a process that is just ending. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES", "EPERM", "ENOTDIR", "EINVAL"].includes(errnoOf(error) ?? ""))
      return undefined;
    throw error;
  }
}
