// The supervisor at work: one keeper per connector, a look at all of them every second, and the configuration as it changes.
//
//   run ─▶ apply(configuration) ─▶ tick … tick ─▶ (asked to end) ─▶ stopAll
//                 ▲                   │
//                 └── reload ◀── edit, SIGHUP
import { watch, type FSWatcher } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import PQueue from "p-queue";
import { loadConfig } from "../config/load.ts";
import type { LoadedConfig, SupervisorSettings } from "../config/model.ts";
import type { Log } from "../log.ts";
import { ControlFolder } from "./control.ts";
import { Keeper, type KeeperHost } from "./keeper.ts";
import { ConfigWatch, logProblems, planReload, problemText } from "./reload.ts";
import { findOrphans, removeOldHeartbeats, StatusFile, type Orphan } from "./status.ts";
import type { StopRequest } from "./stop.ts";
import { checkIntervalMs } from "./watchdog.ts";

const leftoversEveryTicks = 10;
const secondLookMs = 2000;
/** After SIGKILL to every connector: only a process stuck in the kernel takes longer. */
const afterKillMs = 5000;

export interface SupervisorOptions {
  /** The folder of connectors.yml and config/. */
  home: string;
  spool: string;
  out: Log;
  version: string;
  /** The configuration that it starts with, before the first connector does. */
  onLoaded?(loaded: LoadedConfig): void;
}

export class Supervisor implements KeeperHost {
  readonly home: string;
  readonly spool: string;
  readonly lockFd: number | undefined;
  readonly log: Log;
  /** Starting is work for the processor: more at once than this only makes each slower, and the first one late. */
  readonly starts = new PQueue({ concurrency: availableParallelism() * 2 });
  private readonly options: SupervisorOptions;
  private readonly keepers = new Map<string, Keeper>();
  private readonly control: ControlFolder;
  private readonly configWatch: ConfigWatch;
  private readonly statusFile: StatusFile;
  /** What could not be done at the last try, so that it is logged once. */
  private readonly troubles = new Set<string>();
  private current: SupervisorSettings;
  private configErrors: string[] = [];
  private orphans: Orphan[] = [];
  private readonly orphansSaid = new Set<string>();
  private stopping = false;
  private ticks = 0;
  private timer: NodeJS.Timeout | undefined;
  private allGone: (() => void) | undefined;
  private reloading: Promise<void> | undefined;
  private reloadAgain = false;

  constructor(options: SupervisorOptions, lockFd: number | undefined, settings: SupervisorSettings) {
    this.options = options;
    this.home = options.home;
    this.spool = options.spool;
    this.log = options.out;
    this.lockFd = lockFd;
    this.current = settings;
    this.control = new ControlFolder(options.spool, () => this.keepers, options.out);
    this.configWatch = new ConfigWatch(options.out, () => void this.reload());
    this.statusFile = new StatusFile(
      options.spool,
      options.version,
      {
        state: () => (this.stopping ? "stopping" : "running"),
        connectors: () => [...this.keepers.values()].map((keeper) => keeper.status()),
        orphans: () => this.orphans,
        configErrors: () => this.configErrors,
      },
      options.out,
    );
  }

  /** From the first connector's start to the last one's end. Returns the exit code. */
  async run(loaded: LoadedConfig, stop: StopRequest): Promise<number> {
    const { home, log, options, configWatch } = this;
    options.onLoaded?.(loaded);
    const connectors = loaded.connectors.length;
    log.info("supervisor.started", { pid: process.pid, version: options.version, home, connectors });
    this.apply(loaded);
    this.tick();
    stop.onHangup = () => configWatch.trigger();
    this.control.watch(() => this.guarded("control", () => this.control.scan()));
    const heartbeats = this.watchHeartbeats();
    // What was edited between the first reading and the watch.
    const once = setTimeout(() => void this.reload(), secondLookMs);

    await stop.first;
    clearTimeout(once);
    log.info("supervisor.stopping", { reason: stop.reason });
    this.stopping = true;
    stop.onHangup = () => undefined;
    heartbeats?.close();
    this.control.close();
    await configWatch.close();
    await this.stopAll(stop);
    clearTimeout(this.timer);
    this.statusFile.write();
    this.statusFile.close();
    log.info("supervisor.stopped");
    return stop.exitCode;
  }

  settings(): SupervisorSettings {
    return this.current;
  }

  changed(): void {
    this.statusFile.changed();
  }

  forget(name: string): void {
    this.keepers.delete(name);
    this.ticks = 0; // its heartbeat and its messages are nobody's now
    this.changed();
    if (this.keepers.size === 0) this.allGone?.();
  }

  /** Every second. One connector's trouble never keeps the others from being looked at. */
  private tick(): void {
    this.timer = setTimeout(() => this.tick(), checkIntervalMs);
    for (const keeper of [...this.keepers.values()]) this.guarded(keeper.name, () => keeper.tick());
    if (!this.stopping) this.guarded("control", () => this.control.scan());
    // While it ends each connector is forgotten in turn: what they leave is not left behind.
    if (!this.stopping && this.ticks % leftoversEveryTicks === 0) {
      this.guarded("outbox", () => this.lookForOrphans());
      this.guarded("heartbeat", () => removeOldHeartbeats(this.spool, new Set(this.keepers.keys())));
    }
    this.ticks += 1;
    this.statusFile.write();
  }

