// spoolway/sdk/calendar/times: the times of a calendar's entry (RFC 5545, 3.3.5): a day, a moment in UTC, or what clocks show in a zone or (floating) anywhere. It reads what a
// parser such as ical.js has made of them, and writes them as lines.
import { reject } from "../../sdk.ts";

export interface Property {
  getFirstValue(): unknown;
  getFirstParameter(name: string): string | undefined;
  toICALString(): string;
}

export interface Component {
  name: string;
  getFirstProperty(name: string): Property | null;
  getAllProperties(name: string): Property[];
}

/** In a zone that the object names and does not define it is "floating", as where there is no zone. */
export interface Time {
  isDate: boolean;
  zone: { tzid: string };
  toString(): string;
  toUnixTime(): number;
}

/** What the clocks of a time's own zone show at a moment (2026-12-01T12:00:00). */
export type ClockAt = (moment: Date, like: Time) => string;

/** A time as it is written. `zone`: its TZID. */
interface Written {
  local: string;
  isDate: boolean;
  isUtc: boolean;
  zone: string | undefined;
}

const dayMs = 86_400_000;

function timeIn(property: Property | null): Time | undefined {
  const time = property?.getFirstValue() as Time | null | undefined;
  return typeof time === "object" && typeof time?.toUnixTime === "function" ? time : undefined;
}

/** All day: `date`. Else the time as people there read it, its zone, and the moment that it is (absent for a time that is the same everywhere). */
export function timeOf(entry: Component, name: string): Record<string, string> | undefined {
  const property = entry.getFirstProperty(name);
  const time = timeIn(property);
  if (time === undefined) return undefined;
  const local = time.toString().replace(/Z$/, "");
  if (time.isDate) return { date: local };
  const named = property?.getFirstParameter("tzid");
  if (time.zone.tzid !== "floating")
    return { local, time_zone: named ?? "UTC", utc: new Date(time.toUnixTime() * 1000).toISOString() };
  return named === undefined ? { local } : { local, time_zone: named, ...utcOf(local, named) };
}

/** By the zones that everybody knows; nothing for another one. */
function utcOf(local: string, zone: string): { utc?: string } {
  try {
    const moment = Temporal.PlainDateTime.from(local).toZonedDateTime(zone);
    return { utc: new Date(moment.epochMilliseconds).toISOString() };
  } catch {
    return {};
  }
}

function clockIn(zone: string, moment: Date): string | undefined {
  try {
    const there = Temporal.Instant.from(moment.toISOString()).toZonedDateTimeISO(zone);
    return there.toPlainDateTime().toString({ smallestUnit: "second" });
  } catch {
    return undefined;
  }
}

/** A day (2026-11-21), or a moment (2026-11-21T10:00:00+01:00, or with Z). Refuses anything else: a time without a zone would mean another one elsewhere. */
function dayOrMoment(text: string): { day: string } | { moment: Date } {
  const moment = new Date(/T.*(?:Z|[+-]\d\d:\d\d)$/.test(text) ? text : Number.NaN);
  if (/^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text))) return { day: text };
  if (!Number.isNaN(moment.getTime())) return { moment };
  throw reject(`${JSON.stringify(text)} is neither a day nor a moment`, "invalid_message", {
    hint: "Write 2026-11-21, or 2026-11-21T10:00:00+01:00 (or with Z).",
  });
}

