// spoolway/sdk/drop-file: a file put into another program's spool (gammu-smsd, a print queue, a mail drop), whole under its name from its first moment.
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Resolves when it is there. `name` has to be new: an older file of that name would be replaced. What a crash leaves behind is hidden, and overwritten by the next try. */
export async function dropFile(folder: string, name: string, bytes: Uint8Array): Promise<void> {
  const hidden = join(folder, `.${name}.part`);
  await writeFile(hidden, bytes, { flush: true });
  await rename(hidden, join(folder, name));
}
