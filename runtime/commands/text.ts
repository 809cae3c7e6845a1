// Words for people: times, counts, one line of text that came from somebody else.
import { once } from "node:events";
import type { Writable } from "node:stream";
import { printable } from "../printable.ts";

/** "3 s ago", "5 min ago", "2 h ago", "4 d ago"; "–" without a time. */
export function ago(time: string | undefined, now: number): string {
  if (time === undefined) return "–";
  return `${span(Math.max(0, now - Date.parse(time)))} ago`;
}

/** "in 12 s". */
export function until(time: string, now: number): string {
  return `in ${span(Math.max(0, Date.parse(time) - now))}`;
}

/** The largest unit that fits, in whole numbers. */
export function span(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** Local time of day, HH:MM:SS; with the date where that is not today's. */
export function clock(time: string, now: Date): string {
  const at = new Date(time);
  const pad = (n: number): string => String(n).padStart(2, "0");
  const day = (date: Date): string =>
    `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  const ofDay = `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
  return day(at) === day(now) ? ofDay : `${day(at)} ${ofDay}`;
}

export const count = (n: number, noun: string, plural = `${noun}s`): string =>
  `${n.toLocaleString("en-US")} ${n === 1 ? noun : plural}`;

/** Somebody else's text on one line that cannot control the terminal. */
export function oneLine(text: string): string {
  return printable(text).replaceAll("\n", " ⏎ ").replaceAll("\t", " ");
}

/** At most `width` characters. */
export function clip(text: string, width: number): string {
  const characters = [...text];
  return characters.length <= width ? text : `${characters.slice(0, Math.max(0, width - 1)).join("")}…`;
}

/** Writes, and waits where the reader is slow: output of any length in bounded memory. */
export async function print(out: Writable, text: string): Promise<void> {
  if (!out.write(text)) await once(out, "drain");
}
