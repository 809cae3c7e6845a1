// Requests to the supervisor, as files in control/ (schema/README.md, "Liveness and control"). Any program may write them; this is how commands do.
import { join } from "node:path";
import { errnoOf, SpoolwayError } from "../errors.ts";
import { remove, syncFolder } from "./disk.ts";
import { makeFolders } from "./drop.ts";
import { fs } from "./fs.ts";
import { publish } from "./publish.ts";

export type Request = "pause" | "restart" | "sync";

/** Durable when it resolves: a pause holds over a power cut. Replaces an older request of the same kind. */
export async function request(root: string, name: string, what: Request, text = ""): Promise<void> {
  const [tmp, folder] = [join(root, "tmp"), join(root, "control")];
  await makeFolders(tmp, folder);
  const bytes = Buffer.from(text === "" ? "" : `${text}\n`);
  const [outcome] = await publish(tmp, [
    { bytes, folder, name: () => `${name}.${what}`, exclusive: false, replaces: true },
  ]);
  if (outcome === undefined || !outcome.ok) {
    throw outcome?.error ?? new SpoolwayError("spool_write_failed", `could not write to ${folder}`);
  }
}

/** Takes a request back: resumes what is paused. False when there was none. */
export async function withdraw(root: string, name: string, what: Request): Promise<boolean> {
  const folder = join(root, "control");
  if (!isRequested(root, name, what)) return false;
  const removed = remove(join(folder, `${name}.${what}`));
  await syncFolder(folder);
  return removed;
}

/** Whether the file is there: the supervisor removes a restart or a sync that it obeyed. */
export function isRequested(root: string, name: string, what: Request): boolean {
  try {
    fs.lstatSync(join(root, "control", `${name}.${what}`));
    return true;
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "")) return false;
    throw error;
  }
}
