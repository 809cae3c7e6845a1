// Messages as entries: a new one, a change of one that leaves alone what it does not name, or the end of one.
import ICAL from "ical.js";
import { type Outgoing, parseDuration, reject, type SendContext, type SendResult } from "spoolway/sdk";
import {
  type Asked,
  askedOf,
  blankEntry,
  dayOrMoment,
  entriesOf,
  wordsOf,
} from "spoolway/sdk/calendar-entry";
import type { Recent } from "spoolway/sdk/recent";
import type { DavServer } from "spoolway/sdk/web-dav";
import type { Calendar } from "./calendars.ts";
import type { Config } from "./manifest.d.ts";

export interface Session {
  dav: DavServer;
  calendars: Calendar[];
  /** Our own changes: the path and the version that became of it, "*" while it is under way. */
  own: Recent<string>;
}

const type = "text/calendar";

export async function send(
  { dav, own }: Session,
  message: Outgoing,
  ctx: SendContext<Config>,
): Promise<SendResult> {
  const { action, target, id, conversation_id: calendar, attachments = [] } = message;
  const unable =
    attachments.length > 0 ? "attachments" : ["message", "edit", "delete"].includes(action) ? "" : action;
  if (unable !== "") throw reject(`a calendar takes no ${unable}`, "not_supported");
  const path =
    action === "message" ? `${calendar.replace(/\/*$/, "/")}${id}.ics` : (target?.platform_id ?? "");
  const asked = askedOf(message, "caldav");
  const write = (text: string): string => written(asked.ical ?? text, message, asked, ctx.config.duration);
  await own.note(path, "*");
  if (action === "delete") await dav.remove(path, ctx.mayHaveBeenSent);
  else {
    const fresh = (): string => write(blankEntry(`${id}@spoolway`));
    const creating = action === "message";
    const version = await (creating
      ? dav.create(path, type, fresh(), ctx.mayHaveBeenSent)
      : dav.change(path, type, write));
    if (version !== undefined) await own.note(path, version);
  }
  return { platform_id: path };
}

/** The text of a calendar object with what a message says. */
function written(text: string, message: Outgoing, asked: Asked, duration: string): string {
  const calendar = parse(text);
  const { entry } = entriesOf(calendar.getAllSubcomponents());
  const set = (name: string, value: string | number | ICAL.Time | ICAL.Recur): unknown =>
    entry.updatePropertyWithValue(name, value);
  const isNew = !entry.hasProperty("dtstart");
  for (const [name, value] of Object.entries(wordsOf(message, asked, entry))) set(name, value);
  if (asked.recurrence !== undefined) set("rrule", ICAL.Recur.fromString(asked.recurrence));
  if (asked.start !== undefined || (isNew && asked.ical === undefined)) {
    const start = timeOf(asked.start ?? `${new Date().toISOString().slice(0, 19)}Z`, entry, "dtstart");
    const usualS = start.isDate ? 86_400 : parseDuration(duration) / 1000;
    const end = start.clone();
    end.addDuration(isNew ? ICAL.Duration.fromSeconds(usualS) : new ICAL.Event(entry).duration);
    set("dtstart", start);
    if (!entry.hasProperty("duration")) set("dtend", end);
  }
  if (asked.end !== undefined) {
    entry.removeProperty("duration");
    set("dtend", timeOf(asked.end, entry, "dtend"));
  }
  const now = ICAL.Time.fromJSDate(new Date(), true);
  for (const name of ["dtstamp", "last-modified", ...(isNew ? ["created"] : [])]) set(name, now);
  set("sequence", isNew ? 0 : Number(entry.getFirstPropertyValue("sequence") ?? 0) + 1);
  return calendar.toString();
}

/** In the zone that the entry has. */
function timeOf(text: string, entry: ICAL.Component, name: string): ICAL.Time {
  const given = dayOrMoment(text);
  if ("day" in given) return ICAL.Time.fromDateString(given.day);
  const before = entry.getFirstPropertyValue(name);
  const time = ICAL.Time.fromJSDate(given.moment, true);
  return before instanceof ICAL.Time && !before.isDate ? time.convertToZone(before.zone) : time;
}

/** Refuses what is no iCalendar. */
export function parse(text: string): ICAL.Component {
  try {
    return new ICAL.Component(ICAL.parse(text) as unknown[]);
  } catch (error) {
    throw reject(`no iCalendar: ${(error as Error).message}`, "invalid_message", { cause: error });
  }
}
