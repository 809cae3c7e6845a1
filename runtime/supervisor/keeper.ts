// Keeps one connector running: feeds what happens to it into the state table (state.ts) and carries the effects out. Knows its configuration, its
// present run, its restart policy and its next start.
import { setTimeout as delay } from "node:timers/promises";
import type PQueue from "p-queue";
import type { ConnectorStatus, Heartbeat } from "../../schema/types.ts";
import type { ConfigProblem, ConnectorConfig, SupervisorSettings } from "../config/model.ts";
import { hintForFiles } from "../errors.ts";
import type { Log } from "../log.ts";
import type { ControlTarget } from "./control.ts";
import { exitKind, RestartPolicy } from "./policy.ts";
import { problemText } from "./reload.ts";
import { Run, type RunExit } from "./run.ts";
import {
  type Effect,
  type Event,
  isRunning,
  isStopping,
  publicState,
  type State,
  transition,
} from "./state.ts";
import { actionFor, exitText, type Problem } from "./words.ts";

/** How long a starting process may keep others waiting for their turn. */
const turnMs = 3000;

/** What a keeper needs of the supervisor. */
export interface KeeperHost {
  readonly home: string;
  readonly spool: string;
  readonly lockFd: number | undefined;
  readonly log: Log;
  /** Limits how many processes start at the same time. */
  readonly starts: PQueue;
  settings(): SupervisorSettings;
  /** The status of a connector changed. */
  changed(): void;
  /** It is gone for good. */
  forget(name: string): void;
}

export class Keeper implements ControlTarget {
  readonly name: string;
  private type: string;
  private readonly host: KeeperHost;
  private readonly policy: RestartPolicy;
  private state: State = "new";
  private since = new Date();
  /** The last good entry. */
  private config: ConnectorConfig | undefined;
  private configError: Problem | undefined;
  private pauseReason: string | undefined;
  private run: Run | undefined;
  private starts = 0;
  private signOfLife: (() => void) | undefined;
  private timer: NodeJS.Timeout | undefined;
  private delayMs = 0;
  private nextStartAt: Date | undefined;
  private lastExit: string | undefined;
  private error: Problem | undefined;
  /** What a heartbeat says that cannot be written. */
  private unwrittenError: Problem | undefined;
  private userAction: string | undefined;

  constructor(host: KeeperHost, name: string, type: string) {
    this.host = host;
    this.name = name;
    this.type = type;
    this.policy = new RestartPolicy(() => host.settings());
  }

  /** What it runs with, for the comparison with connectors.yml. */
  get present(): { fingerprint: string | undefined; enabled: boolean } {
    return { fingerprint: this.config?.fingerprint, enabled: this.config?.settings.enabled ?? false };
  }

  /** A valid entry, new or changed. */
  configure(config: ConnectorConfig): void {
    this.config = config;
    this.type = config.type;
    this.configError = undefined;
    this.handle(config.settings.enabled ? "config_changed" : "config_disabled");
    if (this.pauseReason !== undefined) this.handle("paused");
    this.host.changed();
  }

  /** The entry is valid and as before: an earlier mistake is repaired. */
  confirm(): void {
    this.configError = undefined;
    this.host.changed();
  }

  /** The entry has errors now. Where a process works, it goes on with the last good one; not so where what it was granted is `revoked`. */
  invalidate(problems: readonly ConfigProblem[], revoked = false): void {
    this.configError = { code: "config_invalid", message: problems.slice(0, 5).map(problemText).join(" | ") };
    if (revoked) this.handle("config_disabled");
    this.handle("config_invalid");
    if (revoked || this.state === "invalid") this.config = undefined;
    this.host.changed();
  }

  /** The entry is gone, or the supervisor ends. */
  remove(): void {
    this.handle("removed");
  }

  pause(reason: string | undefined): void {
    const before = this.pauseReason;
    if (reason === before) return;
    this.pauseReason = reason;
    if (before === undefined) this.log("info", "connector.paused", { reason });
    if (reason === undefined) this.log("info", "connector.resumed");
    this.handle(reason === undefined ? "resumed" : "paused");
    this.host.changed();
  }

  restart(): void {
    const refused = ["paused", "stopping>paused", "disabled", "invalid"].includes(this.state);
    if (refused) this.log("warn", "restart.refused", { message: `it is ${publicState(this.state)}` });
    else this.log("info", "restart.requested");
    this.handle("restart_requested");
  }

  sync(): boolean {
    if (this.run === undefined || !isRunning(this.state)) return false;
    this.run.send({ type: "sync" });
    return true;
  }

  /** SIGKILL: the time to end is over. */
  killNow(): void {
    this.run?.killNow();
  }

  /** The heartbeat changed: reads it at once where it is waited for. */
  hint(): void {
    if (this.state !== "live") this.run?.look();
  }

  /** Every second. */
  tick(): void {
    this.run?.check();
  }

  status(): ConnectorStatus {
    const state = publicState(this.state);
    const error = this.configError ?? this.error ?? this.unwrittenError;
    const action = this.configError
      ? "Run: spoolway check"
      : (actionFor(state, this.name, this.pauseReason) ?? this.userAction);
    return {
      name: this.name,
      type: this.type,
      state,
      ...(this.run?.pid === undefined ? {} : { pid: this.run.pid }),
      since: this.since.toISOString(),
      restarts: Math.max(0, this.starts - 1),
      ...(this.nextStartAt === undefined ? {} : { next_start_at: this.nextStartAt.toISOString() }),
      ...(this.lastExit === undefined ? {} : { last_exit: this.lastExit }),
      ...(error === undefined ? {} : { error }),
      ...(action === undefined ? {} : { user_action: action }),
    };
  }

