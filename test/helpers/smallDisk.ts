// A small file system for one test, that can be filled: tmpfs, or ext4 in an image file on a loop device. Needs root and mount(8).
//
//     const disk = mountDisk(folder, { type: "tmpfs", bytes: 24 << 20, inodes: 3000 });
//     disk.fillTo({ bytes: 1 << 20 });  // leaves so much
//     disk.seize();                     // takes everything, and whatever becomes free, until …
//     disk.yield();                     // … all of it is given back
//
// Unmounted when the test ends.
import { spawnSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { atEnd } from "./children.ts";

export interface DiskOptions {
  type: "tmpfs" | "ext4";
  bytes: number;
  inodes: number;
}

const chunkBytes = 4096;
/** How often the greedy neighbour looks for something to take. */
const seizeEveryMs = 2;

export class SmallDisk {
  readonly folder: string;
  private files = 0;
  private fd: number | undefined;
  private greed: NodeJS.Timeout | undefined;

  constructor(folder: string) {
    this.folder = folder;
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.folder);
    return bavail * bsize;
  }

  get freeInodes(): number {
    return statfsSync(this.folder).ffree;
  }

  /** Leaves so many bytes, or so many inodes. */
  fillTo(left: { bytes: number } | { inodes: number }): void {
    const more = () =>
      "bytes" in left ? this.freeBytes >= left.bytes + chunkBytes : this.freeInodes > left.inodes;
    while (more() && ("bytes" in left ? this.takeBlock() : this.takeInode()));
  }

  /** From now on nothing that becomes free stays free. */
  seize(what: "bytes" | "inodes"): void {
    const take = () => {
      while (what === "bytes" ? this.takeBlock() : this.takeInode());
    };
    take();
    this.greed = setInterval(take, seizeEveryMs);
  }

  yield(): void {
    clearInterval(this.greed);
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
    rmSync(this.hoard, { recursive: true, force: true });
  }

  private get hoard(): string {
    const hoard = join(this.folder, "somebody-else");
    mkdirSync(hoard, { recursive: true });
    return hoard;
  }

  private takeBlock(): boolean {
    return orFull(() => {
      this.fd ??= openSync(join(this.hoard, "bytes"), "a");
      writeSync(this.fd, Buffer.alloc(chunkBytes, "x"));
    });
  }

  private takeInode(): boolean {
    return orFull(() => {
      closeSync(openSync(join(this.hoard, String(this.files + 1)), "wx"));
      this.files += 1;
    });
  }
}

/** False when there was no room. */
function orFull(act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    return false;
  }
}

/** Mounts it at `folder`, which must exist and be empty. Throws with what the system said. */
export function mountDisk(folder: string, options: DiskOptions): SmallDisk {
  const { type, bytes, inodes } = options;
  const image = `${folder}.image`;
  if (type === "tmpfs") {
    run("mount", "-t", "tmpfs", "-o", `size=${bytes},nr_inodes=${inodes},mode=0700`, "tmpfs", folder);
  } else {
    const fd = openSync(image, "wx");
    ftruncateSync(fd, bytes);
    closeSync(fd);
    // No part for root alone: what is free is free.
    run("mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0", "-N", String(inodes), "-J", "size=4", image);
    run("mount", "-o", "loop", image, folder);
  }
  const disk = new SmallDisk(folder);
  atEnd(() => {
    disk.yield();
    run("umount", folder);
    rmSync(image, { force: true });
  });
  return disk;
}

/** Why this machine cannot mount one; undefined where it can. */
export function cannotMount(type: DiskOptions["type"]): string | undefined {
  if (process.platform !== "linux") return "only Linux has it";
  if (process.getuid?.() !== 0) return "only root may mount";
  const missing = ["mount", "umount", ...(type === "ext4" ? ["mkfs.ext4"] : [])].filter(
    (program) => spawnSync(program, ["-V"]).error !== undefined,
  );
  return missing.length > 0 ? `missing: ${missing.join(", ")}` : undefined;
}

function run(command: string, ...args: string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? stderr}`);
}
