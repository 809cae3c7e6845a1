// A running bus: what people can ask of it, what may happen to it, and how it ends.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { type Bus, projectRoot, runCommand, startBus } from "../../helpers/bus.ts";
import { exited, track, trackChild } from "../../helpers/children.ts";
import { staysTrue, waitFor } from "../../helpers/wait.ts";

const type = join(projectRoot, "test/helpers/connectors/steady");
const steady = (name: string, more = {}) => ({ name, type, ...more });
const control = (bus: Bus, file: string, text = "") => writeFileSync(join(bus.spool, "control", file), text);
const pidOf = (bus: Bus, name: string) => bus.connector(name)?.pid;
const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false; // gone
  }
};

test("a connector whose heartbeat cannot be written (disk full) is alive, and is not restarted as hung", async () => {
  const bus = await startBus({ connectors: [steady("a")] });
  const pid = pidOf(bus, "a");
  const tmp = join(bus.spool, "tmp");
  rmSync(tmp, { recursive: true });
  writeFileSync(tmp, "nothing can be written");
  // Longer than the watchdog's ten seconds, and the time that it would give for ending.
  await staysTrue(() => pid !== undefined && isRunning(pid), 16_000, "the same process");
  rmSync(tmp);
  mkdirSync(tmp);
  const id = bus.send("a", { conversation_id: "c", text: "still here" });
  // Its session may be waiting to be opened again, for up to a minute.
  await bus.waitForReceipt("a", id, { timeoutMs: 70_000 });
  expect(pidOf(bus, "a")).toBe(pid);
}, 120_000);

describe("a person can", () => {
  test("pause a connector with a reason, also across a restart of the bus, and resume it", async () => {
    const bus = await startBus({ connectors: [steady("a"), steady("b")] });
    const other = pidOf(bus, "b");
    control(bus, "a.pause", "until monday\n");
    const paused = await bus.waitForConnector("a", "paused");
    expect(paused.pid).toBeUndefined();
    expect(paused.user_action).toBe("Paused: until monday. To go on: spoolway resume a");
    const waiting = bus.send("a", { conversation_id: "c", text: "later" });
    expect(pidOf(bus, "b")).toBe(other);
    await bus.restart({ a: "paused", b: "live" });
    expect(bus.receipt("a", waiting)).toBeUndefined();
    rmSync(join(bus.spool, "control/a.pause"));
    await bus.waitForReceipt("a", waiting);
  });

  test("restart one, and sync one", async () => {
    const bus = await startBus({ connectors: [steady("a", { runtime: { sync_every: "1h" } }), steady("b")] });
    const [a, b] = [pidOf(bus, "a"), pidOf(bus, "b")];
    control(bus, "a.restart");
    await bus.waitForConnector("a", (now) => now.state === "live" && now.pid !== a);
    expect(pidOf(bus, "b")).toBe(b);
    expect(existsSync(join(bus.spool, "control/a.restart"))).toBe(false);
    await waitFor(() => bus.events().length > 0);
    const before = bus.events().length;
    control(bus, "a.sync");
    await waitFor(() => bus.events().length > before);
    expect(existsSync(join(bus.spool, "control/a.sync"))).toBe(false);
  });

  test("edit connectors.yml: only what changed is touched, and a mistake stops nothing", async () => {
    const all = [steady("same"), steady("changed"), steady("removed"), steady("broken")];
    const bus = await startBus({ connectors: all });
    const before = new Map(bus.status()?.connectors.map(({ name, pid }) => [name, pid]));
    bus.configure([
      steady("same"),
      steady("changed", { note: "new" }),
      steady("broken", { note: 7 }),
      steady("added"),
      steady("asleep", { runtime: { enabled: false } }),
      steady("bad", { nonsense: 1 }),
    ]);
    await bus.waitForConnector("changed", (now) => now.state === "live" && now.pid !== before.get("changed"));
    await bus.waitForConnector("added", "live");
    await bus.waitForConnector("asleep", "disabled");
    await bus.waitForConnector("bad", "invalid");
    await waitFor(() => bus.connector("removed") === undefined);
    expect(pidOf(bus, "same")).toBe(before.get("same"));
    expect(bus.connector("broken")).toMatchObject({
      state: "live",
      pid: before.get("broken"),
      error: { code: "config_invalid", message: expect.stringMatching(/connectors\.yml:\d+:\d+ /) as string },
    });
    expect(isRunning(before.get("removed") ?? 0)).toBe(false);

    const now = pidOf(bus, "changed");
    bus.configure("connectors:\n  - name: [\n");
    await waitFor(() => bus.logs().includes("config.refused"));
    expect(bus.status()?.config_errors?.[0]).toMatch(/^connectors\.yml:\d/);
    await staysTrue(
      () => pidOf(bus, "changed") === now && pidOf(bus, "added") !== undefined,
      500,
      "all as before",
    );

    // SIGHUP with nothing changed since: the mistake is repaired, nothing restarts.
    bus.configure([steady("same"), steady("changed", { note: "new" }), steady("broken"), steady("added")]);
    process.kill(bus.pid, "SIGHUP");
    await waitFor(() => bus.connector("broken")?.error === undefined);
    expect(pidOf(bus, "broken")).toBe(before.get("broken"));
    expect(pidOf(bus, "same")).toBe(before.get("same"));
  });

  test("leave no heartbeat of a connector that is gone, now or in an earlier run", async () => {
    const bus = await startBus({ connectors: [steady("a"), steady("b")] });
    const beats = () => readdirSync(join(bus.spool, "heartbeat")).sort();
    for (const mine of ["notes.txt", "Mine.json"]) writeFileSync(join(bus.spool, "heartbeat", mine), "{}");
    bus.configure([steady("a")]);
    const left = ["Mine.json", "_supervisor.json", "a.json", "notes.txt"];
    await waitFor(() => beats().join() === left.join(), { timeoutMs: 20_000, message: () => beats().join() });
    await bus.stop();
    bus.configure([steady("c")]);
    await bus.start();
    await waitFor(() => !beats().includes("a.json"), { timeoutMs: 20_000 });
  });

  test("stop it while one connector takes long: the others' heartbeats stay, and their messages are no orphans", async () => {
    const slow = {
      name: "slow",
      type: join(projectRoot, "test/helpers/connectors/trouble"),
      how: "stubborn",
    };
    const bus = await startBus({
      connectors: [steady("a"), slow],
      defaults: { supervisor: { kill_after: "1s", shutdown: "8s" } },
    });
    const half = join(bus.spool, "outbox/a/half.json");
    writeFileSync(half, '{"text":');
    await bus.stop();
    expect(existsSync(half)).toBe(true);
    expect(readdirSync(join(bus.spool, "heartbeat")).sort()).toEqual([
      "_supervisor.json",
      "a.json",
      "slow.json",
    ]);
    expect(bus.status()?.orphan_outboxes).toBeUndefined();
  });

  test("see messages that nobody will send; they stay untouched", async () => {
    const bus = await startBus({ connectors: [steady("a")] });
    const path = bus.drop("ghost", { conversation_id: "c", text: "x" });
    await waitFor(() => bus.status()?.orphan_outboxes?.length === 1, { timeoutMs: 20_000 });
    expect(bus.status()?.orphan_outboxes).toEqual([{ name: "ghost", files: 1 }]);
    expect(bus.logs()).toContain("outbox.orphaned");
    expect(existsSync(path)).toBe(true);
  });
});

