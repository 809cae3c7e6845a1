// SQLite in the model of the disk: a real database in memory, with a journal of its commits of which a power cut may take the last ones (model-inode.ts).
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import type { Commit, Inode } from "./model-inode.ts";

export interface DatabaseHooks {
  /** Before a commit. */
  step: () => void;
  /** The database and its name are on the disk. */
  durable: () => void;
}

/** A database with tables, and the statements that were prepared on it. Used again by the next one: making one costs more than all that is done with it here. */
interface Engine {
  db: DatabaseSync;
  statements: Map<string, StatementSync>;
}
const idle: Engine[] = [];

const reads = /^\s*SELECT/i;

interface ModelStatement {
  get: (...values: SQLInputValue[]) => unknown;
  run: (...values: SQLInputValue[]) => unknown;
}

/** As much of DatabaseSync as runtime/spool/statedb.ts uses. */
export class ModelDatabase {
  readonly #engine: Engine;
  readonly #inode: Inode;
  readonly #hooks: DatabaseHooks;
  #isFull = true;
  /** Statements since BEGIN. */
  #open: Array<Commit[number]> | undefined;

  constructor(inode: Inode, hooks: DatabaseHooks) {
    this.#engine = idle.pop() ?? { db: new DatabaseSync(":memory:"), statements: new Map() };
    this.#inode = inode;
    this.#hooks = hooks;
  }

  exec(sql: string): void {
    const mode = /synchronous\s*=\s*(FULL|NORMAL)/i.exec(sql)?.[1];
    if (mode !== undefined) this.#isFull = mode.toUpperCase() === "FULL";
    if (/CREATE TABLE/.test(sql)) return this.#restore(sql);
    if (/^PRAGMA/.test(sql)) return; // it means something to a disk only
    if (sql === "BEGIN") this.#open = [];
    else if (sql !== "COMMIT" && sql !== "ROLLBACK") throw new Error(`the model does not know: ${sql}`);
    this.#prepared(sql).run();
    const statements = this.#open ?? [];
    if (sql !== "BEGIN") this.#open = undefined;
    if (sql === "COMMIT") this.#commit(statements);
  }

  prepare(sql: string): ModelStatement {
    const statement = this.#prepared(sql);
    if (reads.test(sql)) return statement;
    return {
      get: (...values: SQLInputValue[]) => statement.get(...values),
      run: (...values: SQLInputValue[]) => {
        const result = statement.run(...values);
        if (this.#open !== undefined) this.#open.push({ sql, values });
        else this.#commit([{ sql, values }]);
        return result;
      },
    };
  }

  /** Nobody uses it any more. One that was never closed is not used again: a dead process may still be at it. */
  close(): void {
    idle.push(this.#engine);
  }

  /** The tables, and in them what survived. */
  #restore(schema: string): void {
    const { db, statements } = this.#engine;
    if (statements.size === 0) db.exec(schema);
    for (const table of ["seen", "kv"]) this.#prepared(`DELETE FROM ${table}`).run();
    for (const commit of this.#inode.commits)
      for (const { sql, values } of commit) this.#prepared(sql).run(...(values as SQLInputValue[]));
  }

  #prepared(sql: string): StatementSync {
    const { db, statements } = this.#engine;
    let statement = statements.get(sql);
    if (statement === undefined) statements.set(sql, (statement = db.prepare(sql)));
    return statement;
  }

  #commit(statements: Commit): void {
    if (statements.length === 0) return;
    this.#hooks.step();
    this.#inode.commits.push(statements);
    if (!this.#isFull) return;
    this.#hooks.step();
    this.#inode.durableCommits = this.#inode.commits.length;
    this.#hooks.durable();
  }
}
