// Whether a bus runs on this spool. Its status file alone proves nothing: a supervisor that was killed leaves the last one behind, all green.
//
//   none      there is no status: no bus has ever run here
//   running   its process is there and writes its status
//   stopping  the same, and it was asked to end
//   stale     its process may be there, but the status is old: hung, suspended, or on a host that cannot be asked
//   gone      its process is not there any more
import { hostname } from "node:os";
import type { SupervisorStatus } from "../../schema/types.ts";
import { errnoOf } from "../errors.ts";
import { readSupervisorStatus } from "../spool/heartbeats.ts";

export type BusState = "none" | "running" | "stopping" | "stale" | "gone";

export interface Bus {
  state: BusState;
  /** The last status, true or not; undefined for "none". */
  status: SupervisorStatus | undefined;
}

/** The supervisor writes every second. */
const staleMs = 10_000;

/** Looks at the status file and at the process. */
export function lookAtBus(spool: string, now = Date.now()): Bus {
  const status = readSupervisorStatus(spool);
  return { state: stateOf(status, now), status };
}

export function stateOf(status: SupervisorStatus | undefined, now: number): BusState {
  if (status === undefined) return "none";
  if (status.host === hostname() && !isAlive(status.pid)) return "gone";
  // A clock that was set back makes the last beat lie in the future until the next one.
  const isFresh = Math.abs(now - Date.parse(status.beat_at)) <= staleMs;
  if (!isFresh) return "stale";
  return status.state === "stopping" ? "stopping" : "running";
}

/** One line for a person: that messages will wait, and what to do. Undefined while the bus runs. */
export function notRunning({ state, status }: Bus): string | undefined {
  switch (state) {
    case "running":
      return undefined;
    case "stopping":
      return "the bus is stopping; start it again with: spoolway run";
    case "stale":
      return `the bus has not said anything since ${status?.beat_at} (process ${status?.pid} on ${status?.host})`;
    case "none":
    case "gone":
      return "the bus is not running; start it with: spoolway run";
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === "EPERM";
  }
}