describe("the bus survives", () => {
  test("kill -9 of itself: its connectors are gone, and it starts again within seconds", async () => {
    const bus = await startBus({ connectors: [steady("a"), steady("b")] });
    await bus.kill(); // waits until none of its processes is left
    const start = performance.now();
    await bus.start("live");
    expect(performance.now() - start).toBeLessThan(6000);
  });

  test("being suspended: nobody is killed for a heartbeat that it did not see", async () => {
    const bus = await startBus({ connectors: [steady("a")], defaults: { supervisor: { watchdog: "2s" } } });
    const pid = pidOf(bus, "a") ?? 0;
    process.kill(bus.pid, "SIGSTOP");
    process.kill(pid, "SIGSTOP"); // as a laptop that sleeps
    await delay(5000);
    process.kill(bus.pid, "SIGCONT");
    process.kill(pid, "SIGCONT");
    await staysTrue(() => isRunning(pid), 3000, "the connector lives");
    expect(bus.connector("a")).toMatchObject({ pid, restarts: 0 });
  });

  test("a connector that is stopped by somebody: it hangs, and is replaced", async () => {
    const quick = { watchdog: "2s", kill_after: "500ms", backoff_base: "200ms" };
    const bus = await startBus({ connectors: [steady("a"), steady("b")], defaults: { supervisor: quick } });
    const pid = pidOf(bus, "a") ?? 0;
    process.kill(pid, "SIGSTOP");
    await bus.waitForConnector("a", (now) => now.state === "live" && now.pid !== pid);
    expect(bus.connector("b")?.restarts).toBe(0);
  });

  test("a reader that goes away: spoolway run | head", async () => {
    const bus = await startBus({ connectors: [steady("a")] });
    await bus.stop();
    const main = join(projectRoot, "runtime/main.ts");
    const child = trackChild(
      spawn(process.execPath, [main, "run", "--home", bus.home], { stdio: ["ignore", "pipe", "pipe"] }),
      "run | head",
    );
    await new Promise((resolve) => child.stdout?.once("data", resolve));
    child.stdout?.destroy();
    child.stderr?.destroy();
    await bus.waitForConnector("a", (now) => now.state === "live" && bus.status()?.pid === child.pid);
    track(pidOf(bus, "a"), "a of run | head");
    await bus.waitForReceipt("a", bus.send("a", { conversation_id: "c", text: "x" }));
    child.kill("SIGTERM");
    expect(await exited(child)).toEqual({ code: 0, signal: null });
  });
});

