// The wall clock is set a day ahead and a day back under running processes (libfaketime): nobody is taken for hung, what waits for a retry is neither stuck for a day nor sent in
// a burst, what has a date follows the date, and an event that comes again is still known.
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { parseInboxName } from "../../runtime/spool/names.ts";
import { startBus } from "../helpers/bus.ts";
import { startConnector } from "../helpers/connectorProcess.ts";
import { FakeClock, noFakeClock } from "../helpers/fakeClock.ts";
import { freePort } from "../helpers/ports.ts";
import { staysTrue, waitFor } from "../helpers/wait.ts";

const connectors = join(import.meta.dirname, "../helpers/connectors");
const day = 24;
const hourMs = 3_600_000;
if (noFakeClock !== undefined) console.warn(`SKIPPED: clock jumps: ${noFakeClock}`);
const testWithClock = test.skipIf(noFakeClock !== undefined);

testWithClock(
  "a supervisor whose clock jumps kills nobody and starts what died without waiting a day",
  async () => {
    const clock = new FakeClock();
    const bus = await startBus({
      env: clock.env,
      connectors: [{ name: "a", type: join(connectors, "steady") }],
      defaults: { supervisor: { watchdog: "2s", backoff_base: "200ms", backoff_max: "400ms" } },
    });
    for (const hours of [day, -day]) {
      clock.set(hours);
      const { pid, restarts } = bus.connector("a") ?? {};
      await waitFor(() => Math.abs(Date.parse(bus.status()?.beat_at ?? "") - clock.now()) < hourMs, {
        message: "the supervisor to see the other time",
      });
      await staysTrue(() => bus.connector("a")?.pid === pid, 3500, "the same process");
      expect(bus.connector("a")).toMatchObject({ pid, restarts, state: "live" });
      await bus.killConnector("a");
    }
    await bus.waitForReceipt("a", bus.send("a", { conversation_id: "c", text: "x" }));
  },
);

testWithClock("a connector whose clock jumps goes on sending, by timers and not by dates", async () => {
  const clock = new FakeClock();
  const one = await startConnector({
    type: join(connectors, "scripted"),
    log: "../../../sends.jsonl",
    env: clock.env,
    settings: { retryBaseMs: 1500, retryMaxMs: 1500 },
  });
  await one.waitForState("live");
  const say = (id: string, more: Record<string, unknown> = {}) =>
    one.send("one", { id, conversation_id: id, text: id, ...more });
  const at = (ms: number) => new Date(clock.now() + ms).toISOString();
  const beat = () => one.heartbeat("one")?.seq ?? 0;

  // Forward. Two retries wait, one message has a date tonight, one a date in three seconds, after which the clock is looked at.
  const throwOnce = { meta: { script: ["throw", "ok"] } };
  say("retry-1", throwOnce);
  say("retry-2", throwOnce);
  say("tonight", { not_before: at(12 * hourMs) });
  say("soon", { not_before: at(3000) });
  await waitFor(() => one.list("retry/one").length === 4);
  const before = beat();
  clock.set(day);
  await Promise.all(["retry-1", "retry-2"].map((id) => one.waitForReceipt("one", id)));
  expect(one.receipt("one", "retry-1")?.attempts).toBe(2);
  await Promise.all(["soon", "tonight"].map((id) => one.waitForReceipt("one", id)));
  say("late", { expires_at: at(-1000) });
  expect(await one.waitForDeadLetter("one", "late")).toMatchObject({ code: "expired" });
  await waitFor(() => beat() > before);

  // Back. A retry waits for its own pause, not for the day that the clock now has to make up.
  say("retry-3", throwOnce);
  await waitFor(() => one.list("retry/one").length === 1);
  clock.set(-day);
  await one.waitForReceipt("one", "retry-3");
  say("plain");
  await one.waitForReceipt("one", "plain");
  expect(await one.stop()).toMatchObject({ code: 0 });
});

testWithClock(
  "a retry that an earlier process noted with a clock that was a day ahead waits no day",
  async () => {
    const clock = new FakeClock();
    clock.set(day);
    const options = {
      type: join(connectors, "scripted"),
      log: "../../../sends.jsonl",
      env: clock.env,
      settings: { retryBaseMs: 3000, retryMaxMs: 3000 },
    };
    const first = await startConnector(options);
    await first.waitForState("live");
    const id = first.send("one", { conversation_id: "c", text: "x", meta: { script: ["throw", "ok"] } });
    await waitFor(() => first.list("retry/one").length === 1);
    await first.kill();
    clock.set(0);
    const second = await startConnector({ ...options, home: first.home });
    expect((await second.waitForReceipt("one", id, { timeoutMs: 20_000 })).attempts).toBe(2);
  },
);

testWithClock("an event is known again after a jump, and names follow the clock", async () => {
  const clock = new FakeClock();
  const port = await freePort();
  const web = await startConnector({ type: "webhook", port, env: clock.env });
  await web.waitForState("live");
  const post = async (key: string): Promise<number> => {
    const headers = { "content-type": "application/json", "idempotency-key": key };
    const body = JSON.stringify({ text: key });
    return (await fetch(`http://127.0.0.1:${port}/`, { method: "POST", headers, body })).status;
  };
  for (const [key, hours] of [
    ["now", 0],
    ["tomorrow", day],
    ["yesterday", -day],
  ] as const) {
    clock.set(hours);
    expect(await post(key)).toBe(202);
    await delay(5);
  }
  for (const hours of [0, day, -day]) {
    clock.set(hours);
    for (const key of ["now", "tomorrow", "yesterday"]) expect(await post(key)).toBe(200);
  }
  expect(web.events().map((event) => event.content?.text)).toEqual(["yesterday", "now", "tomorrow"]);
  const times = web.list("inbox").map((file) => parseInboxName(file)?.timeMs ?? 0);
  expect(times).toEqual([...times].sort((a, b) => a - b));
});
