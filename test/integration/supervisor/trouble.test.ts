// One connector's crash, hang, leak, flood or stubbornness never touches another, and is always visible.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Bus } from "../../helpers/bus.ts";
import { projectRoot, startBus } from "../../helpers/bus.ts";
import { waitFor } from "../../helpers/wait.ts";

const typeOf = (name: string) => join(projectRoot, "test/helpers/connectors", name);
const steady = { name: "steady", type: typeOf("steady") };
const trouble = (how: string, more = {}) => ({ name: how, type: typeOf("trouble"), how, ...more });

/** Quicker than life, so that a test sees it. */
const quick = {
  backoff_base: "200ms",
  backoff_max: "1s",
  park_for: "3s",
  watchdog: "3s",
  kill_after: "1s",
  shutdown: "8s",
};

interface Entry {
  event: string;
  connector?: string;
  text?: string;
  [key: string]: unknown;
}

const entries = (bus: Bus): Entry[] =>
  bus
    .logs()
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Entry);

/** Sends one message after the other for a while; returns the slowest, in ms from drop to receipt. */
async function slowestOf(bus: Bus, count: number): Promise<number> {
  let slowest = 0;
  for (let at = 0; at < count; at++) {
    const start = performance.now();
    const id = bus.send("steady", { conversation_id: "c", text: `${at}` });
    await bus.waitForReceipt("steady", id, { everyMs: 2 });
    slowest = Math.max(slowest, performance.now() - start);
    await delay(20);
  }
  return slowest;
}

describe("a connector that", () => {
  test.each(["crash", "exit-0", "exit-1"])(
    "ends by itself (%s) is started again, parked, and tried again",
    async (how) => {
      const bus = await startBus({
        connectors: [steady, trouble(how)],
        defaults: { supervisor: quick },
        until: { steady: "live" },
      });
      const before = bus.connector("steady");
      const parked = await bus.waitForConnector(how, "parked");
      expect(parked.restarts).toBe(4);
      expect(parked.next_start_at).toBeDefined();
      expect(parked.last_exit).toBe(how === "exit-0" ? "exit code 0" : "exit code 1");
      expect(parked.user_action).toContain(`spoolway restart ${how}`);
      await bus.waitForConnector(how, (now) => (now.restarts ?? 0) === 5 && now.state === "parked");
      expect(bus.connector("steady")).toEqual(before);
    },
  );

  test("has wrong credentials stays stopped, with what to do, until its entry changes", async () => {
    const bus = await startBus({
      connectors: [steady, trouble("stop")],
      defaults: { supervisor: quick },
      until: { steady: "live", stop: "stopped" },
    });
    expect(bus.connector("stop")).toMatchObject({
      error: { code: "unauthorized", message: "the password is wrong" },
      user_action: "Correct the password.",
      restarts: 0,
    });
    await delay(1500);
    expect(bus.connector("stop")).toMatchObject({ state: "stopped", restarts: 0 });
    bus.configure([steady, { ...trouble("say"), name: "stop" }]);
    await bus.waitForConnector("stop", "live");
    expect(bus.connector("stop")?.error).toBeUndefined();
  });

  test("cannot reach something (111) is tried again and never parked", async () => {
    const bus = await startBus({
      connectors: [trouble("temporary")],
      defaults: { supervisor: { ...quick, backoff_max: "300ms" } },
      until: "nothing",
    });
    await bus.waitForConnector("temporary", (now) => (now.restarts ?? 0) >= 7);
    expect(entries(bus).some(({ event }) => event === "connector.parked")).toBe(false);
  });

  test("spins is killed and started again, and delays nobody", async () => {
    const bus = await startBus({
      connectors: [steady, trouble("spin")],
      defaults: { supervisor: quick },
      until: { steady: "live" },
    });
    const spinning = await bus.waitForConnector("spin", (now) => now.pid !== undefined);
    const slowest = await slowestOf(bus, 60);
    const again = await bus.waitForConnector(
      "spin",
      (now) => (now.restarts ?? 0) >= 1 && now.pid !== undefined,
    );
    expect(again.pid).not.toBe(spinning.pid);
    expect(again.last_exit).toMatch(/^hung: no heartbeat for 3 s; killed by SIGKILL$/);
    expect(slowest).toBeLessThan(1000);
  });

  test.each(["leak", "leak-and-spin"])("leaks memory (%s) is ended at its limit", async (how) => {
    const bus = await startBus({
      connectors: [steady, trouble(how, { after_ms: 300, runtime: { memory_mb: 200 } })],
      defaults: { supervisor: { ...quick, watchdog: "20s" } },
      until: { steady: "live" },
    });
    const after = await bus.waitForConnector(how, (now) => (now.restarts ?? 0) >= 1, { timeoutMs: 20_000 });
    expect(after.last_exit).toMatch(/^over_memory: it used \d+ MB of 200 MB; /);
    expect(bus.connector("steady")).toMatchObject({ state: "live", restarts: 0 });
  });

  test("floods its output delays nobody, and does not make the log or us grow", async () => {
    const bus = await startBus({
      connectors: [steady, trouble("flood")],
      defaults: { supervisor: { ...quick, log_lines_per_s: 20 } },
      until: "live",
    });
    const slowest = await slowestOf(bus, 60);
    await bus.stop();
    const flood = entries(bus).filter(({ connector }) => connector === "flood");
    expect(flood.some(({ event, lines }) => event === "output.suppressed" && Number(lines) > 1000)).toBe(
      true,
    );
    expect(flood.length).toBeLessThan(600);
    expect(bus.status()?.rss_bytes).toBeLessThan(300 * 1024 * 1024);
    expect(slowest).toBeLessThan(1000);
  });

  test("ignores SIGTERM is killed in the end, and the bus stops in time with exit code 0", async () => {
    const bus = await startBus({
      connectors: [steady, trouble("stubborn", { runtime: { drain: "1s" } })],
      defaults: { supervisor: quick },
      until: "live",
    });
    const start = performance.now();
    await bus.stop();
    expect(performance.now() - start).toBeLessThan(10_000);
    expect(
      entries(bus).find(({ event, connector }) => event === "connector.exited" && connector === "stubborn"),
    ).toMatchObject({
      exit: "asked to end; killed by SIGKILL",
    });
  });

  test("leaves a grandchild behind that holds its output open is started again all the same", async () => {
    const bus = await startBus({
      connectors: [trouble("grandchild")],
      defaults: { supervisor: quick },
      until: "nothing",
    });
    await bus.waitForConnector("grandchild", (now) => (now.restarts ?? 0) >= 2, { timeoutMs: 6000 });
    await delay(3500); // the last sleep(1) has ended
  });
});

