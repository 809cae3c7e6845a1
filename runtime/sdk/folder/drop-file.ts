// spoolway/sdk/folder/drop-file: a file put into another program's spool (gammu-smsd, a print queue, a mail drop), whole under its name from its first moment.
import { chmod, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * Resolves when it is there, readable for the folder's group whatever our umask is: the other program often is another user. `name` has to be new: an older file of that name
 * would be replaced. What a crash leaves behind is hidden, and overwritten by the next try.
 */
export async function dropFile(folder: string, name: string, bytes: Uint8Array): Promise<void> {
  const hidden = join(folder, `.${name}.part`);
  await writeFile(hidden, bytes, { flush: true });
  await chmod(hidden, ((await stat(hidden)).mode & 0o777) | 0o040);
  await rename(hidden, join(folder, name));
}
