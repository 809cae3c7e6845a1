import { describe, expect, it } from "vitest";
import { type Job, parseJob } from "../../../connectors/schedule/plan.ts";
import { dueRuns } from "../../../runtime/sdk/recurrence.ts";

const start = new Date("2026-01-01T00:00:00Z");

function job(cron: string, timezone = "Europe/Berlin"): Job {
  const parsed = parseJob({ name: "j", cron, timezone, missed: "once" }, start);
  if (typeof parsed === "string") throw new Error(parsed);
  return parsed;
}

/** Every run in (after, until], one after the other as the connector walks. */
function runs(cron: string, after: string, until: string): string[] {
  const { times } = job(cron);
  const found: string[] = [];
  let at = new Date(after);
  for (let due = dueRuns(times, at, new Date(until)); due; due = dueRuns(times, at, new Date(until))) {
    at = due.first;
    found.push(at.toISOString());
  }
  return found;
}

describe("a job", () => {
  it.each([
    ["61 * * * *", "Invalid value for minute: 61"],
    ["hello", "no cron expression"],
    ["* *", "no cron expression"],
    ["@reboot", "not supported"],
    ["0 0 30 2 *", "never comes"],
    ["2030-01-01T00:00:00", "is a date"],
  ])("with the expression %s is refused with a reason", (cron, reason) => {
    expect(parseJob({ name: "j", cron, timezone: "UTC", missed: "once" }, start)).toContain(reason);
  });

  it("with an unknown time zone is refused by name", () => {
    expect(parseJob({ name: "j", cron: "* * * * *", timezone: "Europe/Berlni", missed: "once" }, start)).toBe(
      'unknown time zone "Europe/Berlni"; write an IANA name, e.g. Europe/Berlin or UTC',
    );
  });

  it("runs in the machine's time zone where none is given", () => {
    const parsed = parseJob({ name: "j", cron: "@daily", missed: "once" }, start) as Job;
    expect(parsed.timezone).toBe(Intl.DateTimeFormat().resolvedOptions().timeZone);
  });

  it("that is over is no error: a year may be given", () => {
    expect(
      typeof parseJob({ name: "j", cron: "0 0 0 1 1 * 2020", timezone: "UTC", missed: "once" }, start),
    ).toBe("object");
  });

  it("may name seconds", () => {
    expect(runs("*/20 * * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z")).toEqual([
      "2026-01-01T00:00:20.000Z",
      "2026-01-01T00:00:40.000Z",
      "2026-01-01T00:01:00.000Z",
    ]);
  });
});

describe("Europe/Berlin, into summer time (02:00 becomes 03:00)", () => {
  it("a fixed time in the gap runs at its end, on the same day, once", () => {
    expect(runs("30 2 * * *", "2026-03-28T00:00:00Z", "2026-03-30T12:00:00Z")).toEqual([
      "2026-03-28T01:30:00.000Z",
      "2026-03-29T01:00:00.000Z",
      "2026-03-30T00:30:00.000Z",
    ]);
  });

  it("an interval goes on every half hour of real time", () => {
    expect(runs("*/30 * * * *", "2026-03-29T00:10:00Z", "2026-03-29T02:00:00Z")).toEqual([
      "2026-03-29T00:30:00.000Z",
      "2026-03-29T01:00:00.000Z",
      "2026-03-29T01:30:00.000Z",
      "2026-03-29T02:00:00.000Z",
    ]);
  });
});

describe("Europe/Berlin, out of summer time (02:00 to 03:00 comes twice)", () => {
  it("a fixed time runs at the first of the two only", () => {
    expect(runs("30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z")).toEqual([
      "2026-10-25T00:30:00.000Z",
      "2026-10-26T01:30:00.000Z",
    ]);
  });

  it("an interval runs in both hours", () => {
    expect(runs("*/30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z")).toEqual([
      "2026-10-25T00:00:00.000Z",
      "2026-10-25T00:30:00.000Z",
      "2026-10-25T01:00:00.000Z",
      "2026-10-25T01:30:00.000Z",
    ]);
  });
});
