// One connector's process: how it is started, spoken to and ended.
//
//   running ──stop()──▶ IPC "stop" ──drainMs + slack──▶ SIGTERM ──killAfterMs──▶ SIGKILL
//   running ──kill()─────────────────────────────────▶ SIGTERM ──killAfterMs──▶ SIGKILL
//
// It cannot outlive the supervisor: the kernel kills it with its parent (Linux), and it ends when the IPC channel closes (everywhere).
import type { ChildProcess } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import type { Heartbeat } from "../../schema/types.ts";
import type { ConnectorConfig } from "../config/model.ts";
import type { Ending, FromConnector, ToConnector } from "../ipc.ts";
import { loaderArguments, spawnTethered } from "../process.ts";

const entry = join(import.meta.dirname, "../connector/process.ts");
/** What a stopping process gets beyond its drain time, to close its session. */
const stopSlackMs = 3000;
/** How long a message that was sent just before the exit may take to be read. */
const lastWordsMs = 500;
/** How long pipes that a grandchild holds open are read after the exit. */
const pipesMs = 1000;

export interface ChildOptions {
  connector: ConnectorConfig;
  home: string;
  spool: string;
  /** The process's working folder: spool/state/<name>. */
  cwd: string;
  /** The supervisor's lock. Every connector inherits it, so that it is free only when the last of them is gone: there are never two senders. */
  lockFd: number | undefined;
}

export interface ChildEvents {
  /** Just before it ends by itself: why. */
  ending(message: Ending): void;
  /** A heartbeat that could not be written. */
  alive(beat: Heartbeat): void;
  /** Once. `error` when it could not be started at all. */
  exited(code: number | null, signal: NodeJS.Signals | null, error?: Error): void;
  /** Once, after `exited`: nothing more will be printed. */
  closed(): void;
}

export class Child {
  private readonly process: ChildProcess;
  private readonly events: ChildEvents;
  private timer: NodeJS.Timeout | undefined;
  private over = false;

  constructor(options: ChildOptions, events: ChildEvents) {
    this.events = events;
    const { connector, cwd, home, lockFd, spool } = options;
    this.process = spawnTethered(process.execPath, nodeArguments(connector), {
      cwd,
      env: environment(),
      stdio: ["ignore", "pipe", "pipe", lockFd ?? "ignore", "ipc"],
      // A session of its own: Ctrl-C and a closing terminal reach the supervisor only, which then lets every connector finish its sends.
      detached: true,
    });
    this.process.on("error", (error) => this.end(null, null, error));
    this.process.once("exit", (code, signal) => this.afterLastWords(() => this.end(code, signal)));
    this.process.on("message", (message: FromConnector) => {
      if (message.type === "ending") events.ending(message);
      else events.alive(message.heartbeat);
    });
    this.send({ type: "start", connector, home, spool });
  }

  get pid(): number | undefined {
    return this.process.pid;
  }
  /** A process that could not be started for lack of descriptors has not even null here, whatever the types say. */
  get stdout(): Readable | null {
    return (this.process.stdout as Readable | null | undefined) ?? null;
  }
  get stderr(): Readable | null {
    return (this.process.stderr as Readable | null | undefined) ?? null;
  }

  send(message: ToConnector): void {
    if (!this.process.connected) return;
    // The channel of a process that is just dying is closed: its exit says so.
    this.process.send(message, () => undefined);
  }

  /** Asks it to finish what is in flight; ends it when it does not. */
  stop(drainMs: number, killAfterMs: number): void {
    if (this.over) return;
    this.send({ type: "stop" });
    this.arm(drainMs + stopSlackMs, () => this.kill(killAfterMs));
  }

  /** SIGTERM now, SIGKILL after killAfterMs. */
  kill(killAfterMs: number): void {
    if (this.over) return;
    this.process.kill("SIGTERM");
    this.arm(killAfterMs, () => this.killNow());
  }

  /** SIGKILL: works on anything, also on a stopped or spinning process. */
  killNow(): void {
    if (!this.over) this.process.kill("SIGKILL");
  }

  private arm(ms: number, act: () => void): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(act, ms);
  }

  /** RACE: `exit` can come before a message that was sent just before it. The channel closes after its last message. */
  private afterLastWords(next: () => void): void {
    clearTimeout(this.timer);
    if (!this.process.connected) return next();
    const late = setTimeout(() => this.process.disconnect(), lastWordsMs);
    this.process.once("disconnect", () => {
      clearTimeout(late);
      next();
    });
  }

  private end(code: number | null, signal: NodeJS.Signals | null, error?: Error): void {
    // An "error" of a process that runs (a failed kill) is no end.
    if (this.over || (error !== undefined && this.process.pid !== undefined)) return;
    this.over = true;
    clearTimeout(this.timer);
    if (this.process.connected) this.process.disconnect();
    this.events.exited(code, signal, error);
    this.afterPipes();
  }

  private afterPipes(): void {
    const open = [this.stdout, this.stderr].filter((stream) => stream !== null && !stream.closed);
    let left = open.length;
    if (left === 0) return this.events.closed();
    let said = false;
    const done = () => {
      clearTimeout(late);
      if (!said) this.events.closed();
      said = true;
    };
    const late = setTimeout(done, pipesMs);
    for (const stream of open) {
      stream?.once("close", () => {
        left -= 1;
        if (left === 0) done();
      });
    }
  }
}

/** Left to itself it grows to 16 MB a half, and the buffers of a file that streams through wait for its collection: 50 MB for a file that nobody holds. */
const youngSpace = "--max-semi-space-size=4";

/** Nothing of the configuration is in the arguments, which every user of the machine can read; the name is there for `ps`. */
function nodeArguments(connector: ConnectorConfig): string[] {
  const memory = [youngSpace, `--max-old-space-size=${connector.settings.memoryMb}`];
  return [...memory, ...loaderArguments(connector.loader), entry, connector.name];
}

/** glibc gives each of Node's ten threads a heap of its own, and none of them gives back what the compiler needed for a moment: 2 to 15 MB of a connector that has just started. */
const oneArena = { MALLOC_ARENA_MAX: "1" };

const inherited = ["PATH", "HOME", "TZ", "LANG", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SPOOLWAY_DEBUG"];

/** The configuration travels over IPC, so a connector needs next to nothing here: no secret of the supervisor's environment reaches it. */
function environment(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...oneArena };
  for (const name of inherited) if (process.env[name] !== undefined) env[name] = process.env[name];
  const cache = process.env.NODE_COMPILE_CACHE ?? compileCache();
  return cache === undefined ? env : { ...env, NODE_COMPILE_CACHE: cache };
}

let cacheFolder: string | undefined | null = null;

/** <package>/node_modules/.cache/spoolway where it can be written: compiled code is shared by all connectors and starts. */
function compileCache(): string | undefined {
  if (cacheFolder === null) {
    const modules = join(import.meta.dirname, "../../node_modules");
    const folder = join(modules, ".cache", "spoolway");
    cacheFolder = [folder, dirname(folder), modules].some(isWritable) ? folder : undefined;
  }
  return cacheFolder;
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false; // missing or not ours: the next one up decides
  }
}
