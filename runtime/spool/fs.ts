// The file system under the spool: the calls that runtime/spool makes, and nothing else makes there. In production they are Node's own. Whoever wants to know what
// happens when one of them fails, or when the power goes between two, puts another implementation in their place.
import * as node from "node:fs";
import type { DatabaseSync } from "node:sqlite";

/** The shapes and errors are those of node:fs. */
export type FileSystem = Pick<
  typeof node,
  | "closeSync"
  | "fchownSync"
  | "fstatSync"
  | "fsync"
  | "ftruncateSync"
  | "linkSync"
  | "lstatSync"
  | "mkdirSync"
  | "opendirSync"
  | "openSync"
  | "read"
  | "readFileSync"
  | "readlinkSync"
  | "readSync"
  | "realpathSync"
  | "renameSync"
  | "rmdirSync"
  | "statfsSync"
  | "statSync"
  | "unlinkSync"
  | "utimesSync"
  | "watch"
  | "write"
  | "writeSync"
> & {
  /** Opens or creates the SQLite database in this file. */
  openDatabase: (path: string) => Promise<DatabaseSync>;
};

const real: FileSystem = {
  ...node,
  openDatabase: async (path) => {
    // Loaded when it is needed: many connectors keep nothing for a long time.
    const { DatabaseSync } = await import("node:sqlite");
    return new DatabaseSync(path);
  },
};

/** What the spool's modules call. */
export let fs: FileSystem = real;

/** Puts another file system under the spool, for the whole process; returns what puts the one before back. Nothing of the spool may be open. */
export function useFileSystem(other: FileSystem): () => void {
  const before = fs;
  fs = other;
  return () => {
    fs = before;
  };
}

/** Node's own. */
export const realFileSystem: Readonly<FileSystem> = real;
