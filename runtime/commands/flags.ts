// What people write behind an option, as values. All throw `usage` with what was expected.
import { SpoolwayError } from "../errors.ts";

/** "30" or "0.5" seconds in milliseconds. */
export function secondsToMs(text: unknown, option: string): number {
  const seconds = typeof text === "string" && /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (Number.isFinite(seconds)) return seconds * 1000;
  throw new SpoolwayError("usage", `${option} is ${JSON.stringify(text)}, expected a number of seconds`);
}
