// Commands without a running bus: real processes on a temporary home, with pipes.
import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { exited, track } from "../../helpers/children.ts";
import { type CommandResult, projectRoot, runCommand } from "../../helpers/command.ts";

function makeHome(
  yml = "connectors: [{ name: cli, type: cli }, { name: web, type: webhook, port: 1 }]\n",
): string {
  const home = mkdtempSync(join(tmpdir(), "spoolway-offline-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  writeFileSync(join(home, "connectors.yml"), yml);
  return home;
}

const spoolway = (home: string, args: string[], input = ""): Promise<CommandResult> =>
  runCommand([...args, "--home", home], { input });

function putLetters(home: string, count: number, code = "expired"): void {
  const folder = join(home, "spool/failed/cli");
  mkdirSync(folder, { recursive: true });
  for (let n = 0; n < count; n++) {
    const id = `${code}-${n}`;
    const failed_at = new Date(Date.now() - n * 60_000).toISOString();
    const letter = {
      record: "dead_letter",
      version: 1,
      id,
      connector: "cli",
      attempts: 1,
      failed_at,
      code,
      error: "no",
    };
    writeFileSync(
      join(folder, `${id}.json`),
      JSON.stringify({ ...letter, message: { id, conversation_id: "me" } }),
    );
  }
}

const outbox = (home: string): string[] => readdirSync(join(home, "spool/outbox/cli"));

describe("status", () => {
  test("says that no bus runs, and never shows green what a dead one said last", async () => {
    const home = makeHome();
    const before = await spoolway(home, ["status"]);
    expect(before.code).toBe(1);
    expect(before.stdout).toContain("The bus is not running, and never was here");

    mkdirSync(join(home, "spool/heartbeat"), { recursive: true });
    const connectors = [{ name: "cli", type: "cli", state: "live", pid: 999_999_999 }];
    const beat_at = new Date().toISOString();
    const last = {
      version: 1,
      pid: 999_999_999,
      host: hostname(),
      started_at: beat_at,
      seq: 9,
      beat_at,
      state: "running",
    };
    writeFileSync(join(home, "spool/heartbeat/_supervisor.json"), JSON.stringify({ ...last, connectors }));
    const after = await spoolway(home, ["status"]);
    expect(after.code).toBe(1);
    expect(after.stdout).toContain("The bus is not running; its last sign was");
    expect(after.stdout).not.toMatch(/\blive\b/);
    const json = JSON.parse((await spoolway(home, ["status", "--json"])).stdout) as {
      bus: object;
      connectors: object[];
    };
    expect(json).toMatchObject({ ok: false, bus: { state: "gone" } });
    expect(json.connectors[0]).toMatchObject({ name: "cli", state: "unknown", liveness: "unknown" });
  });

  test("counts what lies in the folders and shows mistakes in connectors.yml", async () => {
    const home = makeHome("connectors: [{ name: cli, type: cli }, { name: web, type: webhok }]\n");
    putLetters(home, 3);
    await spoolway(home, ["send", "cli", "--to", "me", "hi"]);
    const { stdout } = await spoolway(home, ["status", "--json"]);
    const report = JSON.parse(stdout) as { connectors: object[]; config_errors: string[]; to_do: string[] };
    expect(report.connectors[0]).toMatchObject({ name: "cli", waiting: 1, failed: 3 });
    expect(report.config_errors.join()).toContain("webhok");
    expect(report.to_do.join()).toContain("spoolway failed list cli");
  });
});

describe("send", () => {
  test("drops all that was given, durable and complete, and says that it waits", async () => {
    const home = makeHome();
    const file = join(home, "report.txt");
    writeFileSync(file, "attached");
    const options = [
      "--subject",
      "S",
      "--reply-to",
      "r1",
      "--thread",
      "t1",
      "--format",
      "markdown",
      "--priority",
      "3",
    ];
    const times = ["--not-before", "+10m", "--expires", "2h", "--meta", "a=b=c", "--meta", "k=v"];
    const args = [
      "send",
      "cli",
      "--to",
      "me",
      "hello",
      "world",
      "--file",
      file,
      "--id",
      "my-id",
      ...options,
      ...times,
    ];
    const { code, stdout, stderr } = await spoolway(home, args);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "my-id\n" });
    expect(stderr).toContain("the bus is not running");
    const [name = ""] = outbox(home);
    const message = JSON.parse(readFileSync(join(home, "spool/outbox/cli", name), "utf8")) as Record<
      string,
      unknown
    >;
    expect(message).toMatchObject({
      id: "my-id",
      conversation_id: "me",
      text: "hello world",
      subject: "S",
      reply_to: "r1",
      thread_id: "t1",
      format: "markdown",
      priority: 3,
      meta: { a: "b=c", k: "v" },
      attachments: [
        { name: "report.txt", size: 8, path: expect.stringMatching(/^media\/[0-9a-f]{64}$/) as string },
      ],
    });
    expect(Date.parse(message.not_before as string) - Date.now()).toBeGreaterThan(500_000);
    const [attachment] = message.attachments as [{ path: string }];
    expect(readFileSync(join(home, "spool", attachment.path), "utf8")).toBe("attached");
    expect(readdirSync(join(home, "spool/tmp"))).toEqual([]);
  });

  test("refuses a name that connectors.yml does not have, with a near miss; --force drops it", async () => {
    const home = makeHome();
    const wrong = await spoolway(home, ["send", "cly", "--to", "me", "hi"]);
    expect(wrong).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("did you mean `cli`?") as string,
    });
    expect(existsSync(join(home, "spool/outbox/cly"))).toBe(false);
    expect((await spoolway(home, ["send", "cly", "--to", "me", "hi", "--force"])).code).toBe(0);
    expect((await spoolway(home, ["send", "../x", "--to", "me", "hi", "--force"])).code).toBe(2);
  });

  test.each([
    ["--action", "shout", "action: must be one of message, edit, delete, react, typing"],
    ["--expires", "tomorrow", "--expires"],
    ["--file", "/nonexistent", "no file"],
    ["--id", "../../x", "file name"],
    ["--meta", "novalue", "key=value"],
  ])("%s %s is an error before anything is dropped", async (option, value, words) => {
    const home = makeHome();
    const { code, stderr } = await spoolway(home, ["send", "cli", "--to", "me", "hi", option, value]);
    expect(code).toBe(2);
    expect(stderr).toContain(words);
    expect(existsSync(join(home, "spool/outbox/cli"))).toBe(false);
  });

  test("--wait ends with 3 when nothing was sent in time, and says why", async () => {
    const home = makeHome();
    const waited = await spoolway(home, ["send", "cli", "--to", "me", "hi", "--wait", "0.2"]);
    expect(waited).toMatchObject({ code: 3, stderr: expect.stringContaining("spoolway run") as string });
    expect(outbox(home)).toHaveLength(1);
  });
});