describe("it ends", () => {
  test("after what is in flight was sent", async () => {
    const bus = await startBus({ connectors: [steady("a", { send_ms: 1500 })] });
    const id = bus.send("a", { conversation_id: "c", text: "x" });
    await waitFor(() => bus.list("sending/a").length === 1);
    await bus.stop();
    expect(bus.receipt("a", id)).toBeDefined();
  });

  test("at once when it is asked twice", async () => {
    const bus = await startBus({ connectors: [steady("a", { send_ms: 8000 })] });
    bus.send("a", { conversation_id: "c", text: "x" });
    await waitFor(() => bus.list("sending/a").length === 1);
    const pid = pidOf(bus, "a") ?? 0;
    const start = performance.now();
    process.kill(bus.pid, "SIGINT");
    await waitFor(() => bus.status()?.state === "stopping");
    // Within a second it would be the same Ctrl-C, passed on by npm.
    await delay(1200);
    process.kill(bus.pid, "SIGINT");
    await waitFor(() => !isRunning(pid) && !bus.running);
    expect(performance.now() - start).toBeLessThan(4000);
    expect(bus.list("sending/a")).toHaveLength(1);
  });

  test("with 2 where another one runs, 1 where the configuration is no use, 3 where the spool is none", async () => {
    const bus = await startBus({ connectors: [steady("a")] });
    const second = await runCommand(["run", "--home", bus.home]);
    expect(second).toMatchObject({ code: 2 });
    expect(second.stdout).toContain(`process ${bus.pid} `);
    await bus.stop();

    bus.configure("- a list");
    const unusable = await runCommand(["run", "--home", bus.home]);
    expect(unusable).toMatchObject({ code: 1 });
    expect(unusable.stdout).toMatch(/"event":"config\.invalid".*"line":1/);

    bus.configure([steady("a")]);
    rmSync(join(bus.spool, "outbox"), { recursive: true });
    writeFileSync(join(bus.spool, "outbox"), "a file");
    const noSpool = await runCommand(["run", "--home", bus.home]);
    expect(noSpool).toMatchObject({ code: 3 });
    expect(noSpool.stdout).toContain("spool_unusable");
    rmSync(join(bus.spool, "outbox"));
    mkdirSync(join(bus.spool, "outbox"));
  });
});

test.each([
  ["is a package", '{"type":"module"}'],
  ["is none", undefined],
])(
  "a connector in the home folder, with syntax that only tsx knows, runs where its folder %s",
  async (_what, ownPackage) => {
    const bus = await startBus({ connectors: [] });
    const folder = join(bus.home, "mine");
    mkdirSync(folder);
    if (ownPackage !== undefined) writeFileSync(join(folder, "package.json"), ownPackage);
    const config = { type: "object", additionalProperties: false, properties: {} };
    writeFileSync(
      join(folder, "manifest.json"),
      JSON.stringify({ type: "mine", title: "Mine", loader: "tsx", config }),
    );
    writeFileSync(
      join(folder, "connector.ts"),
      `import { defineConnector, reject, sleep } from "spoolway/sdk";
    enum Word { Hello = "hello" }
    export default defineConnector({
      async connect() { console.log(Word.Hello); },
      async receive(_session, ctx) { await sleep(1e9, ctx.signal); },
      async send() { throw reject("nobody is there"); },
    });`,
    );
    bus.configure([{ name: "mine", type: "./mine" }]);
    await bus.waitForConnector("mine", (now) => now.state === "live" || now.state === "stopped");
    expect(bus.connector("mine")).toMatchObject({ state: "live" });
    await waitFor(() => bus.logs().includes('"text":"hello"'));
    // Its SDK is the runtime's own, and no second one that is known to nobody.
    const id = bus.send("mine", { conversation_id: "c", text: "hi" });
    const letter = await bus.waitForDeadLetter("mine", id);
    expect(letter).toMatchObject({ code: "rejected", error: "nobody is there" });
  },
);

test("thirty connectors start without a delay for the first", { timeout: 90_000 }, async () => {
  const names = Array.from({ length: 30 }, (_, index) => `c${index}`);
  const bus = await startBus({ connectors: names.map((name) => steady(name)), until: "nothing" });
  const start = performance.now();
  await bus.waitForConnector("c0", "live");
  const firstMs = performance.now() - start;
  await bus.waitForStates("live", 60_000);
  expect(firstMs).toBeLessThan((performance.now() - start) / 2 + 1000);
  expect(bus.status()?.connectors.every(({ restarts }) => restarts === 0)).toBe(true);
});
