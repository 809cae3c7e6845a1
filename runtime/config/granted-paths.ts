// Paths that an operator grants to a sandboxed connector: what is there, and what no sandbox must show, because it holds other connectors' secrets and messages.
import { realpath } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import { errnoOf } from "../errors.ts";
import { TargetError } from "../sandbox/targets.ts";

/** Of the home. */
const hidden = ["spool", "config", "connectors.yml", ".env"];

/** The absolute path. Throws TargetError where it does not exist or would show what is hidden, also by a link. */
export async function checkGrantedPath(home: string, text: string): Promise<string> {
  const path = resolve(home, text);
  const realPath = await real(path);
  if (realPath === undefined)
    throw new TargetError(
      `there is no ${path}`,
      "Create it, or correct the path; it is relative to the folder of connectors.yml.",
    );
  for (const name of hidden) {
    const place = (await real(join(home, name))) ?? join(home, name);
    if (!isWithin(realPath, place) && !isWithin(place, realPath)) continue;
    throw new TargetError(
      `${path} would show ${name} of this bus`,
      "Grant only what the connector needs, in a folder beside it.",
    );
  }
  return path;
}

/** Whether `path` is `folder` or lies below it. */
export function isWithin(path: string, folder: string): boolean {
  const inside = relative(folder, path);
  return inside === "" || (inside !== ".." && !inside.startsWith(`..${sep}`));
}

async function real(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "EACCES", "ELOOP"].includes(errnoOf(error) ?? "")) return undefined;
    throw error;
  }
}
