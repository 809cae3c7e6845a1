// heartbeat/_supervisor.json: what the supervisor and its connectors do, for `spoolway status` and any other program.
import { type Dirent, opendirSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import type { ConnectorStatus, SupervisorStatus } from "../../schema/types.ts";
import { errnoOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { remove } from "../spool/disk.ts";
import { isDropName, isInstanceName } from "../spool/names.ts";
import { supervisorStatusPath } from "../spool/heartbeats.ts";
import { writeVolatile } from "../spool/volatile.ts";

/** Counting stops here: a status must not cost more with a larger backlog. */
const maxCounted = 10_000;

export type Orphan = { name: string; files: number };

export interface StatusSource {
  state(): SupervisorStatus["state"];
  connectors(): ConnectorStatus[];
  orphans(): Orphan[];
  configErrors(): string[];
}

export class StatusFile {
  private readonly path: string;
  private readonly source: StatusSource;
  private readonly version: string;
  private readonly log: Log;
  private readonly startedAt = new Date().toISOString();
  private seq = 0;
  private failed = false;
  private soon: NodeJS.Immediate | undefined;

  constructor(root: string, version: string, source: StatusSource, log: Log) {
    this.path = supervisorStatusPath(root);
    this.version = version;
    this.source = source;
    this.log = log;
  }

  /** Something changed: written once at the end of this turn of the loop, however much changed in it. */
  changed(): void {
    this.soon ??= setImmediate(() => this.write());
  }

  /** Writes now. A disk that is full is said once, and changes nothing else. */
  write(): void {
    clearImmediate(this.soon);
    this.soon = undefined;
    try {
      writeVolatile(this.path, `${JSON.stringify(this.status())}\n`);
      this.failed = false;
    } catch (error) {
      if (!this.failed) this.log.error("status.unwritten", { message: (error as Error).message });
      this.failed = true;
    }
  }

  close(): void {
    clearImmediate(this.soon);
    this.soon = undefined;
  }

  private status(): SupervisorStatus {
    const orphans = this.source.orphans();
    const errors = this.source.configErrors();
    this.seq += 1;
    return {
      version: 1,
      pid: process.pid,
      host: hostname(),
      started_at: this.startedAt,
      seq: this.seq,
      beat_at: new Date().toISOString(),
      state: this.source.state(),
      spoolway_version: this.version,
      rss_bytes: process.memoryUsage.rss(),
      connectors: this.source.connectors(),
      ...(orphans.length > 0 ? { orphan_outboxes: orphans } : {}),
      ...(errors.length > 0 ? { config_errors: errors } : {}),
    };
  }
}

/**
 * Messages that nobody will send: in outbox/, sending/ and retry/, folders of names that are not in `known`, and drops that lie in outbox/ itself (name
 * "."). Looks only; the files are untouched.
 */
export function findOrphans(root: string, known: ReadonlySet<string>): Orphan[] {
  const files = new Map<string, number>();
  const add = (name: string, count: number) => {
    if (count > 0) files.set(name, (files.get(name) ?? 0) + count);
  };
  for (const folder of ["outbox", "sending", "retry"]) {
    for (const entry of firstEntries(join(root, folder))) {
      if (entry.isDirectory() && !known.has(entry.name)) {
        const inside = firstEntries(join(root, folder, entry.name));
        add(entry.name, inside.filter((file) => !file.isDirectory()).length);
      } else if (!entry.isDirectory() && folder === "outbox" && isDropName(entry.name)) add(".", 1);
    }
  }
  return [...files]
    .map(([name, count]) => ({ name, files: count }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Removes heartbeat/<name>.json of connectors that are not in `known`: a last sign of life would say "live" for ever. Other files are left alone. */
export function removeOldHeartbeats(root: string, known: ReadonlySet<string>): void {
  const folder = join(root, "heartbeat");
  for (const { name: file } of firstEntries(folder)) {
    const name = file.endsWith(".json") ? file.slice(0, -".json".length) : "";
    if (isInstanceName(name) && !known.has(name)) remove(join(folder, file));
  }
}

/** What is in a folder, at most maxCounted entries; nothing when it is gone or not ours to read. */
function firstEntries(folder: string): Dirent[] {
  const entries: Dirent[] = [];
  try {
    const dir = opendirSync(folder);
    try {
      for (
        let entry = dir.readSync();
        entry !== null && entries.length < maxCounted;
        entry = dir.readSync()
      ) {
        entries.push(entry);
      }
    } finally {
      dir.closeSync();
    }
  } catch (error) {
    if (!["ENOENT", "EACCES"].includes(errnoOf(error) ?? "")) throw error;
  }
  return entries;
}
