// Files that say what is true now and are worthless after a crash: heartbeats. Atomic for readers, not synced.
import { closeSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Heartbeat, SupervisorStatus } from "../../schema/types.ts";
import { heartbeat, supervisor } from "../../schema/validators.js";
import { errnoOf } from "../errors.ts";
import { createFile, move, remove, writeAll } from "./disk.ts";
import { tmpPath } from "./tmp.ts";

/** Replaces the file at `path` (in a folder of the spool) in one step. */
export function writeVolatile(path: string, text: string): void {
  const temp = tmpPath(join(dirname(dirname(path)), "tmp"));
  const fd = createFile(temp);
  try {
    writeAll(fd, Buffer.from(text));
  } finally {
    closeSync(fd);
  }
  if (!move(temp, path)) throw new Error(`${temp} was removed by somebody else`);
}

/** The connector's last heartbeat, or undefined where there is none (or none that is valid). */
export function readHeartbeat(root: string, name: string): Heartbeat | undefined {
  return readValid<Heartbeat>(join(root, "heartbeat", `${name}.json`), heartbeat);
}

export const supervisorStatusPath = (root: string): string => join(root, "heartbeat", "_supervisor.json");

/** The supervisor's last status, or undefined. It may be of a supervisor that is gone: look at `pid` and `beat_at`. */
export function readSupervisorStatus(root: string): SupervisorStatus | undefined {
  return readValid<SupervisorStatus>(supervisorStatusPath(root), supervisor);
}

function readValid<T>(path: string, valid: (data: unknown) => boolean): T | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    return valid(value) ? (value as T) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Removes a file in control/ that was obeyed. */
export function removeControl(path: string): void {
  remove(path);
}
