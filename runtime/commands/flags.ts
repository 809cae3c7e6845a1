// What people write behind an option, as values. All throw `usage` with what was expected.
import { SpoolwayError } from "../errors.ts";
import { parseDuration } from "../timing.ts";

/** "30" or "0.5" seconds in milliseconds. */
export function secondsToMs(text: unknown, option: string): number {
  const seconds = typeof text === "string" && /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (Number.isFinite(seconds)) return seconds * 1000;
  throw wrong(text, option, "a number of seconds");
}

/** A whole number of at least `least`. */
export function toCount(text: string, option: string, least = 0): number {
  const value = /^-?\d{1,15}$/.test(text) ? Number(text) : NaN;
  if (value >= least) return value;
  throw wrong(text, option, `a whole number${least > -Infinity ? ` from ${least}` : ""}`);
}

/** A time as ISO 8601, or as a distance from now: `sign` -1 for the past ("10m" is ten minutes ago), 1 for the future ("10m" or "+10m"). */
export function toTime(text: string, option: string, sign: 1 | -1, now = Date.now()): number {
  const distance = sign === 1 ? text.replace(/^\+/, "") : text;
  if (/^[\d.]+(ms|s|m|h|d)$/.test(distance)) return now + sign * parseDuration(distance);
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : NaN;
  if (Number.isFinite(time)) return time;
  throw wrong(text, option, "a duration (10m, 2h, 7d) or a time (2026-11-20T23:52:00Z)");
}

function wrong(text: unknown, option: string, expected: string): SpoolwayError {
  return new SpoolwayError("usage", `${option} is ${JSON.stringify(text)}, expected ${expected}`, {
    hint: "",
  });
}
