// state/<name>/state.db: the seen-set and the key-value store of one connector, in SQLite (WAL).
//
// The seen-set is written with synchronous=NORMAL: a killed process loses nothing, a power cut may lose the last rows, and the inbox's own names
// repair that at the next start (schema/README.md, "Inbound"). The key-value store is written with synchronous=FULL: a token that was rotated on the
// platform must not come back.
import { join } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { exists, namesIn, syncFolder } from "./disk.ts";
import { fs } from "./fs.ts";
import { parseInboxName, type SpoolPaths } from "./names.ts";

const lookBackMs = 5 * 60_000;
const pruneEveryMs = 3_600_000;
/** SQLITE_FULL */
const sqliteFull = 13;

/** Opens the database when it is first needed: many connectors neither receive nor keep anything for a long time. */
export class LazyStateDb {
  readonly #open: () => Promise<StateDb>;
  #opened: Promise<StateDb> | undefined;

  constructor(paths: SpoolPaths, seenKeepMs: number) {
    this.#open = () => StateDb.open(paths, seenKeepMs);
  }

  /** One that failed (a full disk) is tried again when it is next needed. */
  get(): Promise<StateDb> {
    return (this.#opened ??= this.#open().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    }));
  }

  async close(): Promise<void> {
    (await this.#opened)?.close();
  }
}

export class StateDb {
  readonly #db: DatabaseSync;
  readonly #paths: SpoolPaths;
  readonly #seenKeepMs: number;
  readonly #has: StatementSync;
  readonly #add: StatementSync;
  #dirty = false;
  /** Ids were lost that should be in the seen-set: only the inbox knows them. */
  #incomplete = false;
  #prunedAt = 0;

  /** Opens or creates the database; repairs the seen-set from the inbox where the last process did not close it. */
  static async open(paths: SpoolPaths, seenKeepMs: number): Promise<StateDb> {
    const file = join(paths.state, "state.db");
    const existed = exists(file);
    const db = await fs.openDatabase(file);
    try {
      const state = new StateDb(db, paths, seenKeepMs);
      if (existed && !state.#closedCleanly()) await state.#adoptFromInbox();
      return state;
    } catch (error) {
      db.close();
      throw error;
    }
  }

  private constructor(db: DatabaseSync, paths: SpoolPaths, seenKeepMs: number) {
    this.#paths = paths;
    this.#seenKeepMs = seenKeepMs;
    this.#db = db;
    this.#db.exec(
      `PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000; PRAGMA cache_size = -512;
       CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
       CREATE INDEX IF NOT EXISTS seen_at ON seen (at);
       CREATE TABLE IF NOT EXISTS kv (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;`,
    );
    this.#has = this.#db.prepare("SELECT 1 FROM seen WHERE id = ?");
    this.#add = this.#db.prepare("INSERT OR REPLACE INTO seen (id, at) VALUES (?, ?)");
  }

  hasSeen(id: string): boolean {
    return this.#has.get(id) !== undefined;
  }

  /** Before the first publish of this process: from now on a start must look at the inbox, unless close() is reached. */
  markOpen(): void {
    if (this.#dirty) return;
    this.set("runtime:clean", false);
    this.#dirty = true;
  }

  /** Records ids whose events are durable, in one transaction. */
  addSeen(ids: readonly string[]): void {
    const now = Date.now();
    this.#db.exec("BEGIN");
    try {
      for (const id of ids) this.#add.run(id, now);
      this.#db.exec("COMMIT");
    } catch (error) {
      this.#incomplete = true;
      // SQLite may have rolled back by itself.
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
    if (now - this.#prunedAt > pruneEveryMs) this.#prune(now);
  }

  get(key: string): unknown {
    const row = this.#db.prepare("SELECT value FROM kv WHERE key = ?").get(key) as
      { value: string } | undefined;
    return row === undefined ? undefined : JSON.parse(row.value);
  }

  /** Durable when it returns. */
  set(key: string, value: unknown): void {
    const text = JSON.stringify(value);
    if (text === undefined) throw new TypeError(`the value of ${key} is not JSON`);
    this.#durably(() =>
      this.#db.prepare("INSERT OR REPLACE INTO kv (key, value) VALUES (?, ?)").run(key, text),
    );
  }

  delete(key: string): void {
    this.#durably(() => this.#db.prepare("DELETE FROM kv WHERE key = ?").run(key));
  }

  /** Where the disk is full, or ids could not be recorded, it closes without saying that it did: the next start looks at the inbox, as after a crash. */
  close(): void {
    try {
      if (this.#dirty && !this.#incomplete) this.set("runtime:clean", true);
    } catch (error) {
      if ((error as { errcode?: number }).errcode !== sqliteFull) throw error;
    } finally {
      this.#db.close();
    }
  }

  #durably(write: () => void): void {
    this.#db.exec("PRAGMA synchronous = FULL");
    try {
      write();
    } finally {
      this.#db.exec("PRAGMA synchronous = NORMAL");
    }
  }

  #closedCleanly(): boolean {
    return this.get("runtime:clean") !== false;
  }

  /** Events that are in the inbox but whose ids the last process did not get to record. */
  async #adoptFromInbox(): Promise<void> {
    const newest = this.#db.prepare("SELECT max(at) AS at FROM seen").get() as { at: number | null };
    const since = (newest.at ?? 0) - lookBackMs;
    // A process that was killed before its fsync leaves names that a power cut can still take: an id that counts as seen is never delivered again.
    await syncFolder(this.#paths.inbox);
    for await (const names of namesIn(this.#paths.inbox)) {
      const ids = names.flatMap((name) => {
        const parsed = parseInboxName(name);
        return parsed !== undefined && parsed.timeMs >= since && !this.hasSeen(parsed.id) ? [parsed.id] : [];
      });
      if (ids.length > 0) this.addSeen(ids);
    }
  }

  #prune(now: number): void {
    this.#prunedAt = now;
    this.#db.prepare("DELETE FROM seen WHERE at < ?").run(now - this.#seenKeepMs);
  }
}
