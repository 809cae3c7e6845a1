// Reading heartbeats: for the supervisor, the commands and anybody who wants to know what is alive.
import { join } from "node:path";
import type { Heartbeat, SupervisorStatus } from "../../schema/types.ts";
import { heartbeat, supervisor } from "../../schema/validators/host.js";
import { errnoOf } from "../errors.ts";
import { fs } from "./fs.ts";

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
    const value: unknown = JSON.parse(fs.readFileSync(path, "utf8"));
    return valid(value) ? (value as T) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
