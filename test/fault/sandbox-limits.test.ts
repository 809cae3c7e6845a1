// What a connector in the sandbox can use up: processes, memory, the time of the loop, the channel, the patience of its supervisor. It ends, visibly, and its
// neighbours notice nothing. Where it means something the same is tried without a sandbox first.
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { sandboxProblem } from "../../runtime/sandbox/available.ts";
import { maxProcesses } from "../../runtime/sandbox/guest-process.ts";
import { type Bus, startBus } from "../helpers/bus.ts";
import { projectRoot } from "../helpers/command.ts";
import { type ConnectorProcess, startConnector } from "../helpers/connectorProcess.ts";
import { waitFor } from "../helpers/wait.ts";

const missing = sandboxProblem();
if (missing !== undefined) console.error(`SKIPPED: the tests of the sandbox. ${missing.message}`);

const folder = join(projectRoot, "test/helpers/connectors");
const escape = join(folder, "escape");
const relay = join(folder, "relay");
const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
/** Root can become somebody else, who can read this checkout. */
const nobodyCan =
  process.getuid?.() === 0 &&
  spawnSync("setpriv", [...nobody.slice(1), "cat", join(relay, "manifest.json")]).status === 0;
if (!nobodyCan)
  console.error(
    "SKIPPED: the sandbox as an ordinary user: this test must run as root, in a folder that others can read",
  );

