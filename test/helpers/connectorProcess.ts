// One connector's process without a supervisor, for fine-grained tests of what runs inside: real IPC, real spool, exit codes as they are.
//
//     const one = await startConnector({ type: wireType, port });
//     await one.waitForState("live");
//     expect(await one.stop()).toMatchObject({ code: 0 });
//
// The entry goes through the real configuration loader. Nothing restarts it: that is the point. Ends with the test.
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
import { stringify } from "yaml";
import { loadConfig } from "../../runtime/config/load.ts";
import type { ConnectorConfig, ConnectorSettings } from "../../runtime/config/model.ts";
import type { FromConnector, ToConnector } from "../../runtime/ipc.ts";
import { spawnTethered } from "../../runtime/process.ts";
import type { Grants } from "../../runtime/sandbox/grants.ts";
import { openSpool } from "../../runtime/spool/spool.ts";
import type { Heartbeat } from "../../schema/types.ts";
import { atEnd, endChild, exited, track } from "./children.ts";
import { projectRoot } from "./command.ts";
import { Spool } from "./spool.ts";
import { GiveUp, waitFor } from "./wait.ts";

export interface ConnectorOptions {
  /** A type's name, or the path of its folder. */
  type: string;
  /** Default "one". */
  name?: string;
  /** Laid over the settings that the loader made: durations in ms. */
  settings?: Partial<ConnectorSettings>;
  /** What config/policy.yml grants it. */
  grants?: Partial<Omit<Grants, "targets">>;
  /** A command that starts the process in its own place: ["setpriv", "--reuid=nobody", …]. */
  wrapper?: string[];
  /** To start another process on the spool of an earlier one. */
  home?: string;
  env?: Record<string, string>;
  /** The connector's own keys. */
  [key: string]: unknown;
}

export class ConnectorProcess extends Spool {
  readonly home: string;
  readonly name: string;
  /** What it said before it exited 100 or 111. */
  readonly endings: FromConnector[] = [];
  private readonly child: ChildProcess;

  constructor(
    home: string,
    connector: ConnectorConfig,
    env: Record<string, string>,
    wrapper: readonly string[] = [],
  ) {
    super(join(home, "spool"));
    this.home = home;
    this.name = connector.name;
    const cwd = join(this.spool, "state", connector.name);
    mkdirSync(cwd, { recursive: true });
    const log = openSync(join(home, "connector.log"), "a");
    const script = join(projectRoot, "runtime/connector/process.ts");
    const [command, ...args] = [...wrapper, process.execPath, script, connector.name];
    this.child = spawnTethered(command ?? process.execPath, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", log, log, "ipc"],
    });
    closeSync(log);
    track(this.child.pid, `${home} connector ${connector.name}`);
    this.child.on("message", (message) => this.endings.push(message as FromConnector));
    this.tell({ type: "start", connector, home, spool: this.spool });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  tell(message: ToConnector): void {
    this.child.send(message, () => undefined); // one that has just died is seen by its exit
  }

  /** Waits for a heartbeat of this process with this state. */
  async waitForState(state: Heartbeat["state"], timeoutMs = 15_000): Promise<Heartbeat> {
    const beat = () => this.heartbeat(this.name);
    return waitFor(
      () => {
        const now = beat();
        if (now?.pid === this.pid && now.state === state) return now;
        if (!this.running) throw new GiveUp(`it ended: ${JSON.stringify(this.endings)}\n${this.logs()}`);
        return undefined;
      },
      { timeoutMs, message: () => `${state}; it is ${JSON.stringify(beat())}\n${this.logs().slice(-4000)}` },
    );
  }

  /** Asks it to stop; resolves with how it ended. */
  async stop(): Promise<{ code: number | null; signal: string | null }> {
    this.tell({ type: "stop" });
    return this.exited();
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    await endChild(this.child, "SIGKILL");
  }

  /** Closes the IPC channel, as the death of a supervisor does. */
  orphan(): void {
    this.child.disconnect();
  }

  async exited(): Promise<{ code: number | null; signal: string | null }> {
    return exited(this.child);
  }

  logs(): string {
    const path = join(this.home, "connector.log");
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  }
}

/** Loads the entry and starts its process; it may not be live yet. Throws with the problems of a wrong entry. */
export async function startConnector(options: ConnectorOptions): Promise<ConnectorProcess> {
  const { settings = {}, grants, wrapper = [], home: given, env = {}, name = "one", ...entry } = options;
  const home = given ?? mkdtempSync(join(tmpdir(), "spoolway-connector-"));
  writeFileSync(join(home, "connectors.yml"), stringify({ connectors: [{ name, ...entry }] }));
  if (grants !== undefined) {
    mkdirSync(join(home, "config"), { recursive: true });
    writeFileSync(join(home, "config/policy.yml"), stringify({ connectors: { [name]: grants } }));
  }
  const loaded = await loadConfig(home);
  const [connector] = loaded.connectors;
  if (!connector) throw new Error(JSON.stringify(loaded.problems, null, 2));
  if (given === undefined) await openSpool(mkdir(join(home, "spool")));
  const merged = { ...connector, settings: { ...connector.settings, ...settings } };
  const started = new ConnectorProcess(home, merged, env, wrapper);
  atEnd(async (failed) => {
    await started.kill();
    if (failed) console.error(`the home of the failed test: ${home}`);
    else if (given === undefined) rmSync(home, { recursive: true, force: true });
  });
  return started;
}

function mkdir(path: string): string {
  mkdirSync(path, { recursive: true });
  return path;
}
