// Entries of outbox/ that the system does not let us move: another user's file in a folder with the sticky bit, an immutable file, a mount point, another user's
// folder. They are no reason to stop: each gets a dead letter that says so and stays where it is.
import { errnoOf } from "../errors.ts";
import { fs } from "./fs.ts";

/** Whether this error of a rename, link or unlink is the entry's own, and not the disk's or the whole folder's. */
export function isImmovable(error: unknown, path: string | Buffer): boolean {
  const code = errnoOf(error);
  if (code === "EPERM" || code === "EBUSY") return true;
  // Moving a folder changes its "..": its own permissions count. For a file EACCES means that we may not write into outbox/ at all.
  return code === "EACCES" && fs.lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
