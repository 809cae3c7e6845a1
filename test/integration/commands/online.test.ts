// Commands beside a running bus.
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { InboundEvent } from "../../../schema/types.ts";
import { type Bus, projectRoot, startBus } from "../../helpers/bus.ts";
import { endChild, exited, track } from "../../helpers/children.ts";
import { freePort } from "../../helpers/ports.ts";
import { waitFor } from "../../helpers/wait.ts";

const colors = /\x1b\[/;

async function start(): Promise<{ bus: Bus; port: number }> {
  const port = await freePort();
  const bus = await startBus({
    connectors: [
      { name: "cli", type: "cli" },
      { name: "web", type: "webhook", port },
    ],
  });
  return { bus, port };
}

const post = (port: number, text: string): Promise<Response> =>
  fetch(`http://127.0.0.1:${port}/`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ text, sender: "ada", conversation_id: "c" }),
  });

interface StatusJson {
  ok: boolean;
  bus: { state: string };
  connectors: Array<{ name: string; state: string; failed: number; last_received_at?: string }>;
  orphan_outboxes: Array<{ name: string; files: number }>;
  to_do: string[];
}

async function statusOf(bus: Bus): Promise<StatusJson & { code: number | null }> {
  const { stdout, code } = await bus.command("status", "--json");
  return { ...(JSON.parse(stdout) as StatusJson), code };
}

