// One supervisor per spool.
//
// `lock`    flock(2) on a descriptor that the supervisor keeps and every connector inherits. The lock belongs to the open file description: the
//           kernel frees it when the last holder is gone, however it died. So a supervisor that gets it knows that no connector of
//           an earlier one still sends, and after a SIGKILL nothing has to be cleaned up or waited for.
// `lock.d`  proper-lockfile: a folder with a fresh mtime, for file systems shared by several kernels, where flock may not reach. Where the last
//           holder was this host, the kernel's lock has told all there is to know, and a folder that was left behind goes at once.
//
//   flock free ─────────────────────────────▶ lock.d free or stale ─▶ ours
//   flock held, its supervisor works ───────▶ spool_locked
//   flock held, its supervisor is gone or stopping ─▶ wait up to waitMs for its connectors ─▶ ours | spool_locked
import { spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { mkdir, rmdir } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import lockfile from "proper-lockfile";
import { errnoOf, SpoolwayError } from "../errors.ts";
import type { Log } from "../log.ts";
import { findExecutable } from "../process.ts";
import { readSupervisorStatus } from "../spool/heartbeats.ts";
import { sleep } from "../timing.ts";

const pollMs = 200;
/** A working supervisor writes its status every second. */
const workingWithinMs = 3000;
/** Between hosts: how old lock.d may be, on the file server's clock. */
const staleMs = 10_000;

// macOS's flags of open(2), which Node does not name.
const exLock = 0x20;

export interface SpoolLock {
  /** For the connectors' processes; undefined where the system has no flock. */
  fd: number | undefined;
  /** Frees the spool; the connectors must have ended. */
  release(): Promise<void>;
}

export interface LockOptions {
  /** How long to wait for the connectors of an earlier supervisor. Default 10 s. */
  waitMs?: number;
  log: Log;
  /** Another host took the spool over: end everything. */
  onCompromised(error: Error): void;
}

/** Takes the spool. Throws spool_locked, or spool_unusable when there is no folder to lock. */
export async function lockSpool(root: string, options: LockOptions): Promise<SpoolLock> {
  const waitMs = options.waitMs ?? 10_000;
  try {
    await mkdir(root, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new SpoolwayError("spool_unusable", `${root}: ${(error as Error).message}`, { cause: error });
  }
  const fd = await takeKernelLock(root, waitMs, options.log);
  try {
    const release = await takeLockFolder(root, fd !== undefined, options);
    return {
      fd,
      release: async () => {
        await release();
        if (fd !== undefined) closeSync(fd);
      },
    };
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    throw error;
  }
}

async function takeKernelLock(root: string, waitMs: number, log: Log): Promise<number | undefined> {
  const path = join(root, "lock");
  if (process.platform !== "darwin" && findExecutable("flock") === undefined) {
    log.warn("lock.weak", {
      message: "there is no flock command (util-linux); only lock.d guards this spool",
    });
    return undefined;
  }
  const startedMs = performance.now();
  const seqAtStart = readSupervisorStatus(root)?.seq;
  let said = false;
  for (;;) {
    const fd = await tryKernelLock(path);
    if (fd !== undefined) return fd;
    const waitedMs = performance.now() - startedMs;
    const holder = readSupervisorStatus(root);
    const works = holder !== undefined && holder.state === "running" && holder.seq !== seqAtStart;
    if (waitedMs > waitMs || (works && waitedMs > workingWithinMs / 3)) throw locked(root, holder);
    if (!said && waitedMs > workingWithinMs) {
      said = true;
      log.info("lock.waiting", {
        message: "connectors of an earlier supervisor are still ending",
        ...(holder ? { pid: holder.pid } : {}),
      });
    }
    await sleep(pollMs);
  }
}

/** The locked descriptor, or undefined when somebody else holds it. */
async function tryKernelLock(path: string): Promise<number | undefined> {
  const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  const flags = O_RDWR | O_CREAT | O_NOFOLLOW; // libuv adds O_CLOEXEC
  let fd: number;
  try {
    fd = openSync(path, process.platform === "darwin" ? flags | exLock | O_NONBLOCK : flags, 0o600);
  } catch (error) {
    if (process.platform === "darwin" && errnoOf(error) === "EAGAIN") return undefined;
    throw new SpoolwayError("spool_unusable", `${path}: ${(error as Error).message}`, { cause: error });
  }
  if (process.platform === "darwin") return fd;
  let got = false;
  try {
    got = await flock(fd);
  } finally {
    if (!got) closeSync(fd);
  }
  return got ? fd : undefined;
}

/** `flock -n 3` with our descriptor as its fd 3: the lock is the open file description's and stays when flock(1) has ended. */
async function flock(fd: number): Promise<boolean> {
  const child = spawn("flock", ["-n", "3"], { stdio: ["ignore", "ignore", "pipe", fd] });
  let complaint = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (complaint += text));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code === 0) return true;
  // 1 is "held by somebody else", without a word; anything else is a file system that cannot lock.
  if (code === 1 && complaint.trim() === "") return false;
  throw new SpoolwayError(
    "spool_unusable",
    `cannot lock the spool: ${complaint.trim() || `flock exited with ${code}`}`,
  );
}

async function takeLockFolder(
  root: string,
  kernelLocked: boolean,
  options: LockOptions,
): Promise<() => Promise<void>> {
  const folder = join(root, "lock.d");
  const holder = readSupervisorStatus(root);
  if (kernelLocked && holder?.host === hostname()) {
    // Somebody removed `lock` under a working supervisor: ours is another file, and proves nothing.
    if (isAlive(holder.pid) && (await isWorking(root, holder.seq))) throw locked(root, holder);
    await removeFolder(folder);
  }
  const deadline = performance.now() + staleMs + 2000;
  for (;;) {
    try {
      const release = await lockfile.lock(root, {
        lockfilePath: folder,
        stale: staleMs,
        onCompromised: (error) => options.onCompromised(error),
      });
      return async () => {
        try {
          await release();
        } catch (error) {
          // Compromised: it is somebody else's now.
          if (!["ERELEASED", "ENOTACQUIRED"].includes(errnoOf(error) ?? "")) throw error;
        }
      };
    } catch (error) {
      if (errnoOf(error) !== "ELOCKED") {
        throw new SpoolwayError("spool_unusable", `${folder}: ${(error as Error).message}`, { cause: error });
      }
    }
    if (performance.now() > deadline) throw locked(root, holder);
    await sleep(pollMs * 5);
  }
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return false; // an earlier life with the same number, as in a container
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === "EPERM";
  }
}

/** Whether a supervisor goes on writing its status. */
async function isWorking(root: string, seq: number): Promise<boolean> {
  await sleep(workingWithinMs / 2);
  return readSupervisorStatus(root)?.seq !== seq;
}

/** Nobody can be in it: whoever made it held the kernel's lock, on this host, and has lost it. */
async function removeFolder(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}

function locked(root: string, holder: { pid: number; host: string } | undefined): SpoolwayError {
  const who = holder === undefined ? "another process" : `process ${holder.pid} on ${holder.host}`;
  return new SpoolwayError("spool_locked", `${root} is in use by ${who}`);
}