describe.skipIf(missing !== undefined)("a connector in the sandbox", () => {
  test(
    "that starts processes without end is ended as a whole; its neighbour sends on",
    { timeout: 60_000 },
    async () => {
      const many = maxProcesses + 60;
      const marker = `spoolway-bomb-${process.pid}`;
      const control = await startConnector({ type: escape, attempts: [] });
      await control.waitForState("live");
      attempt(control, "one", "forkBomb", `${many} ${marker}`);
      await waitFor(() => children(control.pid).length >= many, { message: "the control's processes" });
      for (const pid of children(control.pid)) process.kill(pid, "SIGKILL");
      await control.kill();

      const bus = await startBus({
        connectors: [
          { name: "bomb", type: escape, attempts: [], runtime: { sandbox: true, on_uncertain: "hold" } },
          { name: "neighbour", type: relay },
        ],
      });
      attempt(bus, "bomb", "forkBomb", `${many} ${marker}`);
      const sent = async () =>
        bus.waitForReceipt("neighbour", bus.send("neighbour", { conversation_id: "c", text: "ok" }));
      await sent();
      const ended = await bus.waitForConnector("bomb", ({ error }) => error?.code === "too_many_processes");
      expect(ended.error?.message).toMatch(/it had \d+ processes, at most 128/);
      await sent();
      expect(bus.connector("neighbour")).toMatchObject({ state: "live", restarts: 0 });
      await waitFor(() => marked(marker).length === 0, { message: "the bomb's processes to end" });
    },
  );

  test("cannot outlive the supervisor, nor can what it has sent into the background", async () => {
    const marker = `spoolway-daemon-${process.pid}`;
    const control = await startConnector({
      type: escape,
      attempts: [{ what: "daemon", on: `${marker}-free` }],
    });
    await waitFor(() => marked(`${marker}-free`).length === 1, { message: "the control's daemon" });
    await control.kill();
    expect(marked(`${marker}-free`), "it outlives an unsandboxed connector").toHaveLength(1);
    for (const pid of marked(`${marker}-free`)) process.kill(pid, "SIGKILL");

    const entry = {
      name: "hostile",
      type: escape,
      attempts: [{ what: "daemon", on: marker }],
      runtime: { sandbox: true },
    };
    const bus = await startBus({ connectors: [entry] });
    await waitFor(() => marked(marker).length === 1, { message: "the daemon" });
    await bus.kill();
    await waitFor(() => marked(marker).length === 0, { message: "the daemon to die with the supervisor" });

    await bus.start();
    await waitFor(() => marked(marker).length === 1, { message: "the next daemon" });
    process.kill(bus.connector("hostile")?.pid ?? 0, "SIGKILL");
    await waitFor(() => bus.connector("hostile")?.restarts === 1 && marked(marker).length === 1, {
      message: "only its successor's",
    });
    await bus.stop();
    await waitFor(() => marked(marker).length === 0, { message: "nothing left after a stop" });
  });

  test("that uses more memory than runtime.memory_mb, with all its processes, is ended", async () => {
    const one = await startConnector({
      type: escape,
      attempts: [],
      runtime: { sandbox: true, memory_mb: 128 },
    });
    await one.waitForState("live");
    attempt(one, "one", "memory", "400");
    expect((await one.exited()).code).toBe(1);
    expect(one.endings).toMatchObject([{ type: "ending", code: "over_memory" }]);
  });

  test(
    "whose loop is stuck stops the heartbeat, and the watchdog starts it again",
    { timeout: 60_000 },
    async () => {
      const bus = await startBus({
        connectors: [{ name: "stuck", type: relay, runtime: { sandbox: true, on_uncertain: "hold" } }],
        defaults: { supervisor: { watchdog: "3s", kill_after: "500ms", backoff_base: "50ms" } },
      });
      bus.send("stuck", { conversation_id: "c", text: "spin" });
      await waitFor(() => bus.logs().includes("connector.hung"), {
        timeoutMs: 30_000,
      });
      await bus.waitForConnector("stuck", ({ state, restarts }) => state === "live" && (restarts ?? 0) >= 1);
      await bus.waitForReceipt("stuck", bus.send("stuck", { conversation_id: "d", text: "ok" }));
    },
  );

  test("that writes into its channel what is no message is ended", async () => {
    const one = await startConnector({ type: escape, attempts: [], runtime: { sandbox: true } });
    await one.waitForState("live");
    attempt(one, "one", "channel", "ffffffff01");
    expect((await one.exited()).code).toBe(1);
    expect(one.endings).toMatchObject([{ type: "ending", code: "sandbox_violation" }]);
  });

  test("that floods its log holds nobody up: the heartbeat goes on, the log is cut", async () => {
    const one = await startConnector({ type: escape, attempts: [], runtime: { sandbox: true } });
    const before = (await one.waitForState("live")).seq;
    attempt(one, "one", "logFlood", "200000");
    await one.waitForEvent((event) => event.content?.text?.includes('"got"') === true);
    await waitFor(() => (one.heartbeat("one")?.seq ?? 0) > before + 1, { message: "other heartbeats" });
    // It is said when its second is over.
    await waitFor(() => one.logs().includes("log.suppressed"), { message: "that lines were left out" });
    expect(one.logs().split('"event":"flood"').length).toBeLessThan(50_000);
    await one.stop();
  });

  test.skipIf(process.getuid?.() !== 0)(
    "run by root cannot change the mode of the host's devices",
    async () => {
      const mode = () => (statSync("/dev/full").mode & 0o777).toString(8);
      const before = mode();
      onTestFinished(() => chmodSync("/dev/full", before));
      const attempts = [{ what: "chmod", on: "667 /dev/full" }];
      const done = async (one: ConnectorProcess) => {
        await one.waitForEvent((event) => event.content?.text?.includes('"got"') === true);
        await one.stop();
      };
      await done(await startConnector({ type: escape, attempts, runtime: { sandbox: true } }));
      expect(mode()).toBe(before);
      await done(await startConnector({ type: escape, attempts }));
      expect(mode()).toBe("667");
    },
  );

  test("inherits nothing: no open file that the supervisor was started with, no variable of its process", async () => {
    const attempts = [
      { what: "read", on: "/proc/self/fd/200" },
      { what: "environ", on: "SPOOLWAY_CANARY" },
    ];
    const reports = async (sandbox: boolean): Promise<string> => {
      const one = await startConnector({
        ...{ type: escape, attempts, runtime: { sandbox }, env: { SPOOLWAY_CANARY: "1" } },
        wrapper: ["bash", "-c", 'sleep 600 & exec 200<"$0"; exec "$@"', join(escape, "manifest.json")],
      });
      await one.waitForState("live");
      const texts = one.events().map(({ content }) => content?.text);
      for (const pid of children(one.pid).filter((child) => readProc(child, "cmdline").startsWith("sleep")))
        process.kill(pid, "SIGKILL");
      await one.stop();
      return texts.join("\n");
    };
    const outside = await reports(false);
    expect(outside).toContain("what a hostile connector would try");
    expect(outside).toMatch(/"what":"environ","on":"SPOOLWAY_CANARY","got"/);
    const inside = await reports(true);
    expect(inside).toMatch(/"what":"read","on":"[^"]*","error"/);
    expect(inside).toMatch(/"what":"environ","on":"SPOOLWAY_CANARY","error":"none"/);
  });

  test.skipIf(!nobodyCan)("is held as well where an ordinary user runs Spoolway", async () => {
    const prepared = await startConnector({ type: relay });
    await prepared.waitForState("live");
    await prepared.stop();
    execFileSync("chown", ["-R", "65534:65534", prepared.home]);
    const secret = join(prepared.spool, "inbox");
    const attempts = [{ what: "list", on: secret }, { what: "unshare", on: "-Ur" }, { what: "capabilities" }];
    const one = await startConnector({
      type: escape,
      attempts,
      home: prepared.home,
      wrapper: nobody,
      runtime: { sandbox: true },
    });
    await one.waitForState("live");
    const texts = one
      .events((event) => event.content?.text?.startsWith("{") === true)
      .map(({ content }) => content?.text);
    expect(texts.map((text) => JSON.parse(text ?? "") as object)).toMatchObject([
      { error: "ENOENT" },
      { error: expect.stringContaining("not permitted") as string },
      { got: "0000000000000000" },
    ]);
    attempt(one, "one", "forkBomb", "2000");
    expect((await one.exited()).code).toBe(1);
    expect(one.endings).toMatchObject([{ type: "ending", code: "too_many_processes" }]);
  });

  test("is not started where bubblewrap is missing, and says so; the others run", async () => {
    const path = (process.env.PATH ?? "").split(":").filter((one) => !hasBwrap(one));
    const bus = await startBus({
      connectors: [
        { name: "confined", type: relay, runtime: { sandbox: true } },
        { name: "free", type: relay },
      ],
      env: { PATH: path.join(":") },
      until: { confined: "stopped", free: "live" },
    });
    expect(bus.connector("confined")).toMatchObject({
      error: { code: "sandbox_unavailable", message: expect.stringContaining("not installed") as string },
      user_action: expect.stringContaining("apt-get install bubblewrap") as string,
    });
  });
});

function attempt(spool: Bus | ConnectorProcess, name: string, what: string, on: string): void {
  spool.send(name, { conversation_id: "c", text: what, meta: { attempt: { what, on } } });
}

const pids = (): number[] =>
  readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return ""; // it has just ended
  }
}

const children = (parent: number): number[] =>
  pids().filter((pid) => new RegExp(`^PPid:\\s${parent}$`, "m").test(readProc(pid, "status")));

/** Processes, wherever they are, whose command line begins so. */
const marked = (start: string): number[] =>
  pids().filter((pid) => readProc(pid, "cmdline").startsWith(start));

const hasBwrap = (path: string): boolean =>
  statSync(join(path, "bwrap"), { throwIfNoEntry: false }) !== undefined;
