// What only calendars have, on a real Radicale: times and zones, series, changes by two at once, a server that forgot where we were, our own changes.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { InboundEvent } from "../../schema/types.ts";
import { type Bus, type BusOptions, startBus } from "../helpers/bus.ts";
import { atEnd } from "../helpers/children.ts";
import { missingServer } from "../helpers/servers/daemon.ts";
import {
  icalOf,
  makeRadicale,
  password,
  propertyOf,
  type Radicale,
  user,
} from "../helpers/servers/radicale.ts";
import { waitFor } from "../helpers/wait.ts";

const work = `/${user}/work/`;
const nowS = Math.floor(Date.now() / 1000);

interface Open {
  server: Radicale;
  bus: Bus;
  entry: Record<string, unknown>;
}

async function open(
  changes: Record<string, unknown> = {},
  until: BusOptions["until"] = "live",
): Promise<Open> {
  const folder = mkdtempSync(join(tmpdir(), "spoolway-caldav-"));
  const server = await makeRadicale(folder);
  atEnd(async () => {
    await server.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  await server.start();
  await server.makeCalendar(work, "Work");
  await server.ask("PUT", `${work}old.ics`, icalOf({ uid: "old", summary: "long ago", changedS: nowS }));
  const entry = {
    ...{ name: "calendar", type: "caldav", server: `http://127.0.0.1:${server.port}/`, user, password },
    runtime: { sync_every: "200ms" },
    ...changes,
  };
  return { server, bus: await startBus({ connectors: [entry], until }), entry };
}

const put = (
  server: Radicale,
  uid: string,
  summary: string,
  lines?: readonly string[],
  changedS = nowS,
): Promise<unknown> =>
  server.ask("PUT", `${work}${uid}.ics`, icalOf({ uid, summary, changedS, ...(lines && { lines }) }));

const rawOf = (event: InboundEvent): { entry: Record<string, unknown>; ical: string } => event.raw as never;
const stored = (server: Radicale, name: string): string =>
  server.entries(work).find(({ path }) => path === `${work}${name}.ics`)?.text ?? "";

const berlin = [
  ...["BEGIN:VTIMEZONE", "TZID:Europe/Berlin", "BEGIN:STANDARD", "DTSTART:19961027T030000"],
  ...["TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10", "END:STANDARD"],
  ...["BEGIN:DAYLIGHT", "DTSTART:19810329T020000", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200"],
  ...["RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3", "END:DAYLIGHT", "END:VTIMEZONE"],
];
const weekly = [
  ...["DTSTART;TZID=Europe/Berlin:20261201T100000", "DTEND;TZID=Europe/Berlin:20261201T110000"],
  ...["RRULE:FREQ=WEEKLY;COUNT=10", "EXDATE;TZID=Europe/Berlin:20261208T100000", "LOCATION:Room 1"],
  ...[
    "ATTENDEE;CN=Bob:mailto:bob@example.test",
    "BEGIN:VALARM",
    "ACTION:DISPLAY",
    "TRIGGER:-PT15M",
    "END:VALARM",
  ],
];
/** A series in Berlin's time, one instance of which was moved. */
const series = [
  ...["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", ...berlin, "BEGIN:VEVENT", "UID:series"],
  ...["DTSTAMP:20261101T000000Z", "SUMMARY:Standup", ...weekly, "END:VEVENT"],
  ...[
    "BEGIN:VEVENT",
    "UID:series",
    "DTSTAMP:20261101T000000Z",
    "RECURRENCE-ID;TZID=Europe/Berlin:20261215T100000",
  ],
  ...["DTSTART;TZID=Europe/Berlin:20261215T140000", "DTEND;TZID=Europe/Berlin:20261215T150000"],
  ...["SUMMARY:Standup\\, later", "END:VEVENT", "END:VCALENDAR", ""],
].join("\r\n");

describe.skipIf(missingServer("radicale"))("calendars", { timeout: 60_000 }, () => {
  test("what was there before the first start is left, or taken, as the config says", async () => {
    const { server, bus } = await open();
    await put(server, "new", "today");
    await bus.waitForEvent("today");
    expect(bus.events().map((event) => event.content?.subject)).toEqual(["today"]);
    const all = await open({ begin: "all" });
    await all.bus.waitForEvent("long ago");
  });

  test("a series comes whole: times with their zone, rules as they stand, the instance that differs", async () => {
    const { server, bus } = await open();
    await server.ask("PUT", `${work}series.ics`, series);
    const event = await bus.waitForEvent("Standup");
    expect(event).toMatchObject({
      kind: "item",
      platform_id: `${work}series.ics`,
      conversation: { id: work, name: "Work" },
    });
    expect(rawOf(event).entry).toMatchObject({
      uid: "series",
      start: { local: "2026-12-01T10:00:00", time_zone: "Europe/Berlin", utc: "2026-12-01T09:00:00.000Z" },
      recurrence: ["RRULE:FREQ=WEEKLY;COUNT=10", "EXDATE;TZID=Europe/Berlin:20261208T100000"],
      attendees: ["bob@example.test"],
      changed_instances: [{ summary: "Standup, later", start: { utc: "2026-12-15T13:00:00.000Z" } }],
    });
    expect(rawOf(event).ical).toContain("BEGIN:VALARM");
  });

  test("a change leaves alone what it does not name, and a moved time keeps its zone", async () => {
    const { server, bus } = await open();
    await server.ask("PUT", `${work}series.ics`, series);
    await bus.waitForEvent("Standup");
    const id = bus.send("calendar", {
      ...{
        conversation_id: work,
        action: "edit",
        target: { platform_id: `${work}series.ics` },
        subject: "Standup!",
      },
      meta: { caldav: { start: "2026-12-01T10:30:00+01:00" } },
    });
    await bus.waitForReceipt("calendar", id);
    const text = stored(server, "series");
    expect(propertyOf(text.slice(text.indexOf("BEGIN:VEVENT")), "SUMMARY")).toBe("Standup!");
    for (const kept of [
      "RRULE:FREQ=WEEKLY;COUNT=10",
      "BEGIN:VALARM",
      "bob@example.test",
      "Standup\\, later",
      "Room 1",
    ])
      expect(text).toContain(kept);
    expect(text).toContain("DTSTART;TZID=Europe/Berlin:20261201T103000");
    expect(text).toContain("DTEND;TZID=Europe/Berlin:20261201T113000");
    expect(text).toMatch(/SEQUENCE:1\b/);
    const edit = await bus.waitForEvent((event) => event.kind === "edit");
    expect(edit.sender).toMatchObject({ id: user, is_self: true });
  });

  test("a new entry has what the message says; a day is a day; what makes no sense is refused and says why", async () => {
    const { server, bus } = await open();
    const make = (caldav: Record<string, unknown>): string =>
      bus.send("calendar", {
        conversation_id: work,
        subject: "Lunch",
        text: "with Bob; and, Ada",
        meta: { caldav },
      });
    const moment = make({
      start: "2026-12-01T12:00:00+01:00",
      location: "Café 🌱",
      recurrence: "FREQ=DAILY;COUNT=3",
    });
    const day = make({ start: "2026-12-24" });
    for (const id of [moment, day]) await bus.waitForReceipt("calendar", id);
    expect(stored(server, moment)).toMatch(/DTSTART:20261201T110000Z\r?\nDTEND:20261201T113000Z/);
    expect(propertyOf(stored(server, moment), "LOCATION")).toBe("Café 🌱");
    expect(propertyOf(stored(server, moment), "DESCRIPTION")).toBe("with Bob; and, Ada");
    expect(stored(server, moment)).toContain("RRULE:FREQ=DAILY;COUNT=3");
    expect(stored(server, day)).toMatch(/DTSTART;VALUE=DATE:20261224\r?\nDTEND;VALUE=DATE:20261225/);
    const wrong = [
      make({ start: "tomorrow" }),
      make({ start: "2026-12-01T12:00" }),
      make({ begin: "2026-12-01" }),
      make({ ical: "nonsense" }),
    ];
    for (const id of wrong)
      expect((await bus.waitForDeadLetter("calendar", id)).code).toBe("invalid_message");
    const own = await bus.waitForEvent((event) => event.platform_id === `${work}${moment}.ics`);
    expect(own.sender).toMatchObject({ id: user, is_self: true });
    // Afterwards somebody else's change is theirs.
    const changed = icalOf({ uid: `${moment}@spoolway`, summary: "Dinner", changedS: nowS + 5 });
    await server.ask("PUT", `${work}${moment}.ics`, changed);
    const edit = await bus.waitForEvent("Dinner");
    expect(edit).toMatchObject({ kind: "edit", target: { platform_id: `${work}${moment}.ics` } });
    expect(edit.sender?.is_self ?? false).toBe(false);
  });

  test("no path leads off the server, or to what is not there", async () => {
    const { bus } = await open();
    const remove = (platform_id: string): string =>
      bus.send("calendar", { conversation_id: work, action: "delete", target: { platform_id } });
    for (const path of ["http://example.test/x.ics", "//example.test/x.ics", "work/x.ics"])
      expect((await bus.waitForDeadLetter("calendar", remove(path))).code).toBe("invalid_target");
    const gone = await bus.waitForDeadLetter("calendar", remove(`${work}never.ics`));
    expect(gone).toMatchObject({ code: "not_found", hint: expect.stringContaining("platform_id") });
  });

  test("a server that has forgotten where we were is compared with what we know: new, changed and gone come once", async () => {
    const { server, bus } = await open();
    for (const name of ["same", "changes", "goes"]) await put(server, name, name);
    for (const name of ["same", "changes", "goes"]) await bus.waitForEvent(name);
    await bus.stop();
    await server.stop();
    rmSync(join(server.folder, `collections/collection-root${work}.Radicale.cache`), {
      recursive: true,
      force: true,
    });
    await server.start();
    await put(server, "changes", "changed", undefined, nowS + 1);
    await put(server, "comes", "came", undefined, nowS + 2);
    await server.ask("DELETE", `${work}goes.ics`);
    await bus.start();
    await bus.waitForEvent("came");
    await bus.waitForEvent((event) => event.kind === "delete");
    const seen = bus
      .events()
      .map(({ kind, content, target }) => `${kind} ${content?.subject ?? target?.platform_id}`);
    expect(seen.slice(3).sort()).toEqual([`delete ${work}goes.ics`, "edit changed", "item came"]);
  });

  test("an entry that is no iCalendar any parser likes comes all the same", async () => {
    const { server, bus } = await open();
    // Behind the server's back, as a broken backup leaves it.
    await put(server, "odd", "odd", ["DTSTART:20261201T090000Z", "RRULE:FREQ=NEVER"]).catch(() => undefined);
    await put(server, "fine", "fine");
    await bus.waitForEvent("fine");
  });

  test("a calendar that is not there stops it, and those that are there are named", async () => {
    const { bus } = await open({ calendars: ["Wrok"] }, { calendar: "stopped" });
    const status = await waitFor(() => bus.connector("calendar"));
    expect(status.error?.message).toContain("Wrok");
    expect(status.user_action).toContain("Work");
  });
});
