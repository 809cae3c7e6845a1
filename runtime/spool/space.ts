// How much room the spool's file system has, and how much of it stays untouched: what adds to the disk (events, attachments) is refused before the disk is full,
// as postfix (queue_minfree) and exim (check_spool_space, check_spool_inodes) refuse mail. What is left is for the messages that were accepted before, and for
// the other programs on the disk. The refusal is early and soft; what holds when somebody else fills the disk is the reserve (reserve.ts).
import { SpoolwayError } from "../errors.ts";
import { fs } from "./fs.ts";
import { fillReserve } from "./reserve.ts";

export interface SpaceLimits {
  minFreeBytes: number;
  minFreeInodes: number;
}

/** Of a small file system at most this part is kept free. */
const maxPart = 0.1;

export class DiskSpace {
  readonly #root: string;
  readonly #limits: SpaceLimits;

  constructor(root: string, limits: SpaceLimits) {
    this.#root = root;
    this.#limits = limits;
  }

  /** Throws spool_full when so many bytes and files more would leave too little, or while the reserve is not whole again. */
  demand(bytes: number, files: number): void {
    const lack = this.shortage(bytes, files);
    if (lack !== undefined) throw new SpoolwayError("spool_full", lack);
  }

  /** What is lacking, in words; undefined when all is well. */
  shortage(bytes = 0, files = 0): string | undefined {
    if (!fillReserve()) return `the disk is full: there is no room for the reserve of ${this.#root}`;
    const { bsize, bavail, blocks, ffree, files: inodes } = fs.statfsSync(this.#root);
    const minBytes = Math.min(this.#limits.minFreeBytes, blocks * bsize * maxPart);
    const freeBytes = bavail * bsize - bytes;
    // 0 blocks or files: the file system has no such limit.
    if (blocks > 0 && freeBytes < minBytes)
      return `the disk is nearly full: ${megabytes(Math.max(0, freeBytes))} are free, ${megabytes(minBytes)} are kept free`;
    const minInodes = Math.min(this.#limits.minFreeInodes, Math.floor(inodes * maxPart));
    const freeInodes = ffree - files;
    if (inodes > 0 && freeInodes < minInodes)
      return `the disk is nearly full: ${Math.max(0, freeInodes)} inodes are free, ${minInodes} are kept free`;
    return undefined;
  }
}

const megabytes = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`;
