// A real bus for a test: `spoolway run` as a child process on a home of its own.
//
//     const bus = await startBus({ connectors: [{ name: "web", type: "webhook", port }] });
//     const id = bus.send("web", { conversation_id: "me", text: "hi" });
//     await bus.waitForReceipt("web", id);
//
// Ends by itself with the test: stopped with SIGTERM (exit code 0 is checked), its processes are verified to be gone by pid, its home is removed; when
// the test failed the home stays and its path is printed. What it reads and writes of the spool is in spool.ts.
import type { ChildProcess } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { spawnTethered } from "../../runtime/process.ts";
import type { ConnectorStatus } from "../../schema/types.ts";
import { atEnd, exited, expectGone, track, trackDescendants } from "./children.ts";
import { type CommandResult, projectRoot, runCommand } from "./command.ts";
import { Spool } from "./spool.ts";
import { GiveUp, waitFor, type WaitOptions } from "./wait.ts";

export { projectRoot, runCommand } from "./command.ts";
export type { EventFilter } from "./spool.ts";

type State = ConnectorStatus["state"];
/** Every connector in this state, or each in its own; "nothing": only that the supervisor is there. */
export type Until = State | Record<string, State> | "nothing";

export interface BusOptions {
  /** The entries of connectors.yml … */
  connectors?: Array<Record<string, unknown>>;
  /** … or its text. */
  yml?: string;
  /** A home that exists already; it is left alone at the end. Default: a new temporary one. */
  home?: string;
  env?: Record<string, string>;
  /** Laid over config/defaults.yml, for quicker backoffs and the like. */
  defaults?: { connector?: Record<string, unknown>; supervisor?: Record<string, unknown> };
  /** What to wait for at the start. Default "live". */
  until?: Until;
  timeoutMs?: number;
}

export class Bus extends Spool {
  readonly home: string;
  private readonly options: BusOptions;
  private child: ChildProcess | undefined;

  constructor(options: BusOptions) {
    const home = options.home ?? mkdtempSync(join(tmpdir(), "spoolway-test-"));
    super(join(home, "spool"));
    this.home = home;
    this.options = options;
    this.configure(options.yml ?? options.connectors ?? []);
    mkdirSync(join(home, "config"), { recursive: true });
    writeFileSync(join(home, "config/defaults.yml"), defaultsText(options.defaults));
  }

  /** The supervisor's pid. */
  get pid(): number {
    if (this.child?.pid === undefined) throw new Error("the bus is not running");
    return this.child.pid;
  }

