// A foreground server as a child of the test: started, stopped, killed and started again with the same files and on the same port.
import type { ChildProcess } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { findExecutable, spawnTethered } from "../../../runtime/process.ts";
import { endChild, track } from "../children.ts";
import { GiveUp, waitFor } from "../wait.ts";

export interface DaemonOptions {
  program: string;
  args: readonly string[];
  /** The log is written here. */
  folder: string;
  /** Besides our own environment. */
  env?: Record<string, string>;
  /** Resolves when the server serves: "accepts TCP" is not it. Throws while it does not. */
  ready(): Promise<void>;
}

export class Daemon {
  private readonly options: DaemonOptions;
  private child: ChildProcess | undefined;

  constructor(options: DaemonOptions) {
    this.options = options;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  get running(): boolean {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Resolves when it is ready. */
  async start(): Promise<void> {
    const { program, args, folder, env, ready } = this.options;
    const path = findServer(program);
    if (path === undefined) throw new Error(`${program} is not installed`);
    const log = openSync(join(folder, `${program}.log`), "a");
    const child = spawnTethered(path, args, {
      cwd: folder,
      env: { ...process.env, ...env },
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    track(child.pid, program);
    this.child = child;
    await waitFor(
      async () => {
        if (child.exitCode !== null)
          throw new GiveUp(`${program} ended with ${child.exitCode}:\n${this.logs()}`);
        await ready().catch((error: unknown) => {
          // Not yet: a probe that gave up on its connection must not end the wait for the server.
          throw new Error("not ready", { cause: error });
        });
        return true;
      },
      { timeoutMs: 20_000, everyMs: 50, message: () => `${program} to be ready\n${this.logs()}` },
    );
  }

  /** SIGTERM; resolves when it is gone. */
  async stop(): Promise<void> {
    if (this.child) await endChild(this.child, "SIGTERM");
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.child) await endChild(this.child, "SIGKILL");
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  logs(): string {
    return readFileSync(join(this.options.folder, `${this.options.program}.log`), "utf8").slice(-4000);
  }
}

/** Where a server's program is, or undefined: Debian puts them into sbin, which is not on everyone's PATH. */
export function findServer(program: string): string | undefined {
  const sbin = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map((folder) => join(folder, program));
  return findExecutable(program) ?? sbin.find((path) => existsSync(path));
}

/** For `Platform.missing` and describe.skipIf: why a server cannot be used, or undefined when it can. */
export function missingServer(program: string): string | undefined {
  if (findServer(program) !== undefined) return undefined;
  const why = `${program} is not installed (apt-get install ${program})`;
  console.error(`SKIPPED: ${why}`);
  return why;
}
