// Errors and stats as node:fs has them, for the model of the disk.
import type { Inode } from "./model-inode.ts";

/** What runtime/spool asks of Stats. */
export class ModelStats {
  readonly dev: number | bigint = 1;
  readonly uid: number | bigint = 0;
  readonly gid: number | bigint = 0;
  readonly ino: number | bigint;
  readonly size: number | bigint;
  readonly nlink: number | bigint;
  readonly mtimeMs: number | bigint;
  readonly mtimeNs: bigint;
  readonly #isFolder: boolean;

  constructor(inode: Inode, asBigInt: boolean) {
    const { number, bytes, links, mtimeNs, kind } = inode;
    this.ino = asBigInt ? BigInt(number) : number;
    this.size = asBigInt ? BigInt(bytes.length) : bytes.length;
    this.nlink = asBigInt ? BigInt(links) : links;
    this.mtimeMs = asBigInt ? mtimeNs / 1_000_000n : Number(mtimeNs) / 1e6;
    this.mtimeNs = mtimeNs;
    this.#isFolder = kind === "folder";
  }

  isFile(): boolean {
    return !this.#isFolder;
  }
  isDirectory(): boolean {
    return this.#isFolder;
  }
  isSymbolicLink(): boolean {
    return false;
  }
}

export function fail(code: string, path: string): never {
  throw Object.assign(new Error(`${code}: ${path}`), { code });
}
