// Dropping a message, as durably as a producer can: what `spoolway send` does, and a model for producers that must not lose anything.
//
//   tmp/<n> ─ write, fsync ─▶ rename to outbox/<name>/<time>-<id>.json ─▶ fsync of outbox/<name>
import type { OutgoingMessage } from "../../schema/types.ts";
import { outgoingMessage } from "../../schema/validators/messages.js";
import { SpoolwayError } from "../errors.ts";
import { makeFolderDurably } from "./disk.ts";
import { sha256 } from "./hash.ts";
import { inboxName, isId, spoolPaths } from "./names.ts";
import { publish } from "./publish.ts";
import { explain } from "./records.ts";

export interface Dropped {
  id: string;
  /** Its name in outbox/<name>/. */
  file: string;
  /** What a receipt calls content_sha256: tells this message from another one with the same id. */
  contentSha256: string;
}

/**
 * Drops a message for connector `name`; resolves when it is on stable storage. Works without a running bus. Throws `invalid_message` with what the
 * schema does not allow, and spool_write_failed.
 */
export async function drop(
  root: string,
  name: string,
  message: OutgoingMessage & { id: string },
): Promise<Dropped> {
  if (!isId(message.id)) {
    throw new SpoolwayError("invalid_message", `the id ${JSON.stringify(message.id)} cannot be a file name`, {
      hint: "Use letters, digits and . _ : @ + = - (at most 120; the first a letter or a digit).",
    });
  }
  if (!outgoingMessage(message)) throw new SpoolwayError("invalid_message", explain(outgoingMessage));
  const { tmp, outbox } = spoolPaths(root, name);
  await makeFolders(tmp, outbox);
  const bytes = Buffer.from(`${JSON.stringify(message)}\n`);
  // Renamed, not linked: a drop with two names is none. The time makes the name unique, so nothing is replaced.
  const [outcome] = await publish(tmp, [
    { bytes, folder: outbox, name: () => inboxName(message.id), exclusive: false },
  ]);
  if (outcome === undefined || !outcome.ok) {
    throw outcome?.error ?? new SpoolwayError("spool_write_failed", `could not drop into ${outbox}`);
  }
  return { id: message.id, file: outcome.name, contentSha256: sha256(bytes) };
}

/** For commands that write into a spool that no bus has opened yet. Throws spool_write_failed. */
export async function makeFolders(...folders: string[]): Promise<void> {
  for (const folder of folders) {
    try {
      await makeFolderDurably(folder);
    } catch (error) {
      if (error instanceof SpoolwayError) throw error;
      throw new SpoolwayError("spool_write_failed", `${folder}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
}
