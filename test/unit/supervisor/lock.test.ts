// One supervisor per spool: held as long as anybody of it lives, free as soon as nobody does, whatever killed them.
import { type ChildProcess, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { lockSpool, type SpoolLock } from "../../../runtime/supervisor/lock.ts";
import { endChild, exited, trackChild } from "../../helpers/children.ts";
import { waitFor } from "../../helpers/wait.ts";
import { memoryLog } from "./samples.ts";

let spool: string;

beforeEach(() => {
  spool = join(mkdtempSync(join(tmpdir(), "spoolway-lock-")), "spool");
  onTestFinished(() => rmSync(join(spool, ".."), { recursive: true }));
});

async function take(waitMs?: number, onCompromised = (): void => undefined): Promise<SpoolLock> {
  const lock = await lockSpool(spool, { log: memoryLog().log, onCompromised, ...(waitMs ? { waitMs } : {}) });
  onTestFinished(() => lock.release());
  return lock;
}

/** Another process that holds the lock. */
async function holder(
  ...args: string[]
): Promise<{ process: ChildProcess; output: () => string; childPid: number }> {
  const program = join(import.meta.dirname, "lock-holder.ts");
  const child = trackChild(
    spawn(process.execPath, [program, spool, ...args], { stdio: ["ignore", "pipe", "inherit"] }),
    "lock holder",
  );
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => (text += part));
  onTestFinished(() => endChild(child));
  await waitFor(() => text.includes("locked\n"));
  const childPid = Number(/child (\d+)/.exec(text)?.[1]);
  if (childPid > 0) onTestFinished(() => killQuietly(childPid));
  return { process: child, output: () => text, childPid };
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it is gone already, which is what is wanted
  }
}

test("a working supervisor keeps another one out, which says who holds the spool, soon", async () => {
  const other = await holder("alone", "working");
  const start = performance.now();
  await expect(take()).rejects.toMatchObject({
    code: "spool_locked",
    message: expect.stringContaining(`process ${other.process.pid} `) as string,
  });
  expect(performance.now() - start).toBeLessThan(5000);
});

test("after kill -9 the spool is free at once, although lock.d is left behind", async () => {
  const other = await holder("alone", "working");
  other.process.kill("SIGKILL");
  await exited(other.process);
  expect(existsSync(join(spool, "lock.d"))).toBe(true);
  const start = performance.now();
  await take();
  expect(performance.now() - start).toBeLessThan(2500);
});

test("after SIGTERM everything is released", async () => {
  const other = await holder("alone");
  other.process.kill("SIGTERM");
  await exited(other.process);
  expect(existsSync(join(spool, "lock.d"))).toBe(false);
  await take();
});

test.runIf(process.platform === "linux")(
  "a connector that outlives its supervisor keeps the spool locked until it has ended",
  async () => {
    const other = await holder("child");
    other.process.kill("SIGKILL");
    await exited(other.process);
    await expect(take(500)).rejects.toMatchObject({ code: "spool_locked" });
    setTimeout(() => killQuietly(other.childPid), 700);
    await take(10_000);
  },
);

test("a lock file that is removed under a working supervisor does not make room for a second one", async () => {
  await holder("alone", "working");
  rmSync(join(spool, "lock"));
  await expect(take()).rejects.toMatchObject({ code: "spool_locked" });
});

test("a fresh lock folder of another host is obeyed, a stale one is not", { timeout: 30_000 }, async () => {
  mkdirSync(join(spool, "heartbeat"), { recursive: true });
  const at = new Date().toISOString();
  const status = {
    version: 1,
    pid: 1,
    host: "elsewhere",
    started_at: at,
    beat_at: at,
    seq: 1,
    state: "running",
    connectors: [],
  };
  writeFileSync(join(spool, "heartbeat/_supervisor.json"), JSON.stringify(status));
  mkdirSync(join(spool, "lock.d"));
  const refresh = setInterval(() => utimesSync(join(spool, "lock.d"), new Date(), new Date()), 1000);
  onTestFinished(() => clearInterval(refresh));
  await expect(take()).rejects.toMatchObject({ message: expect.stringContaining("elsewhere") as string });
  clearInterval(refresh);
  const old = new Date(Date.now() - 60_000);
  utimesSync(join(spool, "lock.d"), old, old);
  await take();
});

test("a lock folder that somebody else takes over is reported", { timeout: 30_000 }, async () => {
  let compromised = 0;
  await take(undefined, () => (compromised += 1));
  rmdirSync(join(spool, "lock.d"));
  await waitFor(() => compromised === 1, { timeoutMs: 15_000 });
});

test("a lock that is a link is not followed", async () => {
  mkdirSync(spool, { recursive: true });
  mkdirSync(join(spool, "lock"));
  await expect(take()).rejects.toMatchObject({ code: "spool_unusable" });
});

test.runIf(process.platform === "linux")(
  "taking and releasing a hundred times leaks no descriptor",
  { timeout: 60_000 },
  async () => {
    const open = () => readdirSync("/proc/self/fd").length;
    const once = async () =>
      (await lockSpool(spool, { log: memoryLog().log, onCompromised: () => undefined })).release();
    await once();
    const before = open();
    for (let round = 0; round < 100; round++) await once();
    expect(open()).toBeLessThanOrEqual(before);
  },
);
