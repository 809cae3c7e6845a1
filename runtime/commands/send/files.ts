// Files of the sender's as attachments: their bytes go into the spool's media folder, so that the message does not depend on them any more.
import { createReadStream, statSync } from "node:fs";
import { basename, join } from "node:path";
import type { OutgoingAttachment } from "../../../schema/types.ts";
import { SpoolwayError } from "../../errors.ts";
import { makeFolders } from "../../spool/drop.ts";
import { storeMedia } from "../../spool/media.ts";

/** Resolves when all bytes are durable. The connector's own limit (max_attachment_bytes) is checked when the message is claimed. */
export async function storeFiles(spool: string, files: readonly string[]): Promise<OutgoingAttachment[]> {
  const paths = { tmp: join(spool, "tmp"), media: join(spool, "media") };
  for (const file of files) expectFile(file);
  await makeFolders(paths.tmp, paths.media);
  const attachments: OutgoingAttachment[] = [];
  for (const file of files) {
    const { path, size, sha256 } = await storeMedia(paths, createReadStream(file), Number.MAX_SAFE_INTEGER);
    attachments.push({ path, name: basename(file), size, sha256 });
  }
  return attachments;
}

/** Before the first byte is stored: all of them are there. */
function expectFile(file: string): void {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat?.isFile()) return;
  const what = stat === undefined ? "there is no file" : "this is no regular file:";
  throw new SpoolwayError("usage", `--file: ${what} ${JSON.stringify(file)}`, { hint: "" });
}
