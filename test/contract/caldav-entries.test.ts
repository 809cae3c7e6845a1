// What only calendars have, on a real Radicale: times and zones, series, changes by two at once, a server that forgot where we were, our own changes.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { InboundEvent } from "../../schema/types.ts";
import { missingServer } from "../helpers/servers/daemon.ts";
import { icalOf, propertyOf, user } from "../helpers/servers/radicale.ts";
import { nowS, openCalendar as open, put, stored, team } from "../helpers/servers/radicaleBus.ts";
import { waitFor } from "../helpers/wait.ts";

const rawOf = (event: InboundEvent): { entry: Record<string, unknown>; ical: string } => event.raw as never;

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

describe.skipIf(missingServer("radicale"))("calendars", { timeout: 120_000 }, () => {
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
    await server.ask("PUT", `${team}series.ics`, series);
    const event = await bus.waitForEvent("Standup");
    expect(event).toMatchObject({
      kind: "item",
      platform_id: `${team}series.ics`,
      conversation: { id: team, name: "Team" },
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
    await server.ask("PUT", `${team}series.ics`, series);
    await bus.waitForEvent("Standup");
    const id = bus.send("calendar", {
      ...{
        conversation_id: team,
        action: "edit",
        target: { platform_id: `${team}series.ics` },
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
        conversation_id: team,
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
      make({ recurrence: "FREQ=NEVER" }),
      make({ start: "2026-12-01T12:00:00Z", end: "2026-12-01T12:00:00Z" }),
      make({ start: "2026-12-01", end: "2026-12-01T12:00:00Z" }),
    ];
    for (const id of wrong)
      expect((await bus.waitForDeadLetter("calendar", id)).code).toBe("invalid_message");
    const own = await bus.waitForEvent((event) => event.platform_id === `${team}${moment}.ics`);
    expect(own.sender).toMatchObject({ id: user, is_self: true });
    // Afterwards somebody else's change is theirs.
    const changed = icalOf({ uid: `${moment}@spoolway`, summary: "Dinner", changedS: nowS + 5 });
    await server.ask("PUT", `${team}${moment}.ics`, changed);
    const edit = await bus.waitForEvent("Dinner");
    expect(edit).toMatchObject({ kind: "edit", target: { platform_id: `${team}${moment}.ics` } });
    expect(edit.sender?.is_self ?? false).toBe(false);
  });

  test("a new entry replaces none that is there, and takes no attachment", async () => {
    const { server, bus } = await open();
    await put(server, "taken", "theirs");
    const refused = [
      { id: "taken", conversation_id: team, text: "ours" },
      { id: "large", conversation_id: team, text: "ours", attachments: [{ path: "a.txt" }] },
    ];
    bus.drop("calendar", "bytes", "a.txt");
    for (const message of refused) bus.drop("calendar", message);
    const taken = await bus.waitForDeadLetter("calendar", "taken");
    expect(taken).toMatchObject({ code: "rejected", hint: "Use another id." });
    expect((await bus.waitForDeadLetter("calendar", "large")).code).toBe("not_supported");
    expect(stored(server, "taken")).toContain("SUMMARY:theirs");
    expect((await bus.waitForEvent("theirs")).sender?.is_self ?? false).toBe(false);
    expect(stored(server, "large")).toBe("");
  });

  test("no target leads off the server, to another calendar, to a whole calendar, or to what is not there", async () => {
    const { server, bus } = await open();
    const paths = ["http://example.test/x.ics", "//example.test/x.ics", "team/x.ics", `/${user}/home/x.ics`];
    const whole = [team, team.slice(0, -1), `${team}.`, `${team}..`, `${team}x/../old.ics`, ""];
    for (const action of ["delete", "edit"])
      for (const platform_id of [...paths, ...whole]) {
        const id = bus.send("calendar", {
          ...{ conversation_id: team, action, target: { platform_id } },
          ...(action === "edit" ? { subject: "Never" } : {}),
        });
        expect((await bus.waitForDeadLetter("calendar", id)).code, `${action} ${platform_id}`).toMatch(
          platform_id === "" ? /^invalid_/ : /^invalid_target$/,
        );
      }
    expect(server.entries(team)).toHaveLength(1);
    const gone = bus.send("calendar", {
      ...{ conversation_id: team, action: "delete", target: { platform_id: `${team}never.ics` } },
    });
    expect(await bus.waitForDeadLetter("calendar", gone)).toMatchObject({
      code: "not_found",
      hint: expect.stringContaining("platform_id"),
    });
  });

  test("names of entries and calendars may have any characters: read, changed and removed by what the event says", async () => {
    const names = ["abc@mail.example", "a#b?c=d&e;f", "50% of %41 + ü 🌱", "x y"];
    const calendar = `/${user}/team@example.test #1/`;
    const urlOf = (name: string): string =>
      `/${user}/${encodeURIComponent("team@example.test #1")}/${encodeURIComponent(name)}.ics`;
    const { server, bus } = await open(
      {},
      { prepare: (radicale) => radicale.makeCalendar(urlOf("").slice(0, -4), "2026") },
    );
    for (const name of names)
      await server.ask("PUT", urlOf(name), icalOf({ uid: name, summary: `about ${name}`, changedS: nowS }));
    for (const name of names) {
      const event = await bus.waitForEvent(`about ${name}`);
      expect(event).toMatchObject({
        platform_id: `${calendar}${name}.ics`,
        conversation: { id: calendar, name: "2026" },
      });
      const target = { platform_id: event.platform_id };
      const edit = { conversation_id: calendar, action: "edit", target, subject: `new ${name}` };
      await bus.waitForReceipt("calendar", bus.send("calendar", edit));
      expect((await bus.waitForEvent((one) => one.content?.subject === `new ${name}`)).sender?.is_self).toBe(
        true,
      );
      await bus.waitForReceipt(
        "calendar",
        bus.send("calendar", { ...edit, action: "delete", subject: undefined }),
      );
    }
    expect(server.entries(calendar)).toEqual([]);
  });

  test("what is removed and made once more, or changed and changed back, comes each time", async () => {
    const { server, bus } = await open();
    const kinds = (): string[] =>
      bus.events().map(({ kind, content }) => `${kind} ${content?.subject ?? ""}`);
    const expected: string[] = [];
    const wait = async (...more: string[]): Promise<void> => {
      expected.push(...more);
      await waitFor(() => kinds().length === expected.length, { message: () => kinds().join() });
      expect(kinds()).toEqual(expected);
    };
    await put(server, "one", "this");
    await wait("item this");
    for (let n = 0; n < 2; n += 1) {
      await server.ask("DELETE", `${team}one.ics`);
      await wait("delete ");
      await put(server, "one", "this");
      await wait("item this");
      await put(server, "one", "that");
      await wait("edit that");
      await put(server, "one", "this");
      await wait("edit this");
    }
    await bus.restart();
    await put(server, "two", "after");
    await wait("item after");
  });

  test("a calendar that is made later is watched as a whole, also one that was made while we were away", async () => {
    const { server, bus } = await open();
    const make = async (name: string): Promise<void> => {
      await server.makeCalendar(`/${user}/${name}/`, name);
      await server.ask(
        "PUT",
        `/${user}/${name}/1.ics`,
        icalOf({ uid: name, summary: `in ${name}`, changedS: nowS }),
      );
    };
    await make("second");
    expect((await bus.waitForEvent("in second")).conversation?.name).toBe("second");
    await bus.stop();
    await make("third");
    await bus.start();
    await bus.waitForEvent("in third");
    await server.ask("DELETE", `/${user}/second/`);
    await put(server, "after", "after");
    await bus.waitForEvent("after");
    expect(bus.events("long ago")).toEqual([]);
  });

  test("a server that has forgotten where we were is compared with what we know: new, changed and gone come once", async () => {
    const { server, bus } = await open();
    for (const name of ["same", "changes", "goes"]) await put(server, name, name);
    for (const name of ["same", "changes", "goes"]) await bus.waitForEvent(name);
    await bus.stop();
    await server.stop();
    rmSync(join(server.folder, `collections/collection-root${team}.Radicale.cache`), {
      recursive: true,
      force: true,
    });
    await server.start();
    await put(server, "changes", "changed", undefined, nowS + 1);
    await put(server, "comes", "came", undefined, nowS + 2);
    await server.ask("DELETE", `${team}goes.ics`);
    await bus.start();
    await bus.waitForEvent("came");
    await bus.waitForEvent((event) => event.kind === "delete");
    const seen = bus
      .events()
      .map(({ kind, content, target }) => `${kind} ${content?.subject ?? target?.platform_id}`);
    expect(seen.slice(3).sort()).toEqual([`delete ${team}goes.ics`, "edit changed", "item came"]);
  });

  test("an entry that is no iCalendar any parser likes comes all the same", async () => {
    const { server, front, bus } = await open();
    await put(server, "odd", "odd");
    // Such as a more careless server has it.
    front.after = (_asked, answer) => ({
      ...answer,
      body: answer.body.replace("BEGIN:VEVENT", "BEGIN VEVENT"),
    });
    const odd = await bus.waitForEvent((event) => event.platform_id === `${team}odd.ics`);
    expect(odd).toMatchObject({ kind: "item", raw: { ical: expect.stringContaining("SUMMARY:odd") } });
    expect(String((odd.raw as { unreadable?: string }).unreadable)).toContain("BEGIN VEVENT");
    front.after = (_asked, answer) => answer;
    await put(server, "fine", "fine");
    await bus.waitForEvent("fine");
  });

  test("a calendar that is not there stops it, and those that are there are named", async () => {
    const { bus } = await open({ calendars: ["Wrok"] }, { until: { calendar: "stopped" } });
    const status = await waitFor(() => bus.connector("calendar"));
    expect(status.error?.message).toContain("Wrok");
    expect(status.user_action).toContain("Team");
  });
});
