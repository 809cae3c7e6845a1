// A SQLite database whose statements that write go through a gate. What reads, and the PRAGMAs, pass.
import type { DatabaseSync, StatementSync } from "node:sqlite";

/** Carries out the statement with `run`, or does not. */
export type Gate = <T>(sql: string, run: () => T) => T;

export function injectDatabase(database: DatabaseSync, gate: Gate): DatabaseSync {
  return new Proxy(database, {
    get: (target, key) => {
      if (key === "exec") return (sql: string) => gated(sql, gate, () => target.exec(sql));
      if (key === "prepare") return (sql: string) => injectStatement(target.prepare(sql), sql, gate);
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? (value as () => void).bind(target) : value;
    },
  });
}

function injectStatement(statement: StatementSync, sql: string, gate: Gate): StatementSync {
  return new Proxy(statement, {
    get: (target, key) => {
      if (key === "run")
        return (...args: Parameters<StatementSync["run"]>) => gated(sql, gate, () => target.run(...args));
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? (value as () => void).bind(target) : value;
    },
  });
}

function gated<T>(sql: string, gate: Gate, run: () => T): T {
  const verb = /CREATE|INSERT|DELETE|UPDATE|COMMIT|ROLLBACK/.exec(sql)?.[0];
  return verb === undefined ? run() : gate(verb, run);
}
