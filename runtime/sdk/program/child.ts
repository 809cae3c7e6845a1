// spoolway/sdk/program/child: a child program, started in a group of its own; nothing of the group outlives stop() or this process.
//
//   start ──▶ running ──exits by itself──▶ exited ──▶ the rest of its group is ended
//                │ stop(): its stdin is closed ── 1 s ──▶ SIGTERM to the group ── 3 s ──▶ SIGKILL
//                │ this process dies: the kernel kills the program, the guard kills the rest of the group
//
// The guard is a shell that waits for the end of its stdin, which only this process's death or its exit brings, and then kills the group:
// the parent-death signal reaches the program itself but not what the program started.
import { type ChildProcess, type ChildProcessByStdio, spawn } from "node:child_process";
import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { Readable, Writable } from "node:stream";
import { spawnTethered } from "../../process.ts";
import { planOfEnvironment, proxyVariables } from "../../sandbox/bridge-names.ts";
import { sleep, stop, within } from "../../sdk.ts";
import { findCommand } from "./find-command.ts";

/** What a connector's config says about a program. */
export interface ProgramConfig {
  /** The program and its arguments; no shell reads them. */
  command: string[];
  /** Its folder, relative to that of connectors.yml. */
  cwd: string;
  /** Its variables beside PATH, HOME, LANG and TZ. It gets no others. */
  env: Record<string, string>;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

const politeMs = 1000;
const termMs = 3000;
const killMs = 1000;

export class Program {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly exited: Promise<Exit>;
  readonly #group: number;
  readonly #guard: ChildProcess | undefined;
  #stopping: Promise<boolean> | undefined;

  constructor(child: ChildProcessByStdio<Writable, Readable, Readable>, pid: number) {
    this.child = child;
    this.#group = pid;
    this.#guard = startGuard(pid);
    this.exited = new Promise((done) => {
      if (!this.running) done({ code: child.exitCode, signal: child.signalCode });
      else child.once("exit", (code, signal) => done({ code, signal }));
    });
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  get pid(): number {
    return this.#group;
  }

  /** Ends the program and its group; resolves with false when something could not be ended. May be called again. */
  stop(): Promise<boolean> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<boolean> {
    const { stdin } = this.child;
    // What is still to be written to a program that does not read would keep its stdin from ever ending.
    if (stdin.writableLength > 0) stdin.destroy();
    else stdin.end();
    await within(politeMs, this.exited);
    // From here the group counts, not only its leader: a shell's children outlive it.
    let gone = this.#signal("SIGTERM") || (await this.#groupGoneWithin(termMs));
    gone ||= this.#signal("SIGKILL") || (await this.#groupGoneWithin(killMs));
    this.#guard?.kill("SIGKILL");
    return gone;
  }

  async #groupGoneWithin(ms: number): Promise<boolean> {
    const deadline = performance.now() + ms;
    while (performance.now() < deadline) {
      await sleep(20);
      if (this.#signal(0)) return true;
    }
    return false;
  }

  /** Signals the group; true when there is nothing left of it. RACE: the number can be reused only after the last member is gone, and then not at once. */
  #signal(signal: NodeJS.Signals | 0): boolean {
    try {
      process.kill(-this.#group, signal);
      return false;
    } catch (error) {
      // EPERM: a member that runs as somebody else; it is there, and cannot be ended from here.
      return (error as NodeJS.ErrnoException).code !== "EPERM";
    }
  }
}

/** Starts it; `home` is ctx.home. Throws `stop` when the command or its folder is not there: waiting would not help. */
export async function startProgram(config: ProgramConfig, home: string): Promise<Program> {
  const cwd = resolve(home, config.cwd);
  if (statSync(cwd, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw stop(`cwd is no folder: ${cwd}`, "Create it, or correct cwd in connectors.yml.", "config_invalid");
  }
  const env = environment(config.env);
  const [name = "", ...args] = config.command;
  const child = spawnTethered(findCommand(name, cwd, env.PATH ?? ""), args, {
    cwd,
    env,
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  }) as ChildProcessByStdio<Writable, Readable, Readable>;
  await new Promise<void>((done, fail) => {
    child.once("spawn", done);
    child.once("error", fail);
  });
  if (child.pid === undefined) throw new Error(`${name} was not started`);
  return new Program(child, child.pid);
}

/** What a program needs to run at all, and what the config gives it: secrets of this process are none of its business. */
function environment(extra: Record<string, string>): Record<string, string> {
  const env: Record<string, string> = {};
  // In a sandbox the way out is one of them.
  const ways = planOfEnvironment(process.env) === undefined ? [] : proxyVariables;
  for (const key of ["PATH", "HOME", "LANG", "TZ", ...ways]) {
    const value = process.env[key];
    if (value !== undefined) env[key] = value;
  }
  return { ...env, ...extra };
}

function startGuard(group: number): ChildProcess | undefined {
  const script = 'read -r _; kill -s KILL -- "-$1" 2>/dev/null';
  const guard = spawn("/bin/sh", ["-c", script, "spoolway-guard", String(group)], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
    env: {},
  });
  // No shell: then only the parent-death signal is left. Closing its stdin at exit is all that it needs, so nothing waits for it.
  guard.on("error", () => undefined);
  guard.stdin.on("error", () => undefined);
  guard.unref();
  (guard.stdin as Writable & { unref?(): void }).unref?.();
  return guard;
}
