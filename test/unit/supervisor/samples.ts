// Settings and heartbeats for the tests of the supervisor's parts.
import type { SupervisorSettings } from "../../../runtime/config/model.ts";
import { createLog, type Log } from "../../../runtime/log.ts";
import type { Heartbeat } from "../../../schema/types.ts";

export function settings(changes: Partial<SupervisorSettings> = {}): SupervisorSettings {
  return {
    backoffBaseMs: 1000,
    backoffMaxMs: 300_000,
    healthyAfterMs: 600_000,
    parkCrashes: 5,
    parkWithinMs: 60_000,
    parkForMs: 900_000,
    watchdogMs: 10_000,
    startGraceMs: 60_000,
    killAfterMs: 5000,
    shutdownMs: 20_000,
    logLineBytes: 8192,
    logLinesPerS: 200,
    ...changes,
  };
}

export function beat(changes: Partial<Heartbeat> = {}): Heartbeat {
  const at = "2026-11-20T12:00:00.000Z";
  const fixed = { version: 1, name: "x", type: "x", pid: 1, run_id: "r", seq: 1, beat_at: at } as const;
  return { ...fixed, state: "live", liveness: "live", received: 0, sent: 0, ...changes };
}

export interface Entry {
  level: string;
  event: string;
  [key: string]: unknown;
}

/** A log whose entries can be looked at. */
export function memoryLog(): { log: Log; entries: Entry[]; text: () => string } {
  const entries: Entry[] = [];
  const destination = { write: (line: string) => entries.push(JSON.parse(line) as Entry) };
  return { log: createLog({ format: "json", destination }), entries, text: () => JSON.stringify(entries) };
}
