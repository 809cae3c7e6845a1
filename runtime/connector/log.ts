// The log of a connector's process: one JSON line per event on stdout, which the supervisor redacts, caps and puts into its own log.
//
// Written synchronously, so that the last lines before an exit are not lost; never waiting, so that a supervisor that does not read cannot hold a
// connector up: lines that find the pipe full are counted and reported by the next one.
import { writeSync } from "node:fs";
import { errnoOf } from "../errors.ts";
import type { Logger } from "../sdk.ts";

let lost = 0;

function write(level: string, event: string, fields: Record<string, unknown>): void {
  const line = { level, event, ...fields, ...(lost > 0 ? { lines_lost: lost } : {}) };
  const bytes = Buffer.from(`${JSON.stringify(line, safeValue)}\n`);
  let offset = 0;
  try {
    while (offset < bytes.length) offset += writeSync(1, bytes, offset);
    lost = 0;
  } catch (error) {
    const code = errnoOf(error);
    // EPIPE: the supervisor is gone, and the closed IPC channel ends this process.
    if (code !== "EAGAIN" && code !== "EPIPE") throw error;
    lost += 1;
  }
}

/** Errors as their code and message; big integers as digits. */
function safeValue(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (!(value instanceof Error)) return value;
  const { code } = value as NodeJS.ErrnoException;
  return code === undefined || value.message.includes(code) ? value.message : `${code}: ${value.message}`;
}

/** `debug` lines are written only when the process was started with SPOOLWAY_DEBUG. */
export function createLogger(): Logger {
  const debugging = process.env.SPOOLWAY_DEBUG !== undefined;
  return {
    debug: (event, fields = {}) => {
      if (debugging) write("debug", event, fields);
    },
    info: (event, fields = {}) => write("info", event, fields),
    warn: (event, fields = {}) => write("warn", event, fields),
    error: (event, fields = {}) => write("error", event, fields),
  };
}