  /** What fails here (a disk error, no descriptors left) is said once, and tried again at the next tick. */
  private guarded(what: string, act: () => void): void {
    try {
      act();
      this.troubles.delete(what);
    } catch (error) {
      if (!this.troubles.has(what))
        this.log.error("supervisor.hindered", { what, message: (error as Error).message });
      this.troubles.add(what);
    }
  }

  private lookForOrphans(): void {
    this.orphans = findOrphans(this.spool, new Set(this.keepers.keys()));
    for (const { name, files } of this.orphans) {
      if (this.orphansSaid.has(name)) continue;
      this.orphansSaid.add(name);
      const message =
        name === "."
          ? "drops lie in outbox/ itself; put them into the folder of a connector"
          : "messages wait for a connector that connectors.yml does not have; they stay untouched";
      this.log.warn("outbox.orphaned", { name, files, message });
    }
  }

  /** Reads the configuration again. Asked again meanwhile, it reads once more afterwards. */
  private async reload(): Promise<void> {
    if (this.reloading) {
      this.reloadAgain = true;
      return this.reloading;
    }
    do {
      this.reloadAgain = false;
      this.reloading = this.reloadOnce();
      await this.reloading;
      this.reloading = undefined;
    } while (this.reloadAgain && !this.stopping);
  }

  private async reloadOnce(): Promise<void> {
    let loaded: LoadedConfig;
    try {
      loaded = await loadConfig(this.home);
    } catch (error) {
      this.log.error("config.unreadable", { message: (error as Error).message });
      return;
    }
    if (this.stopping) return;
    const errors = loaded.problems.map(problemText);
    if (errors.join("\n") !== this.configErrors.join("\n")) logProblems(this.log, loaded);
    if (loaded.unusable) {
      this.configErrors = errors;
      this.log.error("config.refused", {
        message: "connectors.yml cannot be used; everything goes on as before",
      });
      this.changed();
    } else this.apply(loaded);
  }

  private apply(loaded: LoadedConfig): void {
    this.current = loaded.supervisor;
    this.configErrors = loaded.problems.map(problemText);
    this.configWatch.follow(loaded.files);
    for (const connector of loaded.connectors) this.log.hide(connector.secrets);
    const present = new Map([...this.keepers].map(([name, keeper]) => [name, keeper.present]));
    const plan = planReload(present, loaded);
    const configured = [...plan.start, ...plan.restart, ...plan.disable];
    for (const { name, type } of [...configured, ...plan.invalid]) {
      if (!this.keepers.has(name)) this.keepers.set(name, new Keeper(this, name, type));
    }
    this.guarded("control", () => this.control.scan()); // before anything starts: what is paused never does
    for (const connector of configured) this.keepers.get(connector.name)?.configure(connector);
    for (const connector of plan.same) this.keepers.get(connector.name)?.confirm();
    for (const name of plan.remove) this.keepers.get(name)?.remove();
    for (const { name, problems, revoked } of plan.invalid)
      this.keepers.get(name)?.invalidate(problems, revoked);
    const touched = configured.length + plan.remove.length + plan.invalid.length > 0;
    if (present.size > 0 && touched) {
      const names = (list: Array<{ name: string }>) => list.map(({ name }) => name);
      const { start, restart, disable, remove, invalid } = plan;
      const now = {
        started: names(start),
        restarted: names(restart),
        disabled: names(disable),
        removed: remove,
      };
      this.log.info("config.reloaded", { ...now, invalid: names(invalid) });
    }
    this.ticks = 0; // orphans are other ones now
    this.changed();
  }

  /** Only a hint, so that a starting connector is seen at once; the tick is the truth. */
  private watchHeartbeats(): FSWatcher | undefined {
    try {
      const watcher = watch(join(this.spool, "heartbeat"), (_kind, file) => {
        const keeper = file?.endsWith(".json") ? this.keepers.get(file.slice(0, -".json".length)) : undefined;
        if (keeper) this.guarded(keeper.name, () => keeper.hint());
      });
      watcher.on("error", () => watcher.close()); // the ticks go on
      return watcher;
    } catch (error) {
      this.log.warn("heartbeat.unwatched", { message: (error as Error).message });
      return undefined;
    }
  }

  /** Lets every connector finish; after the deadline, or asked again, ends them at once. */
  private async stopAll(stop: StopRequest): Promise<void> {
    const gone = new Promise<void>((resolve) => {
      this.allGone = resolve;
      if (this.keepers.size === 0) resolve();
    });
    for (const keeper of [...this.keepers.values()]) keeper.remove();
    await withDeadline(this.current.shutdownMs, gone, stop.second);
    if (this.keepers.size === 0) return;
    this.log.warn("supervisor.killing", { connectors: [...this.keepers.keys()] });
    for (const keeper of this.keepers.values()) keeper.killNow();
    await withDeadline(afterKillMs, gone);
  }
}

/** Resolves with the first of the promises, or after `ms`. */
async function withDeadline(ms: number, ...promises: Array<Promise<void>>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([...promises, late]);
  clearTimeout(timer);
}