  get running(): boolean {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Writes connectors.yml; a running bus notices. */
  configure(yml: string | Array<Record<string, unknown>>): void {
    const text = typeof yml === "string" ? yml : stringify({ connectors: yml });
    writeFileSync(join(this.home, "connectors.yml"), text);
  }

  /** Starts the supervisor and waits as `until` says. */
  async start(until: Until = this.options.until ?? "live"): Promise<void> {
    const log = openSync(join(this.home, "bus.log"), "a");
    // A process group of its own, so that everything that it starts can be found again, and tied to this process, so that a killed test run leaves nothing.
    this.child = spawnTethered(
      process.execPath,
      [join(projectRoot, "runtime/main.ts"), "run", "--home", this.home],
      {
        cwd: this.home,
        env: { ...process.env, ...this.options.env },
        stdio: ["ignore", log, log],
        detached: true,
      },
    );
    closeSync(log);
    track(this.child.pid, `${this.home} supervisor`);
    await this.waitForStates(until, this.options.timeoutMs);
  }

  /** Waits until the connectors are in these states, as _supervisor.json of this very process says. */
  async waitForStates(until: Until, timeoutMs = 30_000): Promise<void> {
    const wanted =
      typeof until === "string" ? this.configured().map((name) => [name, until]) : Object.entries(until);
    const reached = () => {
      if (!this.running) throw new GiveUp(`the bus ended:\n${this.logs().slice(-8000)}`);
      if (this.status()?.pid !== this.pid) return false;
      return (
        until === "nothing" || wanted.every(([name = "", state]) => this.connector(name)?.state === state)
      );
    };
    const now = () => `${JSON.stringify(this.status()?.connectors)}\n${this.logs().slice(-4000)}`;
    await waitFor(reached, { timeoutMs, message: () => `${JSON.stringify(until)}; it is ${now()}` });
  }

  /** SIGTERM; the exit code must be 0 and nothing may be left. */
  async stop(): Promise<void> {
    const { code, signal } = await this.end("SIGTERM");
    if (code !== 0)
      throw new Error(`SIGTERM: exit code ${code}, signal ${signal}\n${this.logs().slice(-4000)}`);
    await expectGone(10_000, this.home);
  }

  /** SIGKILL of the supervisor; its connectors must be gone soon after. */
  async kill(): Promise<void> {
    await this.end("SIGKILL");
    await expectGone(15_000, this.home);
  }

  /** Stops where it still runs, and starts again on the same home. */
  async restart(until?: Until): Promise<void> {
    if (this.running) await this.stop();
    await this.start(until);
  }

  /** Kills one connector's process and waits until another one is live. */
  async killConnector(name: string): Promise<void> {
    const before = this.connector(name)?.pid;
    if (before === undefined) throw new Error(`${name} has no process`);
    process.kill(before, "SIGKILL");
    await this.waitForConnector(
      name,
      (now) => now.state === "live" && now.pid !== undefined && now.pid !== before,
    );
  }

  /** Waits until a connector's entry in _supervisor.json is as wanted, and resolves with it. */
  async waitForConnector(
    name: string,
    wanted: State | ((status: ConnectorStatus) => boolean),
    options: WaitOptions = {},
  ): Promise<ConnectorStatus> {
    const is = typeof wanted === "string" ? (status: ConnectorStatus) => status.state === wanted : wanted;
    const found = () => {
      const status = this.connector(name);
      return status !== undefined && is(status) ? status : undefined;
    };
    const now = () => `${JSON.stringify(this.connector(name))}\n${this.logs().slice(-4000)}`;
    const message = () => `${name} to be ${String(wanted)}; it is ${now()}`;
    return waitFor(found, { timeoutMs: 30_000, message, ...options });
  }

  /** Everything that the bus printed so far, over all its starts. */
  logs(): string {
    const path = join(this.home, "bus.log");
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  }

  /** Runs another command of spoolway on this home. */
  async command(...args: string[]): Promise<CommandResult> {
    return runCommand([...args, "--home", this.home], { env: { ...process.env, ...this.options.env } });
  }

  /** What the end of a test does; see the head of the file. */
  async finish(failed: boolean): Promise<void> {
    let keep = true;
    try {
      if (this.running) await (failed ? this.kill() : this.stop());
      keep = failed;
    } finally {
      if (keep) console.error(`the home of the failed test: ${this.home}`);
      else if (this.options.home === undefined) rmSync(this.home, { recursive: true, force: true });
    }
  }

  private async end(signal: NodeJS.Signals): Promise<{ code: number | null; signal: string | null }> {
    const child = this.child;
    if (child?.pid === undefined) throw new Error("the bus was never started");
    trackDescendants(child.pid, this.home);
    child.kill(signal);
    const late = setTimeout(() => child.kill("SIGKILL"), 60_000);
    const result = await exited(child);
    clearTimeout(late);
    // Once more: what was started between the look and the end. The group outlives its leader.
    trackDescendants(child.pid, this.home);
    return result;
  }

  private configured(): string[] {
    const file: unknown = parse(readFileSync(join(this.home, "connectors.yml"), "utf8"));
    const entries = (file as { connectors?: Array<{ name?: string }> | null } | null)?.connectors ?? [];
    return entries.flatMap((entry) => entry.name ?? []);
  }
}

/** config/defaults.yml as shipped, with these changes. */
function defaultsText(changes: BusOptions["defaults"]): string {
  const shipped = parse(readFileSync(join(projectRoot, "config/defaults.yml"), "utf8")) as Record<
    string,
    object
  >;
  return stringify({
    connector: { ...shipped.connector, ...changes?.connector },
    supervisor: { ...shipped.supervisor, ...changes?.supervisor },
  });
}

/** A bus that has reached the wanted state. */
export async function startBus(options: BusOptions = {}): Promise<Bus> {
  const bus = new Bus(options);
  atEnd((failed) => bus.finish(failed));
  await bus.start();
  return bus;
}
