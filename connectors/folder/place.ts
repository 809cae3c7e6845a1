// The watched folder itself: is it there, may it be watched, may its files be moved?
import { constants, type Stats } from "node:fs";
import { access, mkdir, realpath, stat } from "node:fs/promises";
import { basename, join, relative, resolve } from "node:path";
import { type Context, reconnect, stop } from "spoolway/sdk";
import type { After } from "./away.ts";

export interface FolderConfig {
  path: string;
  pattern?: string;
  recursive: boolean;
  after: After;
  settle: string;
  conversation_id?: string;
  sender?: string;
}

/** The folder's absolute path. Creates it when it was never there. Throws `stop` where waiting would not help, `reconnect` where it may come back. */
export async function openPlace(ctx: Context<FolderConfig>): Promise<string> {
  const root = resolve(ctx.home, ctx.config.path);
  const known = `folder:${root}`;
  let stats = await statIfThere(root);
  if (stats === undefined) {
    // A folder that was there and is gone may be a disk that is not mounted: files written under its mount point would vanish behind it.
    if ((await ctx.state.get(known)) === true) throw gone(root);
    await mkdir(root, { recursive: true });
    stats = await stat(root);
  }
  if (!stats.isDirectory())
    throw stop(`not a folder: ${root}`, "Correct path in connectors.yml.", "config_invalid");
  await refuseOwnFolders(root, ctx);
  await needAccess(root, ctx.config.after);
  await ctx.state.set(known, true);
  return root;
}

export const gone = (root: string): Error =>
  reconnect(`the folder is gone: ${root}`, { hint: "Put it back, or mount its disk; it goes on by itself." });

/** The default conversation: what people call the folder. */
export const nameOf = (root: string): string => basename(root) || "folder";

async function statIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Watching the spool would make an event of every event, and of the home it would take connectors.yml away. */
async function refuseOwnFolders(root: string, ctx: Context<FolderConfig>): Promise<void> {
  const [watched, home] = [await realpath(root), await realpath(ctx.home)];
  const spool = join(home, "spool");
  const holds = watched === home || (ctx.config.recursive && isInside(home, watched));
  if (!holds && !isInside(watched, spool)) return;
  throw stop(
    `${root} holds Spoolway's own files`,
    "Watch a folder beside spool/, e.g. path: ./drop",
    "config_invalid",
  );
}

const isInside = (path: string, folder: string): boolean => {
  const way = relative(folder, path);
  return way === "" || (!way.startsWith("..") && !way.startsWith("/"));
};

async function needAccess(root: string, after: After): Promise<void> {
  const mode = constants.R_OK | constants.X_OK | (after === "keep" ? 0 : constants.W_OK);
  try {
    await access(root, mode);
  } catch (error) {
    const hint =
      after === "keep"
        ? "Give the user that runs spoolway permission to read it."
        : "Give the user that runs spoolway permission to write there, or set after: keep.";
    throw stop(`no access to ${root}: ${(error as NodeJS.ErrnoException).code}`, hint, "no_access");
  }
}
