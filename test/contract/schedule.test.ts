// The schedule connector keeps the contract; and every second of an every-second job is accounted for.
import { describe, expect, test } from "vitest";
import type { InboundEvent } from "../../schema/types.ts";
import { startBus } from "../helpers/bus.ts";
import { waitFor } from "../helpers/wait.ts";
import { contract } from "./suite.ts";

const everySecond = { jobs: [{ name: "tick", cron: "* * * * * *", text: "tock" }] };

contract({
  type: "schedule",
  conversation: "tick",
  emits: true,
  open: () => Promise.resolve(everySecond),
  close: () => Promise.resolve(),
  badCredentials: () => ({ jobs: [{ name: "tick", cron: "0 0 30 2 *" }] }),
});

interface Run {
  scheduled_for: string;
  missed: number;
  missed_since?: string;
}
const runOf = (event: InboundEvent): Run => event.raw as unknown as Run;
const seconds = (a: string, b: string): number => (Date.parse(b) - Date.parse(a)) / 1000;

describe("schedule on the bus", { timeout: 60_000 }, () => {
  test("accounts for every second, once, over a stop and a SIGKILL: run or counted as missed", async () => {
    const bus = await startBus({
      connectors: [{ name: "clock", type: "schedule", ...everySecond }],
      defaults: { supervisor: { backoff_base: "200ms", backoff_max: "1s" } },
    });
    await waitFor(() => bus.events().length >= 2);
    await bus.stop();
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await bus.start();
    const missed = await bus.waitForEvent((event) => runOf(event).missed > 0);
    expect(runOf(missed).missed).toBeGreaterThanOrEqual(3);
    await bus.killConnector("clock");
    const before = bus.events().length;
    await waitFor(() => bus.events().length >= before + 3);
    await bus.stop();

    const runs = bus.events().map(runOf);
    expect(new Set(runs.map((run) => run.scheduled_for)).size).toBe(runs.length);
    for (const [index, run] of runs.entries()) {
      const previous = runs[index - 1];
      if (previous === undefined) continue;
      const gap = seconds(previous.scheduled_for, run.scheduled_for);
      expect(gap).toBe(Math.max(1, run.missed));
    }
  });

  test("a job that is wrong stops it and says which and why", async () => {
    const jobs = [
      { name: "report", cron: "61 * * * *" },
      { name: "backup", cron: "@daily", timezone: "Europe/Berlni" },
    ];
    const bus = await startBus({
      connectors: [{ name: "clock", type: "schedule", jobs }],
      until: { clock: "stopped" },
    });
    const status = bus.connector("clock");
    expect(status?.error).toMatchObject({ code: "config_invalid" });
    expect(status?.error?.message).toContain('job "report"');
    expect(status?.error?.message).toContain("Europe/Berlni");
    expect(status?.user_action).toContain("connectors.yml");
  });
});
