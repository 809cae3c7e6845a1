// Commands in a terminal: a pseudo-terminal from util-linux's script(1).
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { findExecutable } from "../../../runtime/process.ts";
import { exited, track } from "../../helpers/children.ts";
import { projectRoot } from "../../helpers/command.ts";
import { waitFor } from "../../helpers/wait.ts";

const script = process.platform === "linux" ? findExecutable("script") : undefined;

function makeHome(): string {
  const home = mkdtempSync(join(tmpdir(), "spoolway-terminal-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  writeFileSync(join(home, "connectors.yml"), "connectors: [{ name: cli, type: cli }]\n");
  return home;
}

/** A command in a terminal; `screen()` is all that it wrote there. */
function inTerminal(home: string, command: string) {
  const line = `exec '${process.execPath}' '${join(projectRoot, "runtime/main.ts")}' ${command} --home '${home}'`;
  const env: NodeJS.ProcessEnv = { ...process.env, TERM: "xterm", SHELL: "/bin/sh" };
  delete env.NO_COLOR;
  const child = spawn(script ?? "", ["-qefc", line, "/dev/null"], {
    env,
    stdio: ["pipe", "pipe", "inherit"],
  });
  track(child.pid, `script ${command}`);
  let screen = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (screen += text));
  return { child, screen: () => screen, type: (keys: string) => child.stdin.write(keys) };
}

describe.skipIf(script === undefined)("in a terminal", () => {
  test("status has colours, and with --watch redraws until Ctrl-C, which brings the cursor back", async () => {
    const { child, screen, type } = inTerminal(makeHome(), "status --watch");
    await waitFor(() => screen().split("What to do").length > 2);
    expect(screen()).toContain("\x1b[?25l");
    expect(screen()).toMatch(/\x1b\[31m.*The bus is not running/);
    type("\x03");
    expect((await exited(child)).code).toBe(1);
    await waitFor(() => screen().trimEnd().endsWith("\x1b[?25h"));
  });

  test.each([
    ["n", 1, 1],
    ["y", 0, 0],
  ])("purge asks; %s leaves the exit code %i", async (answer, code, left) => {
    const home = makeHome();
    const folder = join(home, "spool/failed/cli");
    mkdirSync(folder, { recursive: true });
    const letter = {
      record: "dead_letter",
      version: 1,
      id: "a",
      connector: "cli",
      attempts: 1,
      code: "expired",
      error: "no",
    };
    writeFileSync(join(folder, "a.json"), JSON.stringify({ ...letter, failed_at: "2026-11-20T00:00:00Z" }));
    const { child, screen, type } = inTerminal(home, "failed purge --all");
    await waitFor(() => screen().includes("Remove 1 dead letter for good? [y/N]"));
    type(`${answer}\r`);
    expect((await exited(child)).code).toBe(code);
    expect(readdirSync(folder)).toHaveLength(left);
  });
});
