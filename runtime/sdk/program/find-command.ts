// spoolway/sdk/program/find-command: the command that a person wrote into the config, as a file; or what to do when there is none.
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { stop } from "../../sdk.ts";

/**
 * The absolute path of a command: `name` with a slash is relative to `cwd`, without one it is looked up in `path`. Throws `stop` with what to do. The kernel
 * would find it too, but its "no such file" names neither the PATH nor the way out.
 */
export function findCommand(name: string, cwd: string, path: string): string {
  const folders = path.split(delimiter).filter((folder) => folder !== "");
  const candidates = name.includes("/") ? [resolve(cwd, name)] : folders.map((folder) => join(folder, name));
  const existing = candidates.filter(isFile);
  const found = existing.find(isExecutable);
  if (found !== undefined) return found;
  if (existing[0] !== undefined) {
    const hint = `chmod +x ${existing[0]}, or name its interpreter: command: [python3, ${name}]`;
    throw stop(`not executable: ${existing[0]}`, hint, "command_not_executable");
  }
  const hint = name.includes("/")
    ? `There is no ${candidates[0]}. Paths are relative to cwd (${cwd}).`
    : `Install it, or write its full path. The PATH is: ${path}`;
  throw stop(`command not found: ${name}`, hint, "command_not_found");
}

function isFile(file: string): boolean {
  try {
    return statSync(file, { throwIfNoEntry: false })?.isFile() === true;
  } catch {
    return false; // a folder of the PATH that this user may not enter: execvp passes it over too
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false; // that is the answer
  }
}
