// Following connectors.yml: what changed between what runs and what the file says now, and the watch that asks.
//
//   entry new            starts
//   entry changed        restarts (its fingerprint differs); others are not touched
//   entry disabled/gone  stops
//   entry now invalid    a process that runs keeps its last good configuration, with the error in the status (see state.ts)
//   file unusable        nothing changes; the problems are logged with their lines
//
// Connector sources are not followed: `npm run dev` restarts everything for that.
import { FSWatcher } from "chokidar";
import type { ConfigProblem, ConnectorConfig, LoadedConfig } from "../config/model.ts";
import type { Log } from "../log.ts";

const debounceMs = 300;

export interface ReloadPlan {
  start: ConnectorConfig[];
  restart: ConnectorConfig[];
  disable: ConnectorConfig[];
  invalid: LoadedConfig["invalid"];
  /** Valid, and as before. */
  same: ConnectorConfig[];
  /** Names whose entries are gone. */
  remove: string[];
}

/** What there is now: per name the fingerprint that it runs with, and whether it is enabled. */
export type Present = ReadonlyMap<string, { fingerprint: string | undefined; enabled: boolean }>;

/** Compares. A name that is new and disabled is in `disable`, so that it is seen in the status. */
export function planReload(present: Present, loaded: LoadedConfig): ReloadPlan {
  const plan: ReloadPlan = {
    start: [],
    restart: [],
    disable: [],
    invalid: loaded.invalid,
    same: [],
    remove: [],
  };
  for (const connector of loaded.connectors) {
    const before = present.get(connector.name);
    const same =
      before?.fingerprint === connector.fingerprint && before.enabled === connector.settings.enabled;
    if (same) plan.same.push(connector);
    else if (!connector.settings.enabled) plan.disable.push(connector);
    else if (before === undefined) plan.start.push(connector);
    else plan.restart.push(connector);
  }
  const wanted = new Set([...loaded.connectors, ...loaded.invalid].map(({ name }) => name));
  plan.remove = [...present.keys()].filter((name) => !wanted.has(name));
  return plan;
}

/** One mistake as a person reads it: connectors.yml:12:5 unknown key `chanels`; did you mean `channels`? */
export function problemText(problem: ConfigProblem): string {
  const place = problem.line > 0 ? `${problem.file}:${problem.line}:${problem.column}` : problem.file;
  return `${place} ${problem.message}${problem.hint === undefined ? "" : `; ${problem.hint}`}`;
}

/** Logs every mistake and every doubt, each with its place. */
export function logProblems(
  log: Log,
  { problems, warnings }: Pick<LoadedConfig, "problems" | "warnings">,
): void {
  const fields = ({ file, line, column, message, hint, connector }: ConfigProblem) => ({
    ...{ file, line, column, message },
    ...(hint === undefined ? {} : { hint }),
    ...(connector === undefined ? {} : { connector }),
  });
  for (const problem of problems) log.error("config.invalid", fields(problem));
  for (const problem of warnings) log.warn("config.doubtful", fields(problem));
}

/** Calls `changed` once things have been quiet for a moment after an edit of any file that the configuration was made from. */
export class ConfigWatch {
  private readonly watcher: FSWatcher;
  private readonly changed: () => void;
  private readonly files = new Set<string>();
  private timer: NodeJS.Timeout | undefined;

  constructor(log: Log, changed: () => void) {
    this.changed = changed;
    this.watcher = new FSWatcher({ ignoreInitial: true, depth: 0 });
    this.watcher.on("all", () => this.debounce());
    // The bus goes on; SIGHUP still reloads.
    this.watcher.on("error", (error) => log.warn("config.unwatched", { message: String(error) }));
  }

  /** The files that matter from now on; those that do not exist yet are waited for. */
  follow(files: readonly string[]): void {
    const wanted = new Set(files);
    for (const file of this.files) {
      if (wanted.has(file)) continue;
      this.watcher.unwatch(file);
      this.files.delete(file);
    }
    for (const file of wanted) {
      if (this.files.has(file)) continue;
      this.watcher.add(file);
      this.files.add(file);
    }
  }

  /** Now: for SIGHUP. */
  trigger(): void {
    clearTimeout(this.timer);
    this.changed();
  }

  async close(): Promise<void> {
    clearTimeout(this.timer);
    await this.watcher.close();
  }

  private debounce(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(this.changed, debounceMs);
  }
}
