// spoolway/sdk/calendar/entry: an entry of a calendar (iCalendar, RFC 5545) in plain fields: what people ask for first. It reads what a parser such as ical.js has made of it.
import type { Draft } from "../../draft.ts";
import { type Outgoing, reject } from "../../sdk.ts";
import { type Component, type Property, timeOf } from "./times.ts";
import { isoTime } from "../iso-time.ts";
import { isOneOf, isText, metaOptions } from "../meta-options.ts";

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

/** What a task is. */
const ofTasks = ["needs-action", "in-process", "completed"];

export function askedOf(message: Outgoing, type: string): Asked {
  const [short, long] = [isText(40), isText(1000)];
  const status = isOneOf("tentative", "confirmed", "cancelled", ...ofTasks);
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
    Object.entries(words).flatMap(([name, value]) => (value === undefined ? [] : [[name, plain(value)]])),
  );
}

/** Without what neither a line of iCalendar nor XML can hold. */
const plain = (text: string): string =>
  text
    .replaceAll(/\r\n?/g, "\n")
    .replaceAll(/[\0-\x08\x0b-\x1f\x7f\ufffe\uffff]/g, "")
    .toWellFormed();

/** An object with nothing in it but its id. */
export const blankEntry = (uid: string): string =>
  `BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Spoolway//EN\nBEGIN:VEVENT\nUID:${uid}\nEND:VEVENT\nEND:VCALENDAR\n`;

/** When an entry, or an instance of its series, was changed last; 0 where it does not say. */
export function changedMs(ical: string): number {
  // Definitions of time zones have such a time as well: when the zone was.
  const entries = ical.replaceAll(/^BEGIN:VTIMEZONE$.*?^END:VTIMEZONE$/gims, "").replaceAll("\r", "");
  const times = (name: string): number[] =>
    [...entries.matchAll(new RegExp(`^${name}(?:;[^:\\n]*)?:(\\S+)`, "gim"))].map(([, stamp = ""]) =>
      Date.parse(stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)/, "$1-$2-$3T$4:$5:$6")),
    );
  const changed = times("LAST-MODIFIED");
  return Math.max(...(changed.length > 0 ? changed : times("DTSTAMP")), 0) || 0;
}

/** An entry as an event, without its place. One that cannot be read, or was `refused` to us, is one all the same. */
export function draftOf(
  ical: string,
  parse: (ical: string) => readonly Component[],
  refused?: string,
): Draft {
  if (refused !== undefined) return { raw: { unreadable: refused } };
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
    sender:
      organizer === undefined
        ? undefined
        : {
            id: organizer,
            display_name: entry.getFirstProperty("organizer")?.getFirstParameter("cn"),
            is_self: false,
          },
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