describe("beside a bus", () => {
  test("status is green only while it is true, and a pipe gets no colours", async () => {
    const { bus } = await start();
    expect(await statusOf(bus)).toMatchObject({ code: 0, ok: true, bus: { state: "running" }, to_do: [] });
    const { stdout } = await bus.command("status");
    expect(stdout).toMatch(/^web +webhook +live +live/m);
    expect(stdout).not.toMatch(colors);
    expect((await bus.command("status", "--color")).stdout).toMatch(colors);
    await bus.kill();
    expect(await statusOf(bus)).toMatchObject({ code: 1, ok: false, bus: { state: "gone" } });
    await bus.start();
  });

  test("status names an outbox that nobody empties", async () => {
    const { bus } = await start();
    bus.drop("ghost", { conversation_id: "me", text: "boo" });
    const found = await waitFor(
      async () => {
        const status = await statusOf(bus);
        return status.orphan_outboxes.length > 0 ? status : undefined;
      },
      { timeoutMs: 30_000, everyMs: 500 },
    );
    expect(found).toMatchObject({ code: 1, orphan_outboxes: [{ name: "ghost", files: 1 }] });
    expect(found.to_do.join()).toContain("ghost");
  });

  test("send --wait gives the receipt, or the dead letter", async () => {
    const { bus } = await start();
    const sent = await bus.command(
      "send",
      "cli",
      "--to",
      "me",
      "hi",
      "--wait",
      "--json",
      "--meta",
      "k=v",
      "--id",
      "one",
    );
    expect(sent.code).toBe(0);
    expect(JSON.parse(sent.stdout)).toMatchObject({
      outcome: "sent",
      id: "one",
      receipt: { id: "one", meta: { k: "v" } },
    });

    // The same message again is the same; another one under its id is refused.
    const again = await bus.command(
      "send",
      "cli",
      "--to",
      "me",
      "hi",
      "--wait",
      "--meta",
      "k=v",
      "--id",
      "one",
    );
    expect(again).toMatchObject({ code: 0, stdout: expect.stringMatching(/^sent one/) as string });
    const other = await bus.command("send", "cli", "--to", "me", "something else", "--wait", "--id", "one");
    expect(other).toMatchObject({ code: 1, stdout: expect.stringContaining("duplicate_id") as string });

    const late = await bus.command("send", "cli", "--to", "me", "late", "--expires", "2020-01-01", "--wait");
    expect(late).toMatchObject({ code: 1, stdout: expect.stringMatching(/^failed .*: expired/) as string });
  });

  test("a refused drop can be corrected in place and sent with failed retry", async () => {
    const { bus } = await start();
    bus.drop("cli", "not json", "x.json");
    const letter = await bus.waitForDeadLetter("cli", ({ code }) => code === "invalid_json");
    const shown = await bus.command("failed", "show", letter.id);
    expect(shown.stdout).toContain("not json");
    const fixed = { id: "fixed", conversation_id: "me", text: "now it is" };
    writeFileSync(join(bus.spool, "failed/cli", letter.entry ?? ""), JSON.stringify(fixed));
    expect((await bus.command("failed", "retry", letter.id)).code).toBe(0);
    await bus.waitForReceipt("cli", "fixed");
    expect(bus.list("failed/cli")).toEqual([]);
  });

  test("pause, resume and restart say what came of it", async () => {
    const { bus } = await start();
    expect((await bus.command("pause", "cli", "--reason", "a test")).stdout).toContain("paused");
    expect(bus.connector("cli")?.state).toBe("paused");
    const waits = await bus.command("send", "cli", "--to", "me", "later", "--wait", "0.5", "--id", "later");
    expect(waits).toMatchObject({ code: 3, stderr: expect.stringContaining("paused") as string });
    expect(await bus.command("resume", "cli", "--json")).toMatchObject({ code: 0 });
    await bus.waitForReceipt("cli", "later");
    const before = bus.connector("web")?.pid;
    expect(await bus.command("restart", "web")).toMatchObject({
      code: 0,
      stdout: "web restarted; it is live\n",
    });
    expect(bus.connector("web")?.pid).not.toBe(before);
    expect((await bus.command("sync", "web")).code).toBe(0);
  });

  test("tail shows what came, and with --follow every new event once, in order, without missing any", async () => {
    const { bus, port } = await start();
    await post(port, "before\x1b[31m");
    await bus.waitForEvent((event) => event.content?.text?.startsWith("before") === true);
    const once = await bus.command("tail");
    expect(once.stdout).toMatch(/^\d\d:\d\d:\d\d web c ada: before\\x1b\[31m\n$/);
    expect((await bus.command("tail", "--connector", "cli")).stdout).toBe("");

    const args = [join(projectRoot, "runtime/main.ts"), "tail", "--follow", "--json", "--home", bus.home];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    track(child.pid, "tail --follow");
    const texts: string[] = [];
    createInterface({ input: child.stdout }).on("line", (line) => {
      texts.push((JSON.parse(line) as InboundEvent).content?.text ?? "");
    });
    await waitFor(() => texts.length === 1);
    for (let n = 0; n < 40; n++) await post(port, `new ${n}`);
    await Promise.all(Array.from({ length: 40 }, (_, n) => post(port, `burst ${n}`)));
    await waitFor(() => texts.length >= 81);
    expect(texts.slice(0, 41)).toEqual([
      "before\x1b[31m",
      ...Array.from({ length: 40 }, (_, n) => `new ${n}`),
    ]);
    expect(new Set(texts).size).toBe(81);
    child.kill("SIGINT");
    expect(await exited(child)).toEqual({ code: 0, signal: null });
  });

  test("a reader that goes away is no error", async () => {
    const { bus, port } = await start();
    for (let n = 0; n < 50; n++) await post(port, `${n} ${"x".repeat(5000)}`);
    const args = [join(projectRoot, "runtime/main.ts"), "tail", "-n", "50", "--home", bus.home];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    track(child.pid, "tail | head");
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.stdout.once("data", () => child.stdout.destroy());
    expect({ ...(await exited(child)), stderr }).toEqual({ code: 0, signal: null, stderr: "" });
  });

  test("status --watch without a terminal prints a line per change", async () => {
    const { bus } = await start();
    const args = [join(projectRoot, "runtime/main.ts"), "status", "--watch", "--home", bus.home];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    track(child.pid, "status --watch");
    const lines: string[] = [];
    createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
    await waitFor(() => lines.length === 1);
    expect(lines[0]).toMatch(
      /^\d\d:\d\d:\d\d bus running; cli live; web live; 0 messages waiting; 0 failed$/,
    );
    bus.pause("cli");
    await waitFor(() => lines.some((line) => line.includes("cli paused")));
    await endChild(child, "SIGINT");
  });

  test("an inbox that people and programs touch does not disturb tail", async () => {
    const { bus, port } = await start();
    await post(port, "good");
    await bus.waitForEvent("good");
    mkdirSync(join(bus.spool, "inbox/20261120T235201.123456Z-folder.json"));
    writeFileSync(join(bus.spool, "inbox/20261120T235201.123456Z-bad.json"), "{");
    const { code, stdout, stderr } = await bus.command("tail");
    expect(code).toBe(0);
    expect(stdout).toContain("good");
    expect(stderr).toContain("-bad.json: it is no event");
  });
});
