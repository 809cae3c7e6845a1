// What is due of something that recurs, what was missed of it, and when to look again, whatever the clock does.
import { Cron } from "croner";
import { describe, expect, it } from "vitest";
import { dueRuns, maxCounted, nextRunAt } from "../../../runtime/sdk/recurrence.ts";
import { sleepTowards } from "../../../runtime/sdk/wall-clock.ts";

const cron = (expression: string): Cron => new Cron(expression, { timezone: "Europe/Berlin" });

describe("what is due", () => {
  it("is what lies after the last run, up to and including now", () => {
    const times = cron("0 * * * *");
    const at = new Date("2026-06-01T10:00:00Z");
    expect(dueRuns(times, at, new Date("2026-06-01T10:59:59.999Z"))).toBeUndefined();
    expect(dueRuns(times, at, new Date("2026-06-01T13:00:00Z"))).toEqual({
      first: new Date("2026-06-01T11:00:00Z"),
      last: new Date("2026-06-01T13:00:00Z"),
      count: 3,
      capped: false,
    });
  });

  it("is nothing when the clock went back", () => {
    const [after, now] = [new Date("2026-06-01T10:00:00Z"), new Date("2026-06-01T09:00:00Z")];
    expect(dueRuns(cron("* * * * * *"), after, now)).toBeUndefined();
  });

  it("is counted up to a limit, and its last run is still exact", () => {
    const times = cron("* * * * * *");
    const after = new Date("2026-06-01T00:00:00Z");
    const exactly = dueRuns(times, after, new Date(after.getTime() + maxCounted * 1000 + 500));
    expect(exactly).toMatchObject({ count: maxCounted, capped: false });
    for (const now of ["2027-06-01T00:00:00.000Z", "2027-06-01T00:00:00.999Z"]) {
      expect(dueRuns(times, after, new Date(now))).toEqual({
        first: new Date("2026-06-01T00:00:01Z"),
        last: new Date("2027-06-01T00:00:00Z"),
        count: maxCounted,
        capped: true,
      });
    }
  });
});

describe("the next run", () => {
  it("is that of the first of several; Infinity when all are over", () => {
    const after = new Date("2026-06-01T10:00:00.250Z");
    const [hourly, minutely, over] = [cron("0 * * * *"), cron("* * * * *"), cron("0 0 0 1 1 * 2020")];
    const all = [hourly, minutely, over].map((times) => ({ times, after }));
    expect(nextRunAt(all)).toBe(Date.parse("2026-06-01T10:01:00Z"));
    expect(nextRunAt([{ times: over, after }])).toBe(Infinity);
    expect(nextRunAt([])).toBe(Infinity);
  });
});

describe("sleeping towards a time", () => {
  const tookMs = async (sleeping: () => Promise<void>): Promise<number> => {
    const started = performance.now();
    await sleeping();
    return performance.now() - started;
  };

  it("ends when the clock shows it, and at once where it is over", async () => {
    expect(await tookMs(() => sleepTowards(Date.now() + 200))).toBeGreaterThan(190);
    expect(await tookMs(() => sleepTowards(Date.now() - 1000))).toBeLessThan(500);
  });

  it("ends with the signal, however far the time is", async () => {
    const far = [Infinity, Date.now() + 365 * 86_400_000];
    for (const at of far)
      expect(await tookMs(() => sleepTowards(at, AbortSignal.timeout(50)))).toBeLessThan(2000);
  });

  it("never lasts so long that a clock that was set goes unnoticed", async () => {
    for (const at of [Infinity, Date.now() + 365 * 86_400_000])
      expect(await tookMs(() => sleepTowards(at, undefined, 50))).toBeLessThan(2000);
  });
});