  private handle(event: Event): void {
    const before = this.state;
    const { state, effects } = transition(before, event);
    this.state = state;
    for (const effect of effects) this.carryOut(effect);
    if (publicState(before) === publicState(state)) return;
    this.since = new Date();
    this.host.changed();
  }

  private carryOut(effect: Effect): void {
    switch (effect) {
      case "spawn":
        void this.host.starts.add(() => this.takeTurn());
        break;
      case "stop":
        this.run?.stop();
        break;
      case "kill":
        this.run?.kill();
        break;
      case "arm":
        this.nextStartAt = new Date(Date.now() + this.delayMs);
        this.timer = setTimeout(() => {
          this.nextStartAt = undefined;
          this.handle("timer_due");
        }, this.delayMs);
        break;
      case "disarm":
        clearTimeout(this.timer);
        this.nextStartAt = undefined;
        break;
      case "forgive":
        this.policy.forgive();
        this.settle();
        break;
      case "forget":
        this.host.forget(this.name);
        break;
    }
  }

  /** What was wrong is over. */
  private settle(): void {
    this.error = undefined;
    this.userAction = undefined;
    this.host.changed();
  }

  /** Starts the process and keeps this turn until it has shown a sign of life, so that starting many does not slow each of them down. */
  private async takeTurn(): Promise<void> {
    await null; // what queued it may go on and decide otherwise: a paused connector is never started
    if (this.state !== "queued" || this.config === undefined) return;
    const alive = new Promise<void>((resolve) => (this.signOfLife = resolve));
    this.start(this.config);
    const patience = new AbortController();
    const late = delay(turnMs, undefined, { signal: patience.signal }).catch(() => undefined); // aborted: was alive
    await Promise.race([alive, late]);
    patience.abort();
  }

  private start(connector: ConnectorConfig): void {
    const { home, spool, lockFd, log } = this.host;
    const settings = () => this.host.settings();
    this.starts += 1;
    this.policy.started();
    try {
      this.run = new Run(
        { connector, home, spool, lockFd, log, settings },
        {
          beat: (beat, unwritten) => this.beat(beat, unwritten),
          unfit: (what, why) => {
            this.log("error", `connector.${what}`, { pid: this.run?.pid, message: why.message });
            this.handle(what);
          },
          exited: (exit) => this.exited(exit),
        },
      );
    } catch (error) {
      const failure = error as Error;
      return this.exited({ code: null, signal: null, failure, killing: undefined, lastWords: undefined });
    }
    this.handle("spawned");
    if (this.run.pid !== undefined)
      this.log("info", "connector.started", { type: this.type, pid: this.run.pid });
    this.host.changed();
  }

  private beat(beat: Heartbeat, unwritten: boolean): void {
    this.signOfLife?.();
    // The file of its last heartbeat says something else: then it is said here.
    const unwrittenError = unwritten ? beat.error : undefined;
    if (unwrittenError?.message !== this.unwrittenError?.message) this.host.changed();
    this.unwrittenError = unwrittenError;
    this.policy.beat(performance.now(), beat);
    if (beat.state !== "stopping") this.handle(`beat:${beat.state}`);
    if (this.state === "live" && this.error !== undefined) this.settle();
  }

  private exited(exit: RunExit): void {
    const asked = isStopping(this.state) && this.state !== "stopping>backoff";
    this.lastExit = exitText(exit, asked);
    this.run = undefined;
    this.unwrittenError = undefined;
    this.signOfLife?.();
    if (asked) {
      this.log("info", "connector.exited", { exit: this.lastExit });
      this.handle("exited:retry");
    } else this.exitedUnasked(exit, this.lastExit);
    this.host.changed();
  }

  private exitedUnasked({ code, failure, killing, lastWords }: RunExit, text: string): void {
    const kind = failure ? "temporary" : killing ? "crash" : exitKind(code);
    const verdict = this.policy.exited(performance.now(), kind);
    const said = lastWords && { code: lastWords.code, message: lastWords.message };
    this.error = killing ?? said ?? { code: failure ? "not_started" : "crashed", message: text };
    this.userAction = lastWords?.user_action ?? hintForFiles(failure);
    this.delayMs = verdict.next === "permanent" ? 0 : verdict.delayMs;
    const fields = {
      exit: text,
      ...this.error,
      ...(this.userAction ? { user_action: this.userAction } : {}),
    };
    const again = { ...fields, next_start_in_s: Math.round(this.delayMs / 100) / 10 };
    if (verdict.next === "permanent") this.log("error", "connector.stopped", fields);
    else if (verdict.next === "park") this.log("error", "connector.parked", again);
    else this.log("warn", "connector.exited", again);
    this.handle(`exited:${verdict.next}`);
  }

  private log(level: "info" | "warn" | "error", event: string, fields: Record<string, unknown> = {}): void {
    this.host.log.write(level, event, { connector: this.name, ...fields });
  }
}