/** In the zone of a time that is there already; else in UTC. */
function writtenLike(text: string, like: Property | null, clockAt: ClockAt): Written {
  const given = dayOrMoment(text);
  const floating = { isDate: false, isUtc: false, zone: undefined };
  if ("day" in given) return { ...floating, local: given.day, isDate: true };
  const { moment } = given;
  const utc = { ...floating, local: moment.toISOString().slice(0, 19), isUtc: true };
  const [time, zone] = [timeIn(like), like?.getFirstParameter("tzid")];
  if (time === undefined || time.isDate || time.zone.tzid === "UTC") return utc;
  if (time.zone.tzid !== "floating") return { ...floating, local: clockAt(moment, time), zone };
  // The same everywhere: as it was said.
  if (zone === undefined) return { ...floating, local: text.replace(/(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/, "") };
  const local = clockIn(zone, moment);
  return local === undefined ? utc : { ...floating, local, zone };
}

const clockMs = ({ local }: Written): number => Date.parse(`${local}${local.includes("T") ? "" : "T00:00"}Z`);

function later(time: Written, ms: number): Written {
  const local = new Date(clockMs(time) + ms).toISOString().slice(0, time.isDate ? 10 : 19);
  return { ...time, local };
}

function writtenOf(property: Property | null): Written | undefined {
  const time = timeIn(property);
  if (time === undefined) return undefined;
  const local = time.toString().replace(/Z$/, "");
  const zone = property?.getFirstParameter("tzid");
  return { local, isDate: time.isDate, isUtc: time.zone.tzid === "UTC" && zone === undefined, zone };
}

const lineOf = (name: string, { local, isDate, isUtc, zone }: Written): string => {
  const digits = local.replace(/T(\d\d:\d\d)$/, "T$1:00").replaceAll(/[-:]/g, "");
  const parameter = isDate ? ";VALUE=DATE" : zone === undefined ? "" : `;TZID="${zone.replaceAll('"', "")}"`;
  return `${name}${parameter}:${digits}${isUtc ? "Z" : ""}`;
};

export interface TimesAsked {
  start?: string | undefined;
  end?: string | undefined;
  /** How long it is when the message names no end, and nothing else says it. */
  usualMs: number;
  /** It gets an end in any case. */
  isNew: boolean;
}

/**
 * The lines of an entry that a start, an end or both make (DTSTART, and DTEND or a task's DUE). Moved by its start alone, it is as long as it was. Refuses an end that is not
 * after the start, or not of its kind.
 */
export function timeLines(entry: Component, asked: TimesAsked, clockAt: ClockAt): string[] {
  const endName = entry.name === "vtodo" ? "due" : "dtend";
  const [startThere, endThere] = ["dtstart", endName].map((name) => entry.getFirstProperty(name)) as [
    Property | null,
    Property | null,
  ];
  const [startBefore, endBefore] = [writtenOf(startThere), writtenOf(endThere)];
  const start = asked.start === undefined ? undefined : writtenLike(asked.start, startThere, clockAt);
  const end =
    asked.end === undefined
      ? start && endFor(start, startBefore, endBefore, asked)
      : writtenLike(asked.end, endThere ?? startThere, clockAt);
  if (start !== undefined || end !== undefined) checkOrder(start ?? startBefore, end ?? endBefore);
  return [start && lineOf("DTSTART", start), end && lineOf(endName.toUpperCase(), end)].filter(
    (line) => line !== undefined,
  );
}

function endFor(
  start: Written,
  startBefore: Written | undefined,
  endBefore: Written | undefined,
  { usualMs, isNew }: TimesAsked,
): Written | undefined {
  if (endBefore === undefined) return isNew ? later(start, start.isDate ? dayMs : usualMs) : undefined;
  if (endBefore.isDate !== start.isDate) return later(start, start.isDate ? dayMs : usualMs);
  // A task that only had a time when it is due keeps that.
  return startBefore && later(endBefore, clockMs(start) - clockMs(startBefore));
}

function checkOrder(start: Written | undefined, end: Written | undefined): void {
  if (start === undefined || end === undefined) return;
  const isComparable = start.zone === end.zone && start.isUtc === end.isUtc;
  if (start.isDate !== end.isDate || (isComparable && clockMs(end) <= clockMs(start)))
    throw reject(`from ${start.local} to ${end.local}`, "invalid_message", {
      hint: "The end is after the start, and both are days or both are moments. The end of whole days is the day after the last.",
    });
}
