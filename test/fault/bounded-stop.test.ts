// Processes that are stopped (SIGSTOP) and go on again: a stopped connector is replaced and never comes back beside its successor, a stopped supervisor that wakes up kills nobody
// for the time in which it did not look, and nobody can start a second one meanwhile.
//
// SPOOLWAY_STOP_S: how long, in seconds. With 60 it is a minute and the watchdog is as shipped.
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { runCommand, startBus } from "../helpers/bus.ts";
import { Oracle, orderProblem } from "../helpers/oracle.ts";
import { startWire, wireType } from "../helpers/servers/wire.ts";
import { staysTrue, waitFor } from "../helpers/wait.ts";

const stopS = Number(process.env.SPOOLWAY_STOP_S ?? 6);
const supervisor =
  stopS >= 60 ? {} : { watchdog: "4s", kill_after: "500ms", backoff_base: "200ms", backoff_max: "400ms" };

/** A bus with a platform, and one message every 20 ms in three conversations until it is told to end. */
async function busWithTraffic() {
  const wire = await startWire(() => ({ answer: "ok", afterMs: 5 }));
  const bus = await startBus({
    connectors: [{ name: "wire", type: wireType, port: wire.port }],
    defaults: { supervisor, connector: { retry: { attempts: 50, base: "50ms", max: "200ms" } } },
  });
  const dropped = new Map<string, string>();
  const ending = new AbortController();
  const flow = (async () => {
    while (!ending.signal.aborted) {
      const id = `m${String(dropped.size).padStart(6, "0")}`;
      const conversation = `c${dropped.size % 3}`;
      bus.drop("wire", { id, conversation_id: conversation, text: id }, `${id}.json`);
      dropped.set(id, conversation);
      await delay(20);
    }
  })();
  /** Ends the traffic; then everything must be settled, in order, and by one sender at a time. */
  const check = async () => {
    ending.abort();
    await flow;
    await waitFor(() => bus.list("sent/wire").length === dropped.size, {
      timeoutMs: 40_000,
      message: () => `${dropped.size} receipts\n${bus.where("wire")}`,
    });
    await bus.stop();
    const all = new Map([...dropped.keys()].map((id) => [id, "sent" as const]));
    expect(new Oracle(bus.spool, "wire").checkSettled(all)).toEqual([]);
    for (const conversation of ["c0", "c1", "c2"]) {
      const expected = [...dropped].filter(([, one]) => one === conversation).map(([id]) => id);
      const seen = (wire.arrivals.get(conversation) ?? []).map(({ id }) => id);
      expect(orderProblem(seen, expected)).toBeUndefined();
    }
    expect(wire.overlaps).toEqual([]);
    return dropped.size;
  };
  return { bus, wire, dropped, check };
}

test(
  "a stopped connector is killed and replaced: never two senders",
  { timeout: 60_000 + stopS * 2000 },
  async () => {
    const { bus, wire, check } = await busWithTraffic();
    const pid = bus.connector("wire")?.pid ?? 0;
    await waitFor(() => wire.arrivals.size === 3);
    process.kill(pid, "SIGSTOP");
    const after = await bus.waitForConnector("wire", (now) => now.state === "live" && now.pid !== pid);
    // SIGTERM waits for a process that is stopped to go on: only SIGKILL ends it.
    expect(after.last_exit).toMatch(/^hung: no heartbeat for \d+ s; killed by SIGKILL$/);
    expect(() => process.kill(pid, "SIGCONT")).toThrow("ESRCH");
    const messages = await check();
    console.log(`a stopped connector: ${messages} messages, ${wire.hellos.length} senders, one at a time`);
  },
);

test(
  "a stopped supervisor wakes up and kills nobody; meanwhile messages flow and no second one starts",
  { timeout: 90_000 + stopS * 2000 },
  async () => {
    const { bus, wire, dropped, check } = await busWithTraffic();
    const pid = bus.connector("wire")?.pid ?? 0;
    await waitFor(() => wire.arrivals.size === 3);
    process.kill(bus.pid, "SIGSTOP");
    const [before, second] = [dropped.size, runCommand(["run", "--home", bus.home])];
    await delay(stopS * 1000);
    const sent = bus.list("sent/wire").length;
    // The second one needs up to ten seconds to be sure.
    expect(await second).toMatchObject({ code: 2 });
    process.kill(bus.pid, "SIGCONT");
    expect(sent).toBeGreaterThan(before);
    await staysTrue(() => bus.connector("wire")?.pid === pid, 4000, "the same connector");
    expect(bus.connector("wire")).toMatchObject({ state: "live", restarts: 0 });
    expect(wire.hellos).toEqual([pid]);
    const messages = await check();
    console.log(`a stopped supervisor: ${messages} messages, ${sent - before} of them while it stood still`);
  },
);
