// What becomes of a file in the user's folder. These files are the user's, not the spool's: the one place of this connector that moves or removes any.
//
//   delivered ──▶ .done/<name>      (move)   removed (delete)   marked in the connector's state (keep)
//   refused   ──▶ .failed/<name> and .failed/<name>.error.json, which says why; with keep it stays where it is
import { lstat, mkdir, rename, unlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { SpoolwayError, State } from "spoolway/sdk";
import { same } from "./intake.ts";
import { type Entry, signatureOf, statOf } from "./scan.ts";

export type After = "move" | "delete" | "keep";

/** Takes a delivered file away. False when it was changed after it was read: then it is a new event. */
export async function takeAway(root: string, entry: Entry, after: After, state: State): Promise<boolean> {
  const stats = await statOf(entry.path);
  if (stats === undefined) return true;
  if (!same(signatureOf(stats, after !== "keep"), entry.signature)) return false;
  // RACE: a writer that comes between the look above and the line below writes into the file in .done/, or loses it with delete. Writing
  // elsewhere and moving the finished file into the folder has no such gap.
  if (after === "keep") await state.set(keptKey(entry.name), entry.signature);
  else if (after === "delete") await unlink(entry.path);
  else await moveTo(entry.path, await freeName(root, ".done", entry.name));
  return true;
}

/** Whether a kept file was delivered by an earlier process. */
export async function wasKept(entry: Entry, state: State): Promise<boolean> {
  const signature = await state.get<string[]>(keptKey(entry.name));
  return signature !== undefined && same(signature, entry.signature);
}

/** Forgets a kept file that is gone. */
export const forgetKept = (name: string, state: State): Promise<void> => state.delete(keptKey(name));

/** Moves a refused entry aside with the reason beside it; returns its new path. */
export async function putAside(root: string, entry: Entry, error: SpoolwayError): Promise<string> {
  const path = await freeName(root, ".failed", entry.name);
  const reason = {
    file: entry.name,
    code: error.code,
    error: error.message,
    hint: error.hint,
    failed_at: new Date().toISOString(),
  };
  // The reason first: a file in .failed/ without one would be a riddle.
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.error.json`, `${JSON.stringify(reason, null, 2)}\n`);
  await rename(entry.path, path);
  return path;
}

const keptKey = (name: string): string => `kept:${name}`;

async function moveTo(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
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
  try {
    await lstat(path);
    return false;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return true;
    throw error;
  }
}
