// spoolway/sdk/folder/set-aside: files of the user's folder that are done with, out of the way. These files are the user's, not the spool's; nothing is ever overwritten.
//
//   <folder>/a/x.json ──▶ <folder>/.done/a/x.json, or .failed/a/x.json with .failed/a/x.json.error.json, which says why
import { mkdir, rename, unlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf, type SpoolwayError } from "../../errors.ts";
import { hasSignature, statOf } from "./regular-file.ts";

/**
 * Removes a file, or moves it into the folder's .done/; `name` is its path below `root`. False when it was changed after it was read: then it is left. True also when it is gone.
 * RACE: a writer that comes between the look and the move writes into the file in .done/, or loses it with "delete". Writing elsewhere and moving the
 * finished file into the folder has no such gap.
 */
export async function takeAway(
  root: string,
  name: string,
  signature: string,
  how: "move" | "delete",
): Promise<boolean> {
  const path = join(root, name);
  const stats = await statOf(path);
  if (stats === undefined) return true;
  if (!hasSignature(stats, signature)) return false;
  if (how === "delete") await unlink(path);
  else await moveTo(path, await freeName(root, ".done", name));
  return true;
}

/** Moves a refused entry into the folder's .failed/, with the reason and what to do beside it. */
export async function setAside(root: string, name: string, error: SpoolwayError): Promise<void> {
  const path = await freeName(root, ".failed", name);
  const { code, message, hint } = error;
  const reason = { file: name, code, error: message, hint, failed_at: new Date().toISOString() };
  // The reason first: a file in .failed/ without one would be a riddle.
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.error.json`, `${JSON.stringify(reason, null, 2)}\n`);
  await rename(join(root, name), path);
}

async function moveTo(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
    await mkdir(dirname(to), { recursive: true });
    await rename(from, to);
  }
}

/** A path below the folder's `where` that nothing has; the time stands before a name that was there already. */
async function freeName(root: string, where: string, name: string): Promise<string> {
  const wanted = join(root, where, name);
  if (await isFree(wanted)) return wanted;
  const stamp = new Date().toISOString().replaceAll(/[-:]/g, "");
  for (let n = 1; ; n += 1) {
    const path = join(dirname(wanted), `${stamp}-${n}-${name.split("/").at(-1)}`);
    if (await isFree(path)) return path;
  }
}

async function isFree(path: string): Promise<boolean> {
  return (await statOf(path)) === undefined;
}
