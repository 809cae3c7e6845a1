// Whether bubblewrap is there and works: where it does not, a connector that asks for the sandbox is not started at all.
import { spawnSync } from "node:child_process";
import { SpoolwayError } from "../errors.ts";
import { findExecutable } from "../process.ts";

/** The first with --disable-userns and --size. */
const oldest = [0, 8] as const;
const tryMs = 10_000;

/** The path of bwrap. Throws sandbox_unavailable. */
export function findBwrap(): string {
  if (process.platform !== "linux") throw unavailable(`there is no bubblewrap for ${process.platform}`);
  const path = findExecutable("bwrap");
  if (path === undefined) throw unavailable("bubblewrap (bwrap) is not installed, or not on the PATH");
  const { stdout } = spawnSync(path, ["--version"], { encoding: "utf8", timeout: tryMs, env: {} });
  const [major, minor] = (/(\d+)\.(\d+)/.exec(stdout)?.slice(1) ?? []).map(Number);
  const old =
    major === undefined || minor === undefined || major * 1000 + minor < oldest[0] * 1000 + oldest[1];
  if (old) throw unavailable(`${stdout.trim() || path} is too old: ${oldest.join(".")} or later is needed`);
  return path;
}

/** Starts an empty sandbox. Returns why that does not work here, or undefined. */
export function sandboxProblem(): SpoolwayError | undefined {
  try {
    const args = [
      "--unshare-user",
      "--unshare-all",
      "--disable-userns",
      "--ro-bind",
      "/",
      "/",
      "--",
      "/bin/true",
    ];
    const { status, stderr, error } = spawnSync(findBwrap(), args, {
      encoding: "utf8",
      timeout: tryMs,
      env: {},
    });
    return status === 0 ? undefined : unavailable(error?.message ?? stderr.trim());
  } catch (error) {
    if (error instanceof SpoolwayError) return error;
    throw error;
  }
}

export function unavailable(why: string): SpoolwayError {
  return new SpoolwayError("sandbox_unavailable", `no sandbox can be made here: ${why}`);
}
