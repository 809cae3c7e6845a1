import { describe, expect, it, onTestFinished } from "vitest";
import schedule from "../../../connectors/schedule/connector.ts";
import type { Context, Draft, SpoolwayError } from "../../../runtime/sdk.ts";
import { waitFor } from "../../helpers/wait.ts";

type Config = Parameters<typeof schedule.connect>[0]["config"];

/** The runtime's part as far as this connector sees it: events by key, and a durable store that outlives a session. */
function makeBus() {
  const events = new Map<string, Draft>();
  const store = new Map<string, unknown>();
  const logged: string[] = [];
  let diskIsFull = false;

  /** Runs a session until the returned function is called; that one rejects when the session failed. */
  async function session(jobs: Array<Partial<Config["jobs"][number]> & { name: string; cron: string }>) {
    const abort = new AbortController();
    const log = (event: string) => void logged.push(event);
    const ctx = {
      name: "clock",
      type: "schedule",
      config: { jobs: jobs.map((job) => ({ missed: "once", timezone: "UTC", ...job })) },
      signal: abort.signal,
      log: { debug: log, info: log, warn: log, error: log },
      state: {
        get: <T>(key: string) => Promise.resolve(structuredClone(store.get(key)) as T | undefined),
        set: (key: string, value: unknown) => {
          store.set(key, JSON.parse(JSON.stringify(value)));
          return Promise.resolve();
        },
        delete: (key: string) => Promise.resolve(void store.delete(key)),
      },
      deliver: (draft: Draft) => {
        if (diskIsFull) return Promise.reject(new Error("no space left"));
        const id = JSON.stringify(draft.key);
        const duplicate = events.has(id);
        if (!duplicate) events.set(id, draft);
        return Promise.resolve({ id, duplicate });
      },
    } as unknown as Context<Config>;
    const opened = await schedule.connect(ctx);
    const ended = schedule.receive?.(opened, ctx) ?? Promise.resolve();
    ended.catch(() => undefined); // looked at by the test
    onTestFinished(() => abort.abort());
    return async () => {
      abort.abort();
      await ended;
    };
  }

  return {
    session,
    logged,
    events: () => [...events.values()],
    /** As if the last run of this job had been handled `ms` ago (before now, so negative is the future). */
    wasHandled(name: string, ms: number, cron: string) {
      const last = new Date(Date.now() - ms).toISOString();
      store.set("jobs", { [name]: { cron, timezone: "UTC", last } });
    },
    lastHandled: () => store.get("jobs") as Record<string, { last: string; report?: object }>,
    setHandled: (jobs: object) => void store.set("jobs", jobs),
    fillDisk: (full: boolean) => (diskIsFull = full),
  };
}

const everySecond = "* * * * * *";

