// One disk of the model: its tree, what of it a power cut may change, and when its calls are answered.
import { Inode } from "./model-inode.ts";

/** Disks lie side by side below this folder. */
export const modelRoot = "/model";

/** Names are given and taken in this order, also where two fall into one microsecond. */
let lastNs = 0n;
export function nowNs(): bigint {
  const now = BigInt(Date.now()) * 1_000_000n;
  lastNs = now > lastNs ? now : lastNs + 1000n;
  return lastNs;
}

export class ModelDisk {
  readonly root: Inode;
  /** What a cut may change. */
  readonly dirty = new Set<Inode>();
  /** Found before, by path: no scenario removes a folder. */
  readonly folders = new Map<string, Inode>();
  /** Called before everything that changes the disk, or what is on it for certain. */
  onStep: () => void = () => undefined;
  /** When a call that waits for the disk is answered. */
  schedule: (answer: () => void) => void = setImmediate;

  constructor(root = new Inode("folder")) {
    this.root = root;
  }

  touch(inode: Inode): void {
    if (inode.isSafe) this.dirty.delete(inode);
    else this.dirty.add(inode);
  }

  /** After something became durable; a folder's fsync may reach others. */
  settle(): void {
    for (const inode of this.dirty) if (inode.isSafe) this.dirty.delete(inode);
  }
}
