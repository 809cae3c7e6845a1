// One run of a connector: its process with its output, its heartbeats and its limits, from the spawn to the exit. Reports, and decides nothing.
import type { Heartbeat } from "../../schema/types.ts";
import type { ConnectorConfig, SupervisorSettings } from "../config/model.ts";
import type { Ending, ToConnector } from "../ipc.ts";
import type { Log } from "../log.ts";
import { prepareConnector } from "../spool/spool.ts";
import { readHeartbeat } from "../spool/heartbeats.ts";
import { Child } from "./child.ts";
import { Output } from "./output.ts";
import { residentBytes, Watchdog } from "./watchdog.ts";
import type { Problem } from "./words.ts";

export interface RunOptions {
  connector: ConnectorConfig;
  home: string;
  spool: string;
  lockFd: number | undefined;
  log: Log;
  settings(): SupervisorSettings;
}

export interface RunExit {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** It could not be started at all. */
  failure: Error | undefined;
  /** Why it was killed by us. */
  killing: Problem | undefined;
  /** What it said itself, just before. */
  lastWords: Ending | undefined;
}

export interface RunEvents {
  /** A heartbeat that is new. */
  /** `unwritten`: the disk refused its file. */
  beat(beat: Heartbeat, unwritten: boolean): void;
  /** Once: it has to be killed. */
  unfit(what: "hung" | "over_memory", why: Problem): void;
  exited(exit: RunExit): void;
}

export class Run {
  private readonly options: RunOptions;
  private readonly events: RunEvents;
  private readonly child: Child;
  private readonly watchdog: Watchdog;
  private killing: Problem | undefined;
  private lastWords: Ending | undefined;
  private rssBytes = 0;
  private beatSeq = 0;

  /** Starts the process; throws when not even that could be tried. */
  constructor(options: RunOptions, events: RunEvents) {
    const { connector, home, spool, lockFd, log, settings } = options;
    this.options = options;
    this.events = events;
    const { state: cwd } = prepareConnector(spool, connector.name);
    const output = new Output(connector.name, settings, log);
    this.watchdog = new Watchdog(settings, performance.now());
    this.child = new Child(
      { connector, home, spool, cwd, lockFd },
      {
        ending: (message) => (this.lastWords = message),
        alive: (beat) => this.note(beat, true),
        exited: (code, signal, failure) => {
          const { killing, lastWords } = this;
          events.exited({ code, signal, failure, killing, lastWords });
        },
        closed: () => output.close(),
      },
    );
    if (this.child.stdout) output.attach(this.child.stdout, "stdout");
    if (this.child.stderr) output.attach(this.child.stderr, "stderr");
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  send(message: ToConnector): void {
    this.child.send(message);
  }

  /** Lets it finish what is in flight, within its drain time. */
  stop(): void {
    this.child.stop(this.options.connector.settings.drainMs, this.options.settings().killAfterMs);
  }

  /** SIGTERM, later SIGKILL. */
  kill(): void {
    this.child.kill(this.options.settings().killAfterMs);
  }

  killNow(): void {
    this.child.killNow();
  }

  /** Reads the heartbeat. Files of earlier runs have another pid. */
  look(): void {
    const beat = readHeartbeat(this.options.spool, this.options.connector.name);
    if (beat !== undefined && beat.pid === this.child.pid) this.note(beat, false);
  }

  /** `unwritten`: it came as a message, because the disk refused it. */
  private note(beat: Heartbeat, unwritten: boolean): void {
    // An older file must not speak against a younger message.
    if (beat.seq < this.beatSeq || !this.watchdog.beat(beat.seq)) return;
    this.beatSeq = beat.seq;
    this.rssBytes = beat.rss_bytes ?? 0;
    this.events.beat(beat, unwritten);
  }

  /** Every checkIntervalMs. */
  check(): void {
    const { pid } = this.child;
    if (pid === undefined) return;
    this.look();
    const hung = this.watchdog.check(performance.now());
    if (this.killing !== undefined) return;
    const { memoryMb } = this.options.connector.settings;
    const usedMb = (residentBytes(pid) ?? this.rssBytes) / 1024 / 1024;
    if (hung) {
      const seconds = Math.round(this.watchdog.patienceMs() / 1000);
      this.unfit("hung", { code: "hung", message: `no heartbeat for ${seconds} s` });
    } else if (usedMb > memoryMb) {
      const message = `it used ${Math.round(usedMb)} MB of ${memoryMb} MB`;
      this.unfit("over_memory", { code: "over_memory", message });
    }
  }

  private unfit(what: "hung" | "over_memory", why: Problem): void {
    this.killing = why;
    this.events.unfit(what, why);
  }
}
