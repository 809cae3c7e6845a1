// The folder control/: requests that any program can make by writing a file.
//
//   <name>.pause     exists: stop it and keep it stopped; the text is the reason. Gone: start it. Whoever resumes removes it
//   <name>.restart   restart now, also when parked or stopped. Removed by us
//   <name>.sync      run a sync now. Removed by us, once the connector runs
//
// A directory watch is only a hint to look at once; the scan, every second, is the truth.
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  watch,
  type FSWatcher,
} from "node:fs";
import { join } from "node:path";
import { errnoOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { removeControl } from "../spool/volatile.ts";

const reasonCharacters = 200;
const maxRemembered = 1000;

export interface ControlTarget {
  /** Level-triggered: called at every scan, with the reason while the file is there, with undefined while it is not. */
  pause(reason: string | undefined): void;
  restart(): void;
  /** Whether it runs and got the request; false leaves the file for later. */
  sync(): boolean;
}

export class ControlFolder {
  private readonly folder: string;
  private readonly targets: () => ReadonlyMap<string, ControlTarget>;
  private readonly log: Log;
  /** File names that were complained about. */
  private readonly unknown = new Set<string>();
  private watcher: FSWatcher | undefined;
  private broken = false;

  constructor(root: string, targets: () => ReadonlyMap<string, ControlTarget>, log: Log) {
    this.folder = join(root, "control");
    this.targets = targets;
    this.log = log;
  }

  /** Calls `hint` when something changes in the folder. Without a watch (limits, file system) the scans alone do. */
  watch(hint: () => void): void {
    try {
      this.watcher = watch(this.folder, () => hint());
      this.watcher.on("error", (error) => this.unwatch(error));
    } catch (error) {
      this.unwatch(error);
    }
  }

  close(): void {
    this.watcher?.close();
    this.watcher = undefined;
  }

  /** Obeys what lies in the folder now. A folder that cannot be read changes nothing: an error must not resume everything. */
  scan(): void {
    let names: string[];
    try {
      names = readdirSync(this.folder);
    } catch (error) {
      if (!this.broken) this.log.error("control.unreadable", { message: (error as Error).message });
      this.broken = true;
      return;
    }
    this.broken = false;
    const targets = this.targets();
    const paused = new Set<string>();
    for (const name of names) {
      const match = /^(.+)\.(pause|restart|sync)$/.exec(name);
      const target = match?.[1] === undefined ? undefined : targets.get(match[1]);
      if (match?.[1] === undefined || target === undefined) this.complain(name);
      else if (match[2] === "pause") {
        paused.add(match[1]);
        target.pause(readReason(join(this.folder, name)));
      } else if (match[2] === "restart") {
        if (this.take(name)) target.restart();
      } else if (target.sync()) this.take(name);
    }
    for (const [name, target] of targets) if (!paused.has(name)) target.pause(undefined);
  }

  /** Removes a request. False when it cannot be removed: then it is not obeyed, or it would be obeyed every second. */
  private take(name: string): boolean {
    try {
      removeControl(join(this.folder, name));
      return true;
    } catch (error) {
      this.complain(name, (error as Error).message);
      return false;
    }
  }

  /** Once per file name. */
  private complain(
    name: string,
    message = "no connector of this name, or not .pause, .restart or .sync; left where it is",
  ): void {
    if (this.unknown.has(name) || this.unknown.size >= maxRemembered) return;
    this.unknown.add(name);
    this.log.warn("control.ignored", { file: name, message });
  }

  private unwatch(error: unknown): void {
    this.close();
    this.log.warn("control.unwatched", { message: (error as Error).message });
  }
}

/** The file's first characters on one line; "" for anything that is not a regular file, which is still a pause. */
function readReason(path: string): string {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    // A link, not readable, or just removed (the next scan sees that): a pause without a reason.
    if (["ELOOP", "EACCES", "EPERM", "ENOENT", "ENXIO"].includes(errnoOf(error) ?? "")) return "";
    throw error;
  }
  try {
    if (!fstatSync(fd).isFile()) return "";
    const buffer = Buffer.alloc(reasonCharacters * 4);
    const bytes = readSync(fd, buffer, 0, buffer.length, 0);
    const text = buffer.toString("utf8", 0, bytes).replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
    return [...text.trim()].slice(0, reasonCharacters).join("");
  } finally {
    closeSync(fd);
  }
}