describe("schedule", () => {
  it("delivers each run once, at its time", async () => {
    const bus = makeBus();
    const end = await bus.session([{ name: "tick", cron: everySecond, text: "tock", conversation_id: "c" }]);
    await waitFor(() => bus.events().length >= 2);
    await end();
    const [first, second] = bus.events() as [Draft, Draft];
    expect(first).toMatchObject({
      kind: "event",
      conversation: { id: "c", name: "tick" },
      content: { text: "tock" },
      raw: { job: "tick", cron: everySecond, timezone: "UTC", missed: 0 },
    });
    expect(first.key).toEqual(["tick", first.occurred_at]);
    expect(Date.parse(second.occurred_at ?? "") - Date.parse(first.occurred_at ?? "")).toBe(1000);
  });

  it("names the job where text and conversation are not given", async () => {
    const bus = makeBus();
    await bus.session([{ name: "tick", cron: everySecond }]);
    await waitFor(() => bus.events().length > 0);
    expect(bus.events()[0]).toMatchObject({ conversation: { id: "tick" }, content: { text: "tick" } });
  });

  it("has missed nothing when it first sees a job", async () => {
    const bus = makeBus();
    const end = await bus.session([{ name: "hourly", cron: "0 * * * *" }]);
    await end();
    expect(bus.events()).toEqual([]);
  });

  it("reports missed runs once after downtime: how many, and since when", async () => {
    const bus = makeBus();
    bus.wasHandled("hourly", 5 * 3_600_000, "0 * * * *");
    const end = await bus.session([{ name: "hourly", cron: "0 * * * *" }]);
    await waitFor(() => bus.events().length > 0);
    await end();
    await (
      await bus.session([{ name: "hourly", cron: "0 * * * *" }])
    )();
    expect(bus.events()).toHaveLength(1);
    const [event] = bus.events() as [Draft];
    expect(event.raw).toMatchObject({ missed: 5, scheduled_for: event.occurred_at });
    const since = Date.parse((event.raw as { missed_since: string }).missed_since);
    expect(Date.parse(event.occurred_at ?? "") - since).toBe(4 * 3_600_000);
  });

  it("counts a long downtime as 1000 or more, without counting for long", async () => {
    const bus = makeBus();
    bus.wasHandled("tick", 365 * 86_400_000, everySecond);
    const started = performance.now();
    await bus.session([{ name: "tick", cron: everySecond }]);
    await waitFor(() => bus.events().length > 0);
    expect(performance.now() - started).toBeLessThan(5000);
    expect(bus.events()[0]?.raw).toMatchObject({ missed: 1000, missed_capped: true });
  });

  it("reports nothing with missed: skip, and still logs it", async () => {
    const bus = makeBus();
    bus.wasHandled("hourly", 5 * 3_600_000, "0 * * * *");
    await (
      await bus.session([{ name: "hourly", cron: "0 * * * *", missed: "skip" }])
    )();
    expect(bus.events()).toEqual([]);
    expect(bus.logged).toContain("job.missed");
    await (
      await bus.session([{ name: "hourly", cron: "0 * * * *", missed: "once" }])
    )();
    expect(bus.events()).toEqual([]);
  });

  it("treats a changed expression as a new job", async () => {
    const bus = makeBus();
    bus.wasHandled("hourly", 5 * 3_600_000, "0 * * * *");
    await (
      await bus.session([{ name: "hourly", cron: "1 * * * *" }])
    )();
    expect(bus.events()).toEqual([]);
  });

  it("does not run again what ran, when the clock goes back a little", async () => {
    const bus = makeBus();
    bus.wasHandled("tick", -600_000, everySecond);
    const end = await bus.session([{ name: "tick", cron: everySecond }]);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await end();
    expect(bus.events()).toEqual([]);
  });

  it("goes on when the clock had been wrong by years", async () => {
    const bus = makeBus();
    bus.wasHandled("tick", -10 * 365 * 86_400_000, everySecond);
    await bus.session([{ name: "tick", cron: everySecond }]);
    await waitFor(() => bus.events().length > 0);
    expect(bus.logged).toContain("clock.stepped_back");
  });

  it("delivers a run that could not be written when it can, once", async () => {
    const bus = makeBus();
    bus.fillDisk(true);
    const end = await bus.session([{ name: "tick", cron: everySecond }]);
    await waitFor(() => bus.lastHandled().tick?.report !== undefined);
    const first = bus.lastHandled().tick?.last;
    await expect(end()).rejects.toThrow("no space left");
    await (await bus.session([{ name: "tick", cron: everySecond }]))().catch(() => undefined);
    expect(bus.events()).toEqual([]);
    bus.fillDisk(false);
    await bus.session([{ name: "tick", cron: everySecond }]);
    await waitFor(() => bus.events().length > 1);
    expect(bus.events()[0]).toMatchObject({ occurred_at: first, raw: { missed: 0 } });
  });

  it("makes no second event of a report that was delivered when the process died", async () => {
    const bus = makeBus();
    bus.wasHandled("hourly", 5 * 3_600_000, "0 * * * *");
    await (
      await bus.session([{ name: "hourly", cron: "0 * * * *" }])
    )();
    const delivered = bus.events()[0]?.occurred_at ?? "";
    bus.setHandled({
      hourly: { cron: "0 * * * *", timezone: "UTC", last: delivered, report: { missed: 5 } },
    });
    await (
      await bus.session([{ name: "hourly", cron: "0 * * * *" }])
    )();
    expect(bus.events()).toHaveLength(1);
    expect(bus.lastHandled().hourly?.report).toBeUndefined();
  });

  it("stops with all that is wrong in its jobs, each by name", async () => {
    const jobs = [
      { name: "a", cron: "61 * * * *" },
      { name: "b", cron: "* * * * *", timezone: "Mars/Olympus" },
      { name: "c", cron: "0 0 30 2 *" },
      { name: "d", cron: "@daily" },
      { name: "d", cron: "@hourly" },
    ];
    const error = (await makeBus()
      .session(jobs)
      .then(
        () => undefined,
        (thrown: unknown) => thrown,
      )) as SpoolwayError;
    expect(error).toMatchObject({ code: "config_invalid", fate: "stop" });
    expect(error.hint).toContain("connectors.yml");
    for (const part of ['job "a"', 'job "b"', "Mars/Olympus", 'job "c"', "never comes", "two jobs"])
      expect(error.message).toContain(part);
  });

  it("keeps jobs with odd names apart", async () => {
    const bus = makeBus();
    await bus.session([
      { name: "__proto__", cron: everySecond },
      { name: "constructor", cron: everySecond },
    ]);
    await waitFor(() => new Set(bus.events().map((event) => event.content?.text)).size === 2);
  });
});
