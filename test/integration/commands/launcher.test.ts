// The launcher: whatever Node the machine has, the same command line, exit code and signals.
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { exited, expectGone, track, trackDescendants } from "../../helpers/children.ts";
import { projectRoot } from "../../helpers/command.ts";
import { waitFor } from "../../helpers/wait.ts";

const launcher = join(projectRoot, "runtime/spoolway.js");
const oldNode = ["/usr/bin/node", "/usr/local/bin/node"].find(
  (path) => existsSync(path) && majorOf(path) < 26,
);

function majorOf(node: string): number {
  return Number(/^v(\d+)/.exec(spawnSync(node, ["--version"], { encoding: "utf8" }).stdout)?.[1] ?? Infinity);
}

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), "spoolway-launcher-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const nodes = [process.execPath, ...(oldNode === undefined ? [] : [oldNode])];

describe.each(nodes)("started by %s", (node) => {
  const run = (...args: string[]) =>
    spawnSync(node, [launcher, ...args], { encoding: "utf8", cwd: tmpdir(), input: "" });

  test("runs the command, here, with the same output and exit code", () => {
    const home = temporary();
    writeFileSync(join(home, "connectors.yml"), "connectors: []\n");
    const fine = run("check", "--home", home, "--json");
    expect(fine).toMatchObject({ status: 0, stderr: "" });
    expect(JSON.parse(fine.stdout)).toMatchObject({ ok: true });
    expect(run("check", "--home", join(home, "nowhere")).status).toBe(1);
    expect(run("nonsense")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("unknown command") as string,
    });
  });

  test("hands stdin on", () => {
    const home = temporary();
    writeFileSync(join(home, "connectors.yml"), "connectors: [{ name: cli, type: cli }]\n");
    const args = [launcher, "send", "cli", "--to", "me", "-", "--home", home, "--json"];
    const sent = spawnSync(node, args, { encoding: "utf8", cwd: tmpdir(), input: "from stdin\n" });
    expect(sent.status).toBe(0);
    expect(JSON.parse(sent.stdout)).toMatchObject({ outcome: "dropped", bus: "none" });
  });

  test("a bus ends in good order when the launcher is asked to, and does not outlive it", async () => {
    const home = temporary();
    writeFileSync(join(home, "connectors.yml"), "connectors: [{ name: cli, type: cli }]\n");
    for (const [signal, expected] of [
      ["SIGTERM", { code: 0, signal: null }],
      ["SIGKILL", { code: null, signal: "SIGKILL" }],
    ] as const) {
      const child = spawn(node, [launcher, "run", "--home", home], { stdio: "ignore", detached: true });
      track(child.pid, home);
      const live = () => {
        const status = spawnSync(node, [launcher, "status", "--home", home], { encoding: "utf8" });
        return status.status === 0;
      };
      await waitFor(live, { timeoutMs: 40_000, message: "the bus to be live" });
      trackDescendants(child.pid ?? 0, home);
      child.kill(signal);
      expect(await exited(child)).toEqual(expected);
      await expectGone(20_000, home);
    }
  }, 120_000);
});

test.skipIf(oldNode === undefined)("with an old Node and none of its own it says what to do", () => {
  const root = temporary();
  mkdirSync(join(root, "runtime"));
  copyFileSync(launcher, join(root, "runtime/spoolway.js"));
  writeFileSync(join(root, "package.json"), '{ "type": "module" }');
  const { status, stderr } = spawnSync(oldNode ?? "", [join(root, "runtime/spoolway.js"), "run"], {
    encoding: "utf8",
  });
  expect(status).toBe(1);
  expect(stderr).toMatch(/needs Node 26; this is Node \d+/);
  expect(stderr).toContain("npm ci");
});
