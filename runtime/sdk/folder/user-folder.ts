// spoolway/sdk/folder/user-folder: a folder of the user's that a connector reads: is it there, may it be watched, may its files be moved?
import { constants } from "node:fs";
import { access, mkdir, realpath, stat } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { errnoOf } from "../../errors.ts";
import { type Context, stop } from "../../sdk.ts";
import { folderGone } from "./watch.ts";

/** How a folder is used. */
export interface FolderUse {
  /** The folders below it belong to it. */
  recursive: boolean;
  /** Its files are moved or removed. */
  write: boolean;
  /** What to do when it was never there, where another program has to make it. Without this it is created. */
  ifMissing?: string;
  /** What to do when we may not use it. */
  ifDenied?: string;
}

/**
 * The absolute path of a folder; `path` is relative to ctx.home. Creates it when it was never there, or says that it is missing. Throws `stop` where waiting would not help (no folder, no access,
 * Spoolway's own files in it), `reconnect` where it was there and may come back.
 */
export async function openUserFolder(ctx: Context, path: string, use: FolderUse): Promise<string> {
  const root = resolve(ctx.home, path);
  const known = `folder:${root}`;
  if (!(await exists(root))) {
    // A folder that was there and is gone may be a disk that is not mounted: files written under its mount point would vanish behind it.
    if ((await ctx.state.get(known)) === true) throw folderGone(root);
    if (use.ifMissing !== undefined)
      throw stop(`there is no folder ${root}`, use.ifMissing, "config_invalid");
    await mkdir(root, { recursive: true });
  }
  if (!(await stat(root)).isDirectory())
    throw stop(`not a folder: ${root}`, "Correct the path in connectors.yml.", "config_invalid");
  await refuseOwnFiles(root, ctx.home, use.recursive);
  await needAccess(root, use);
  await ctx.state.set(known, true);
  return root;
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

/** Watching the spool would make an event of every event, and of the home it would take connectors.yml away. */
async function refuseOwnFiles(root: string, home: string, recursive: boolean): Promise<void> {
  const [watched, own] = [await realpath(root), await realpath(home)];
  const holds = watched === own || (recursive && isInside(own, watched));
  if (!holds && !isInside(watched, join(own, "spool"))) return;
  const hint = "Watch a folder beside spool/, e.g. path: ./drop";
  throw stop(`${root} holds Spoolway's own files`, hint, "config_invalid");
}

/** Whether a path is a folder or below it; both absolute, without links (realpath). */
export const isInside = (path: string, folder: string): boolean => {
  const way = relative(folder, path);
  return way === "" || (way !== ".." && !way.startsWith("../") && !way.startsWith("/"));
};

async function needAccess(root: string, { write, ifDenied }: FolderUse): Promise<void> {
  try {
    await access(root, constants.R_OK | constants.X_OK | (write ? constants.W_OK : 0));
  } catch (error) {
    const hint = write
      ? "Give the user that runs spoolway permission to write there, or set after: keep."
      : "Give the user that runs spoolway permission to read it.";
    throw stop(`no access to ${root}: ${errnoOf(error)}`, ifDenied ?? hint, "no_access");
  }
}
