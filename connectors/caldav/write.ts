// Messages as entries: a new one, a change of one that leaves alone what it does not name, or the end of one.
import ICAL from "ical.js";
import { type Outgoing, parseDuration, reject, type SendContext, type SendResult } from "spoolway/sdk";
import { type Asked, askedOf, blankEntry, entriesOf, wordsOf } from "spoolway/sdk/calendar/entry";
import { type ClockAt, timeLines } from "spoolway/sdk/calendar/times";
import type { OwnVersions } from "spoolway/sdk/calendar/own-versions";
import type { DavServer } from "spoolway/sdk/calendar/web-dav";
import type { Calendar } from "./calendars.ts";
import type { Config } from "./manifest.d.ts";

export interface Session {
  dav: DavServer;
  calendars: Calendar[];
  own: OwnVersions;
}

const type = "text/calendar";
const targets =
  "target.platform_id is that of an event or a receipt, conversation_id the calendar that it is in.";

export async function send(
  { dav, own }: Session,
  message: Outgoing,
  ctx: SendContext<Config>,
): Promise<SendResult> {
  const { action, target, id, conversation_id, attachments = [] } = message;
  const unable =
    attachments.length > 0 ? "attachments" : ["message", "edit", "delete"].includes(action) ? "" : action;
  if (unable !== "") throw reject(`a calendar takes no ${unable}`, "not_supported");
  const calendar = conversation_id.replace(/\/*$/, "/");
  const isNew = action === "message";
  const path = isNew ? `${calendar}${id}.ics` : (target?.platform_id ?? "");
  // A calendar as the target would be replaced or removed with all that is in it.
  if (!path.startsWith(calendar) || !/^[^/]+$/.test(path.slice(calendar.length)))
    throw reject(`${JSON.stringify(path)} is no entry of ${calendar}`, "invalid_target", { hint: targets });
  const asked = askedOf(message, "caldav");
  const write = (text: string): string =>
    written(asked.ical ?? text, message, asked, isNew, ctx.config.duration);
  await own.during(path, ctx.mayHaveBeenSent && action !== "edit", async () => {
    if (isNew) return dav.create(path, type, write(blankEntry(`${id}@spoolway`)), ctx.mayHaveBeenSent);
    if (action === "edit") return dav.change(path, type, write);
    await dav.remove(path, ctx.mayHaveBeenSent);
    return undefined;
  });
  return { platform_id: path };
}

/** The text of a calendar object with what a message says. */
function written(text: string, message: Outgoing, asked: Asked, isNew: boolean, usual: string): string {
  const calendar = parse(text);
  const { entry } = entriesOf(calendar.getAllSubcomponents());
  const isBlank = isNew && asked.ical === undefined;
  for (const [name, value] of Object.entries(wordsOf(message, asked, entry)))
    entry.updatePropertyWithValue(name, value);
  const start = asked.start ?? (isBlank ? new Date().toISOString() : undefined);
  const times = { start, end: asked.end, isNew: isBlank, usualMs: parseDuration(usual) };
  const clockAt: ClockAt = (moment, like) =>
    ICAL.Time.fromJSDate(moment, true)
      .convertToZone((like as ICAL.Time).zone)
      .toString();
  if (asked.end !== undefined) entry.removeAllProperties("duration");
  for (const line of timeLines(entry, times, clockAt)) replace(entry, line);
  if (asked.recurrence !== undefined) replace(entry, `RRULE:${asked.recurrence}`);
  const now = ICAL.Time.fromJSDate(new Date(), true);
  for (const name of ["dtstamp", "last-modified", ...(isBlank ? ["created"] : [])])
    entry.updatePropertyWithValue(name, now);
  const sequence = isNew ? 0 : Number(entry.getFirstPropertyValue("sequence") ?? 0) + 1;
  entry.updatePropertyWithValue("sequence", sequence);
  return calendar.toString();
}

/** Anew, so that nothing of the value before (its zone, its kind) stays. */
function replace(entry: ICAL.Component, line: string): void {
  const property = understood(line, () => ICAL.Property.fromString(line));
  entry.removeAllProperties(property.name);
  entry.addProperty(property);
}

/** Refuses what is no iCalendar. */
export const parse = (text: string): ICAL.Component =>
  understood("", () => new ICAL.Component(ICAL.parse(text) as unknown[]));

function understood<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw reject(`no iCalendar: ${what} ${(error as Error).message}`, "invalid_message", { cause: error });
  }
}
