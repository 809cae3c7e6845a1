// Refusing what can never be sent (T6, T7 of schema/README.md): the entry itself moves to failed/, with a dead letter that says why.
import { join } from "node:path";
import { exists, move, remove, syncFolder } from "./disk.ts";
import type { ReadMessage } from "./drops.ts";
import { sha256 } from "./hash.ts";
import type { Outbox } from "./outbox.ts";
import { publishJson } from "./publish.ts";
import { refusalOf } from "./records.ts";

export interface Refusal {
  id: string;
  code: string;
  error: string;
  hint?: string;
  bytes: Buffer | undefined;
}

/** T6. `known`: hash of what was dropped under this id before, where that is known. Returns what was done. */
export async function settleDuplicate(
  outbox: Outbox,
  file: string,
  drop: ReadMessage,
  known: string | undefined,
): Promise<"removed" | "refused"> {
  // A derived id is made of the content: it is the same message by construction.
  const isDerived = drop.entry.message.id === undefined;
  if (isDerived || known === drop.entry.contentSha256) {
    remove(join(outbox.paths.outbox, file));
    await syncFolder(outbox.paths.outbox);
    return "removed";
  }
  const id = `${drop.entry.id.slice(0, 110)}+${sha256(drop.bytes).slice(0, 8)}`;
  const error = `another message with the id ${drop.entry.id} exists`;
  await refuseDrop(outbox, file, { id, code: "duplicate_id", error, bytes: drop.bytes });
  return "refused";
}

/** T7. Returns false when the entry is gone, or cannot be moved (a mount point). */
export async function refuseDrop(outbox: Outbox, file: string, why: Refusal): Promise<boolean> {
  const source = join(outbox.paths.outbox, file);
  let { id } = why;
  for (
    let n = 2;
    exists(join(outbox.paths.failed, `${id}.entry`)) || exists(join(outbox.paths.failed, `${id}.json`));
    n += 1
  ) {
    id = `${why.id.slice(0, 110)}+${n}`;
  }
  const entry = `${id}.entry`;
  if (!move(source, join(outbox.paths.failed, entry))) return false;
  const letter = refusalOf(outbox.name, {
    id,
    code: why.code,
    error: why.error,
    entry,
    drop: file,
    ...(why.bytes === undefined ? {} : { ...rawOf(why.bytes), content_sha256: sha256(why.bytes) }),
    ...(why.hint === undefined ? {} : { hint: why.hint }),
  });
  await publishJson(outbox.paths.tmp, outbox.paths.failed, `${id}.json`, letter);
  await syncFolder(outbox.paths.outbox);
  return true;
}

/** A claim that holds no message (a person edited it): kept as an entry of a dead letter. */
export async function breakClaim(outbox: Outbox, file: string, id: string, error: string): Promise<void> {
  const entry = `${id}.entry`;
  move(join(outbox.paths.sending, file), join(outbox.paths.failed, entry));
  const letter = refusalOf(outbox.name, {
    id,
    code: "invalid_message",
    error: `the claim was damaged: ${error}`,
    entry,
  });
  await publishJson(outbox.paths.tmp, outbox.paths.failed, `${id}.json`, letter);
}

const rawMaxBytes = 65_536;

/** What was refused, inside the dead letter too where it is small: readable at a glance. The .entry file has every byte. */
function rawOf(bytes: Buffer): { raw?: string; raw_base64?: string } {
  if (bytes.length > rawMaxBytes) return {};
  const text = bytes.toString("utf8");
  return Buffer.from(text).equals(bytes) ? { raw: text } : { raw_base64: bytes.toString("base64") };
}
