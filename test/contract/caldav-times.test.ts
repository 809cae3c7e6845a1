// What a message makes of an entry's times and words, on a real Radicale: zones that are defined, only named or not there, whole days, tasks, and texts that no line can hold.
import { describe, expect, test } from "vitest";
import type { InboundEvent } from "../../schema/types.ts";
import type { Bus } from "../helpers/bus.ts";
import { missingServer } from "../helpers/servers/daemon.ts";
import { propertyOf, type Radicale } from "../helpers/servers/radicale.ts";
import { openCalendar, put, stored, team } from "../helpers/servers/radicaleBus.ts";

const rawOf = (event: InboundEvent): { entry: Record<string, unknown> } => event.raw as never;

/** Changes an entry and returns its times as they are written. */
async function edit(
  bus: Bus,
  server: Radicale,
  name: string,
  caldav: Record<string, unknown>,
): Promise<string[]> {
  const target = { platform_id: `${team}${name}.ics` };
  const id = bus.send("calendar", { conversation_id: team, action: "edit", target, meta: { caldav } });
  await bus.waitForReceipt("calendar", id);
  return stored(server, name)
    .split("\r\n")
    .filter((line) => /^(DTSTART|DTEND|DUE|DURATION)/.test(line))
    .sort();
}

const task = (lines: readonly string[]): string =>
  [
    "BEGIN:VCALENDAR",
    "VERSION:2.0",
    "PRODID:-//test//EN",
    "BEGIN:VTODO",
    "UID:task",
    "DTSTAMP:20261101T000000Z",
  ]
    .concat("SUMMARY:Taxes", lines, "END:VTODO", "END:VCALENDAR", "")
    .join("\r\n");

