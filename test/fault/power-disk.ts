// A disk whose power can be cut: an ext4 file system in an image file, mounted through a loop device. Needs root, mount(8), mkfs.ext4 and perl.
//
//   cut()     ioctl(EXT4_IOC_SHUTDOWN, NOLOGFLUSH): from this moment nothing more reaches the image, every write fails with EIO
//   revive()  unmount, mount again: the journal is replayed, and what is there now is what the disk had at the moment of the cut
//
// Lost is what was only in memory: bytes and names that nothing synced. Not modelled: a drive that loses its own write cache after it said that it was flushed.
// The journal commits by itself only once a minute, so that little is saved by accident. Disks that a killed test run left are removed by the next one.
import { spawnSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findServer } from "../helpers/servers/daemon.ts";
import { waitFor } from "../helpers/wait.ts";

/**
 * How ext4 treats bytes that nobody synced. `ordered` and `writeback` leave an empty file behind a name that reached the disk; `stale` leaves a file of the
 * right length that holds whatever lay there before, such as a removed file.
 */
export const mountModes = {
  ordered: "data=ordered",
  writeback: "data=writeback,noauto_da_alloc",
  stale: "data=writeback,nodelalloc",
} as const;
export type MountMode = keyof typeof mountModes;

const prefix = "spoolway-power-";
const needed = { mount: "mount", umount: "mount", "mkfs.ext4": "e2fsprogs", perl: "perl" };
/** The number is that of XFS_IOC_GOINGDOWN, which ext4 took over; 2 is "without flushing the log". */
const shutdown =
  "open(my $d, '<', $ARGV[0]) or die $!; my $flags = pack('L', 2); ioctl($d, 0x8004587D, $flags) or die $!";

export class PowerDisk {
  /** A folder on the machine's own disk for what shall survive, such as logs. Removed with the disk. */
  readonly safe: string;
  /** Where it is mounted: below `safe`. */
  readonly folder: string;
  private mounted = false;

  private constructor(safe: string, folder: string) {
    this.safe = safe;
    this.folder = folder;
  }

  /** A new, empty, mounted disk; `folder` is relative to `safe`. Throws with what the system said. */
  static create(options: { folder?: string; mode?: MountMode; megabytes?: number } = {}): PowerDisk {
    const { folder = "disk", megabytes = 512 } = options;
    const safe = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`));
    const disk = new PowerDisk(safe, join(safe, folder));
    try {
      const image = openSync(disk.image, "wx");
      ftruncateSync(image, megabytes * 2 ** 20);
      closeSync(image);
      const lazy = "lazy_itable_init=0,lazy_journal_init=0,nodiscard";
      command("mkfs.ext4", "-q", "-F", "-b", "4096", "-N", "60000", "-J", "size=16", "-E", lazy, disk.image);
      mkdirSync(disk.folder, { recursive: true });
      disk.mount(options.mode ?? "ordered");
    } catch (error) {
      disk.remove();
      throw error;
    }
    return disk;
  }

  /** The power goes, now. Synchronous: nothing else of this process happens in between. */
  cut(): void {
    command("perl", "-e", shutdown, this.folder);
  }

  /**
   * Resolves when the power is back. Nothing may have a file of the disk open; who had one may still be ending. A sandbox that was started meanwhile, by another test,
   * has a copy of the mount until it has shut out what it does not need; until then the file system lives on as it was.
   */
  async revive(mode: MountMode = "ordered"): Promise<void> {
    await waitFor(() => this.unmount(), { timeoutMs: 30_000, message: `${this.folder} to be unmounted` });
    await waitFor(() => !isAttached(this.image), {
      timeoutMs: 30_000,
      message: `${this.image} to be released`,
    });
    this.mount(mode);
  }

  /** Forces everything to the disk, as a shutdown in good order would. */
  sync(): void {
    command("sync", "-f", this.folder);
  }

  /** Unmounts it, however it is used, and removes the image. */
  remove(): void {
    if (this.mounted) command("umount", "-l", this.folder);
    this.mounted = false;
    rmSync(this.safe, { recursive: true, force: true });
  }

  private get image(): string {
    return join(this.safe, "image");
  }

  private mount(mode: MountMode): void {
    const options = `loop,commit=60,noatime,${mountModes[mode]}`;
    // Unbindable: no sandbox takes it along.
    command("mount", "--make-unbindable", "-t", "ext4", "-o", options, this.image, this.folder);
    this.mounted = true;
  }

  private unmount(): true {
    command("umount", this.folder);
    this.mounted = false;
    return true;
  }
}

/** Why no such disk can be had here, or undefined when it can. Says it aloud. */
export function missingPowerDisk(): string | undefined {
  const why = whyMissing();
  if (why !== undefined) console.error(`SKIPPED: power cuts: ${why}`);
  return why;
}

function whyMissing(): string | undefined {
  if (process.platform !== "linux") return "they need Linux (ext4 on a loop device)";
  if (process.getuid?.() !== 0)
    return "they need root, to mount an image (sudo npm test -- test/fault/power)";
  const absent = Object.entries(needed).filter(([program]) => findServer(program) === undefined);
  if (absent.length > 0) {
    const packages = [...new Set(absent.map(([, name]) => name))].join(" ");
    return `${absent.map(([program]) => program).join(", ")} is missing (apt-get install ${packages})`;
  }
  removeStaleDisks();
  let disk: PowerDisk | undefined;
  try {
    disk = PowerDisk.create({ megabytes: 64 });
    disk.cut();
    return undefined;
  } catch (error) {
    return `an ext4 image cannot be used here: ${(error as Error).message.trim()} (a container needs --privileged)`;
  } finally {
    disk?.remove();
  }
}

/** What test runs left that were killed: their mounts and images, known by the pid in the name. */
export function removeStaleDisks(): void {
  const isStale = (path: string) => {
    const pid = new RegExp(`/${prefix}(\\d+)-`).exec(path)?.[1];
    return pid !== undefined && !isRunning(Number(pid));
  };
  for (const line of readFileSync("/proc/self/mountinfo", "utf8").split("\n")) {
    const folder = line.split(" ")[4] ?? "";
    if (isStale(folder)) command("umount", "-l", folder);
  }
  for (const name of readdirSync(tmpdir())) {
    const path = join(tmpdir(), name);
    if (isStale(path)) rmSync(path, { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false; // no such process: we are root, it is never somebody else's
  }
}

/** Whether a loop device still holds this image. */
function isAttached(image: string): boolean {
  return readdirSync("/sys/block").some((device) => {
    const path = `/sys/block/${device}/loop/backing_file`;
    try {
      return readFileSync(path, "utf8").trim() === image;
    } catch {
      return false; // not a loop device, or one that holds nothing
    }
  });
}

/** Runs a program to its end. Throws with what it said. */
function command(program: string, ...args: string[]): void {
  const { status, stderr, error } = spawnSync(findServer(program) ?? program, args, { encoding: "utf8" });
  if (error) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr}`);
}
