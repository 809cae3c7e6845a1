// Child processes that cannot outlive their parent.
import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/**
 * spawn(), and on Linux the kernel kills the child when this process dies, however it dies (PR_SET_PDEATHSIG through util-linux's
 * setpriv, which then executes the command in its own place: the pid is the command's). Elsewhere, or without setpriv, the child must notice
 * by itself that its stdin or IPC channel was closed.
 */
export function spawnTethered(
  command: string,
  args: readonly string[],
  options: SpawnOptions = {},
): ChildProcess {
  const setpriv = tether();
  if (setpriv === undefined) return spawn(command, args, options);
  return spawn(setpriv, ["--pdeathsig", "KILL", "--", command, ...args], options);
}

/** What node needs to load a connector. Only tsx's half for ES modules: the other one takes a connector whose folder is no package for CommonJS, and gives it an SDK of its own. */
export function loaderArguments(loader: "node" | "tsx"): string[] {
  return loader === "tsx" ? ["--import", import.meta.resolve("tsx/esm")] : [];
}

let found: string | undefined | null = null;

/** Path of setpriv, or undefined where there is no parent-death signal. */
export function tether(): string | undefined {
  if (found === null) found = process.platform === "linux" ? findExecutable("setpriv") : undefined;
  return found;
}

/** The first executable of this name on the PATH, or undefined. */
export function findExecutable(name: string): string | undefined {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    if (folder === "") continue;
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch {
      continue; // not in this folder
    }
  }
  return undefined;
}