describe.skipIf(missingServer("radicale"))("a calendar's times", { timeout: 120_000 }, () => {
  test("move within the zone that the entry names, defined or not, and stay as long as they were", async () => {
    const { server, bus } = await openCalendar();
    const named = [
      "DTSTART;TZID=Europe/Berlin:20261201T100000",
      "DTEND;TZID=America/New_York:20261201T120000",
    ];
    await put(server, "named", "named", named);
    const event = await bus.waitForEvent("named");
    expect(rawOf(event).entry).toMatchObject({
      start: { local: "2026-12-01T10:00:00", time_zone: "Europe/Berlin", utc: "2026-12-01T09:00:00.000Z" },
      end: { local: "2026-12-01T12:00:00", time_zone: "America/New_York", utc: "2026-12-01T17:00:00.000Z" },
    });
    expect(await edit(bus, server, "named", { start: "2026-12-01T12:00:00+01:00" })).toEqual([
      "DTEND;TZID=America/New_York:20261201T140000",
      "DTSTART;TZID=Europe/Berlin:20261201T120000",
    ]);
    expect(await edit(bus, server, "named", { end: "2026-12-01T20:30Z" })).toEqual([
      "DTEND;TZID=America/New_York:20261201T153000",
      "DTSTART;TZID=Europe/Berlin:20261201T120000",
    ]);
    await put(server, "odd", "odd", ["DTSTART;TZID=Nobody knows:20261201T100000", "DURATION:PT1H"]);
    expect(rawOf(await bus.waitForEvent("odd")).entry).toMatchObject({
      start: { local: "2026-12-01T10:00:00", time_zone: "Nobody knows" },
    });
    expect(await edit(bus, server, "odd", { start: "2026-12-01T12:00:00+01:00" })).toEqual([
      "DTSTART:20261201T110000Z",
      "DURATION:PT1H",
    ]);
    expect(await edit(bus, server, "odd", { end: "2026-12-01T13:00:00Z" })).toEqual([
      "DTEND:20261201T130000Z",
      "DTSTART:20261201T110000Z",
    ]);
    await put(server, "floats", "floats", ["DTSTART:20261201T100000", "DTEND:20261201T110000"]);
    expect(await edit(bus, server, "floats", { start: "2026-12-01T12:00:00+01:00" })).toEqual([
      "DTEND:20261201T130000",
      "DTSTART:20261201T120000",
    ]);
    expect(bus.list("failed/calendar")).toEqual([]);
  });

  test("become whole days and moments again, without what they had before", async () => {
    const { server, bus } = await openCalendar();
    const named = ["DTSTART;TZID=Europe/Berlin:20261201T100000", "DTEND;TZID=Europe/Berlin:20261201T110000"];
    await put(server, "one", "one", named);
    expect(await edit(bus, server, "one", { start: "2026-12-24" })).toEqual([
      "DTEND;VALUE=DATE:20261225",
      "DTSTART;VALUE=DATE:20261224",
    ]);
    expect(await edit(bus, server, "one", { end: "2026-12-27" })).toEqual([
      "DTEND;VALUE=DATE:20261227",
      "DTSTART;VALUE=DATE:20261224",
    ]);
    expect(await edit(bus, server, "one", { start: "2026-12-30" })).toEqual([
      "DTEND;VALUE=DATE:20270102",
      "DTSTART;VALUE=DATE:20261230",
    ]);
    expect(await edit(bus, server, "one", { start: "2026-12-01T12:00:00+01:00" })).toEqual([
      "DTEND:20261201T113000Z",
      "DTSTART:20261201T110000Z",
    ]);
    const both = { start: "2026-12-02T12:00:00Z", end: "2026-12-02T14:00:00Z" };
    expect(await edit(bus, server, "one", both)).toEqual([
      "DTEND:20261202T140000Z",
      "DTSTART:20261202T120000Z",
    ]);
  });

  test("a task has what it had: no start where it has none, a time that it is due instead of an end", async () => {
    const { server, bus } = await openCalendar();
    await server.ask("PUT", `${team}task.ics`, task([]));
    const target = { platform_id: `${team}task.ics` };
    const renamed = { conversation_id: team, action: "edit", target, subject: "Taxes!" };
    await bus.waitForReceipt("calendar", bus.send("calendar", renamed));
    const text = stored(server, "task");
    expect(text).toContain("SUMMARY:Taxes!");
    expect(text).toMatch(/SEQUENCE:1\b/);
    expect(text).not.toMatch(/DTSTART|DTEND|DUE|CREATED/);
    expect(await edit(bus, server, "task", { end: "2026-12-24T12:00:00Z" })).toEqual([
      "DUE:20261224T120000Z",
    ]);
    expect(await edit(bus, server, "task", { start: "2026-12-01T12:00:00Z" })).toEqual([
      "DTSTART:20261201T120000Z",
      "DUE:20261224T120000Z",
    ]);
    const status = { status: "completed" };
    await edit(bus, server, "task", status);
    expect(stored(server, "task")).toContain("STATUS:COMPLETED");
  });

  test("texts of other systems and of chats are written as lines can hold them", async () => {
    const { server, bus } = await openCalendar();
    const id = bus.send("calendar", {
      conversation_id: team,
      subject: "a\u000bb\rATTENDEE:mailto:x@example.test",
      text: `one\r\ntwo\tthree\u0000\u001b[31m \ud800 ${"👩🏽‍🚀é".repeat(40)}`,
    });
    await bus.waitForReceipt("calendar", id);
    const text = stored(server, id);
    expect(propertyOf(text, "SUMMARY")).toBe("ab\nATTENDEE:mailto:x@example.test");
    expect(text).not.toMatch(/^ATTENDEE/m);
    const description = `one\ntwo\tthree[31m \ufffd ${"👩🏽‍🚀é".repeat(40)}`;
    expect(propertyOf(text, "DESCRIPTION")).toBe(description);
    const event = await bus.waitForEvent((one) => one.platform_id === `${team}${id}.ics`);
    expect(event.content?.text).toBe(description);
  });
});
