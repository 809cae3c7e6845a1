// spoolway/sdk/calendar-entry: an entry of a calendar (iCalendar, RFC 5545) in plain fields: what people ask for first. It reads what a parser such as ical.js has made of it.
import type { Draft } from "../draft.ts";
import { type Outgoing, reject } from "../sdk.ts";
import { isoTime } from "./iso-time.ts";
import { isOneOf, isText, metaOptions } from "./meta-options.ts";

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

/** A day or a moment. */
interface Time {
  isDate: boolean;
  zone: { tzid: string };
  toString(): string;
  toUnixTime(): number;
}

/** The entry of a calendar object, and the instances of its series that differ. Refuses an object without any. */
export function entriesOf<C extends Component>(all: readonly C[]): { entry: C; others: C[] } {
  const entries = all.filter(({ name }) => /^v(?:event|todo|journal)$/.test(name));
  const entry = entries.find((one) => one.getFirstProperty("recurrence-id") === null) ?? entries[0];
  if (entry === undefined) throw reject("there is no VEVENT, VTODO or VJOURNAL in it", "invalid_message");
  return { entry, others: entries.filter((one) => one !== entry) };
}

/** What a message asks for in meta.<type>, beside its words. */
export interface Asked {
  start?: string;
  end?: string;
  location?: string;
  /** A recurrence rule (RFC 5545, 3.3.10). */
  recurrence?: string;
  status?: string;
  /** A whole calendar object. */
  ical?: string;
}

export function askedOf(message: Outgoing, type: string): Asked {
  const [short, long] = [isText(40), isText(1000)];
  const status = isOneOf("tentative", "confirmed", "cancelled");
  const checks = {
    start: short,
    end: short,
    location: long,
    recurrence: long,
    status,
    ical: isText(1_000_000),
  };
  return metaOptions(message, type, checks);
}

/** The properties of an entry that a message sets by its words. */
export function wordsOf({ subject, text }: Outgoing, asked: Asked, entry: Component): Record<string, string> {
  const [first, ...more] = text?.split("\n") ?? [];
  const isLong = subject !== undefined || more.length > 0 || entry.getFirstProperty("description") !== null;
  const words = {
    summary: subject ?? first,
    description: isLong ? text : undefined,
    location: asked.location,
    status: asked.status?.toUpperCase(),
  };
  return Object.fromEntries(
    Object.entries(words).filter((one): one is [string, string] => one[1] !== undefined),
  );
}

/** An object with nothing in it but its id. */
export const blankEntry = (uid: string): string =>
  `BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Spoolway//EN\nBEGIN:VEVENT\nUID:${uid}\nEND:VEVENT\nEND:VCALENDAR\n`;

/** When an entry was changed last; 0 where it does not say. */
export function changedMs(ical: string): number {
  const [, stamp = ""] =
    /^LAST-MODIFIED[^:\r\n]*:(\S+)/m.exec(ical) ?? /^DTSTAMP[^:\r\n]*:(\S+)/m.exec(ical) ?? [];
  return Date.parse(stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)/, "$1-$2-$3T$4:$5:$6")) || 0;
}

/** An entry as an event, without its place. One that cannot be read is one all the same. */
export function draftOf(ical: string, parse: (ical: string) => readonly Component[]): Draft {
  try {
    const { entry, others } = entriesOf(parse(ical));
    return entryDraft(ical, entry, others);
  } catch (error) {
    return { raw: { ical, unreadable: (error as Error).message } };
  }
}

/** `others`: the instances of its series that differ. */
function entryDraft(ical: string, entry: Component, others: readonly Component[]): Draft {
  const all = (name: string): Property[] => entry.getAllProperties(name);
  const organizer = address(entry.getFirstProperty("organizer"));
  const summary = textOf(entry, "summary");
  return {
    occurred_at: isoTime(changedMs(ical) || Number.NaN),
    sender: organizer === undefined ? undefined : { id: organizer, is_self: false },
    content: { subject: summary, text: textOf(entry, "description") || summary, format: "plain" },
    raw: {
      ical,
      entry: {
        type: entry.name,
        uid: textOf(entry, "uid"),
        ...described(entry),
        attendees: all("attendee").map(address),
        // As it stands: RRULE, RDATE and EXDATE are for the reader's own library.
        recurrence: ["rrule", "rdate", "exdate"].flatMap(all).map((one) => one.toICALString()),
        changed_instances: others.map((one) => ({
          instance: timeOf(one, "recurrence-id"),
          ...described(one),
        })),
      },
    },
  };
}

const described = (entry: Component): Record<string, unknown> => ({
  summary: textOf(entry, "summary"),
  start: timeOf(entry, "dtstart"),
  end: timeOf(entry, "dtend") ?? timeOf(entry, "due"),
  duration: textOf(entry, "duration"),
  location: textOf(entry, "location"),
  status: textOf(entry, "status")?.toLowerCase(),
});

function textOf(entry: Component, name: string): string | undefined {
  const value = entry.getFirstProperty(name)?.getFirstValue();
  return value === undefined || value === null ? undefined : String(value as string);
}

const address = (property: Property | null): string | undefined =>
  property === null ? undefined : String(property.getFirstValue() as string).replace(/^mailto:/i, "");

/** All day: `date`. Else the time as people there read it, its zone, and the moment that it is (absent for a time that is the same everywhere). */
function timeOf(entry: Component, name: string): Record<string, string> | undefined {
  const property = entry.getFirstProperty(name);
  const time = property?.getFirstValue() as Time | null | undefined;
  if (typeof time !== "object" || time === null || typeof time.toUnixTime !== "function") return undefined;
  const local = time.toString().replace(/Z$/, "");
  if (time.isDate) return { date: local };
  if (time.zone.tzid === "floating") return { local };
  const zone = property?.getFirstParameter("tzid") ?? "UTC";
  return { local, time_zone: zone, utc: new Date(time.toUnixTime() * 1000).toISOString() };
}

/** A day (2026-11-21), or a moment (2026-11-21T10:00:00+01:00, or with Z). Refuses anything else: a time without a zone would mean another one elsewhere. */
export function dayOrMoment(text: string): { day: string } | { moment: Date } {
  const moment = new Date(/(?:Z|[+-]\d\d:\d\d)$/.test(text) ? text : Number.NaN);
  if (/^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text))) return { day: text };
  if (!Number.isNaN(moment.getTime())) return { moment };
  throw reject(`${JSON.stringify(text)} is neither a day nor a moment`, "invalid_message", {
    hint: "Write 2026-11-21, or 2026-11-21T10:00:00+01:00 (or with Z).",
  });
}