describe("failed", () => {
  test("list shows the newest, filters, and is one JSON object per line for programs", async () => {
    const home = makeHome();
    putLetters(home, 60);
    putLetters(home, 2, "rejected");
    const table = await spoolway(home, ["failed", "list"]);
    expect(table.stdout).toContain("The newest 50 of 62 dead letters");
    const lines = (await spoolway(home, ["failed", "list", "--json"])).stdout.trim().split("\n");
    expect(lines.map((line) => JSON.parse(line) as { id: string })).toHaveLength(62);
    const some = await spoolway(home, [
      "failed",
      "list",
      "cli",
      "--code",
      "rejected",
      "--since",
      "30s",
      "--json",
    ]);
    expect(JSON.parse(some.stdout)).toMatchObject({ id: "rejected-0" });
    expect((await spoolway(home, ["failed", "list", "web"])).stdout).toBe("No dead letters.\n");
  });

  test("show has everything, or is 3", async () => {
    const home = makeHome();
    putLetters(home, 1);
    expect((await spoolway(home, ["failed", "show", "expired-0"])).stdout).toMatch(/code +expired/);
    expect(await spoolway(home, ["failed", "show", "nope", "--json"])).toMatchObject({
      code: 3,
      stdout: expect.stringContaining('"code":"not_found"') as string,
    });
  });

  test("retry moves what was chosen, thousands too, with progress on stderr", async () => {
    const home = makeHome();
    putLetters(home, 2300);
    putLetters(home, 3, "rejected");
    expect((await spoolway(home, ["failed", "retry"])).code).toBe(2);
    const { code, stdout, stderr } = await spoolway(home, ["failed", "retry", "--code", "expired", "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ found: 2300, redriven: 2300, left: [], interrupted: false });
    expect(stderr).toBe("1000 redriven\n2000 redriven\n");
    expect(outbox(home)).toHaveLength(2300);
    expect((await spoolway(home, ["failed", "retry", "rejected-0", "nope"])).code).toBe(3);
    expect(readdirSync(join(home, "spool/failed/cli"))).toHaveLength(2);
  });

  test("retry can be interrupted: every message is in exactly one place, and the next call goes on", async () => {
    const home = makeHome();
    putLetters(home, 3000);
    const child = spawn(
      process.execPath,
      [join(projectRoot, "runtime/main.ts"), "failed", "retry", "--all", "--home", home],
      {
        stdio: ["ignore", "ignore", "pipe"],
      },
    );
    track(child.pid, "failed retry");
    child.stderr.once("data", () => child.kill("SIGINT"));
    const { code } = await exited(child);
    const left = readdirSync(join(home, "spool/failed/cli")).length;
    expect(left + outbox(home).length).toBe(3000);
    // It may have been faster than the signal.
    expect([code, left > 0]).toEqual(left > 0 ? [130, true] : [code, false]);
    if (left > 0) expect((await spoolway(home, ["failed", "retry", "--all"])).code).toBe(0);
    expect(outbox(home)).toHaveLength(3000);
  });

  test("purge needs --yes where nobody can be asked, and removes what was chosen", async () => {
    const home = makeHome();
    putLetters(home, 5);
    expect((await spoolway(home, ["failed", "purge", "--all"])).code).toBe(2);
    expect((await spoolway(home, ["failed", "purge", "--older-than", "90s", "--yes"])).code).toBe(0);
    expect(readdirSync(join(home, "spool/failed/cli")).sort()).toEqual(["expired-0.json", "expired-1.json"]);
    expect((await spoolway(home, ["failed", "purge", "--older-than", "90s", "--yes"])).code).toBe(3);
  });
});

describe("pause, resume, restart, sync", () => {
  test("a pause is kept for the next start; a restart without a bus is an error", async () => {
    const home = makeHome();
    expect((await spoolway(home, ["pause", "cli", "--reason", "holidays"])).code).toBe(0);
    expect(readFileSync(join(home, "spool/control/cli.pause"), "utf8")).toBe("holidays\n");
    expect((await spoolway(home, ["resume", "cli"])).code).toBe(0);
    expect(readdirSync(join(home, "spool/control"))).toEqual([]);
    for (const command of ["restart", "sync"]) {
      const { code, stdout } = await spoolway(home, [command, "cli", "--json"]);
      expect({ code, error: JSON.parse(stdout) as object }).toMatchObject({
        code: 1,
        error: { error: { code: "not_running" } },
      });
    }
    expect((await spoolway(home, ["pause", "cly"])).code).toBe(2);
  });
});

test("completion scripts are valid, and complete the names of connectors", async () => {
  const home = makeHome();
  expect((await runCommand(["__complete", "--home", home, "--", "send", "w"])).stdout).toBe("web\n");
  const { stdout: script } = await spoolway(home, ["completion", "bash"]);
  const bash = spawn("bash", ["-n"], { stdio: ["pipe", "ignore", "pipe"] });
  track(bash.pid, "bash -n");
  bash.stdin.end(script);
  expect((await exited(bash)).code).toBe(0);
  expect((await spoolway(home, ["completion", "tcsh"])).code).toBe(2);
});

test("a home without connectors.yml is a clear error in every command that needs it", async () => {
  const home = makeHome();
  rmSync(join(home, "connectors.yml"));
  for (const args of [
    ["send", "cli", "--to", "me", "hi"],
    ["pause", "cli"],
  ]) {
    const { code, stderr } = await spoolway(home, args);
    expect({ code, stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("connectors.yml") as string,
    });
  }
  expect(existsSync(join(home, "spool"))).toBe(false);
});