test("what a connector prints is in the log, without its secrets", async () => {
  const password = "correct horse battery staple";
  const bus = await startBus({ connectors: [trouble("say", { text: "the word is ", password })] });
  await waitFor(() => entries(bus).some(({ stream }) => stream === "stderr"));
  const said = entries(bus).filter(({ event }) => event === "connector.output");
  expect(said.map(({ stream, text }) => `${String(stream)}: ${text}`).sort()).toEqual([
    "stderr: to stderr: [redacted]",
    "stdout: the word is [redacted]",
  ]);
  expect(bus.logs()).not.toContain("correct horse");
});

test.runIf(process.platform === "linux")(
  "a hundred crashes leave no descriptor, no process and no memory behind",
  { timeout: 90_000 },
  async () => {
    const names = ["a", "b", "c", "d"];
    const bus = await startBus({
      connectors: names.map((name) => ({ ...trouble("exit-1"), name })),
      defaults: {
        supervisor: { ...quick, backoff_base: "10ms", backoff_max: "10ms", park_crashes: 1000 },
      },
      until: "nothing",
    });
    const restarts = () => names.reduce((sum, name) => sum + (bus.connector(name)?.restarts ?? 0), 0);
    const open = () => readdirSync(`/proc/${bus.pid}/fd`).length;
    const rss = () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${bus.pid}/status`, "utf8"))?.[1]) / 1024;
    await waitFor(() => restarts() > 20, { timeoutMs: 40_000 });
    const before = { open: open(), rss: rss() };
    await waitFor(() => restarts() > 120, { timeoutMs: 60_000 });
    // Each of the four has up to three pipes at a moment, plus those that are just closing.
    expect(open()).toBeLessThan(before.open + 20);
    expect(rss()).toBeLessThan(before.rss + 60);
  },
);
