// A reader of the documentation: somebody who stands in the folder of Spoolway, with the default connectors.yml, and runs what a page shows.
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Bus, projectRoot, startBus } from "./bus.ts";
import { atEnd, endChild, exited, killPid, trackChild, trackDescendants } from "./children.ts";
import { freePort } from "./ports.ts";
import { waitFor } from "./wait.ts";

/** The default connectors.yml, on a port that is free. */
export async function defaultBus(): Promise<{ bus: Bus; port: number }> {
  const port = await freePort();
  const yml = readFileSync(join(projectRoot, "connectors.yml"), "utf8").replaceAll("8787", String(port));
  return { bus: await startBus({ yml }), port };
}

/** The environment of a reader who stands in the folder of Spoolway: `npx` is there, and finds it. */
function environment(bus: Bus): NodeJS.ProcessEnv {
  const bin = join(bus.home, "bin");
  mkdirSync(bin, { recursive: true });
  // The real one asks npm's cache first, which takes seconds on a busy machine; what it runs then is this.
  const launcher = `#!/bin/sh\nshift\nexec '${process.execPath}' '${join(projectRoot, "runtime/main.ts")}' "$@"\n`;
  writeFileSync(join(bin, "npx"), launcher);
  chmodSync(join(bin, "npx"), 0o755);
  return { ...process.env, PATH: `${bin}:${process.env.PATH}`, SPOOLWAY_HOME: bus.home, TMPDIR: bus.home };
}

/** What they run, until the end of the test at the latest. */
export class Program {
  out = "";
  private readonly child: ChildProcess;
  private readonly bus: Bus;

  constructor(bus: Bus, command: string, args: string[], env: NodeJS.ProcessEnv = {}) {
    this.bus = bus;
    this.child = spawn(command, args, {
      cwd: bus.home,
      env: { ...environment(bus), ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    trackChild(this.child, `${bus.home} ${command} ${args.join(" ").slice(0, 100)}`);
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.out += text));
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.out += text));
    atEnd(() => this.end());
  }

  /** Waits until it has printed this. */
  async prints(text: string): Promise<void> {
    await waitFor(() => this.out.includes(text), {
      timeoutMs: 20_000,
      message: () => `${JSON.stringify(text)}; it printed ${this.out}`,
    });
  }

  /** Waits for its end; resolves with the exit code. */
  async code(): Promise<number | null> {
    return (await exited(this.child)).code;
  }

  /** With everything that it started. */
  async end(): Promise<void> {
    const { pid } = this.child;
    if (pid === undefined) return;
    trackDescendants(pid, join(this.bus.home, "nowhere"));
    killPid(-pid);
    await endChild(this.child);
  }
}

/** Says something to the webhook `web`. Resolves with the event's id. */
export async function post(port: number, fields: Record<string, unknown>): Promise<string> {
  const body = JSON.stringify({ conversation_id: "page", sender: "ada", ...fields });
  const headers = { "content-type": "application/json" };
  const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", headers, body });
  return ((await response.json()) as { id: string }).id;
}
