// What became of a message that was dropped: its receipt in sent/, or its dead letter in failed/, whichever comes.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { DeadLetter, Receipt } from "../../../schema/types.ts";
import { errnoOf } from "../../errors.ts";
import type { Dropped } from "../../spool/drop.ts";
import { readHeartbeat } from "../../spool/heartbeats.ts";
import { spoolPaths } from "../../spool/names.ts";
import { waitUntil } from "../watch.ts";

export type Outcome =
  | { kind: "sent"; receipt: Receipt }
  | { kind: "failed"; dead_letter: DeadLetter }
  /** reason: why it may take longer, where the connector says so. */
  | { kind: "timeout"; reason?: string };

/** Resolves within `timeoutMs`. */
export async function awaitOutcome(
  spool: string,
  name: string,
  { id, contentSha256 }: Dropped,
  timeoutMs: number,
): Promise<Outcome> {
  const { sent, failed } = spoolPaths(spool, name);
  // Another message had this id before: then ours is refused, under the id with a piece of its content's hash (T6).
  const refusedId = `${id.slice(0, 110)}+${contentSha256.slice(0, 8)}`;
  const look = (): Outcome | undefined => {
    const receipt = readRecord<Receipt>(join(sent, `${id}.json`));
    if (receipt !== undefined && isOurs(receipt)) return { kind: "sent", receipt };
    const letter =
      readRecord<DeadLetter>(join(failed, `${refusedId}.json`)) ??
      readRecord<DeadLetter>(join(failed, `${id}.json`));
    if (letter !== undefined && isOurs(letter)) return { kind: "failed", dead_letter: letter };
    return undefined;
  };
  const isOurs = (record: Receipt | DeadLetter): boolean =>
    record.content_sha256 === undefined || record.content_sha256 === contentSha256;
  const outcome = await waitUntil(look, timeoutMs, { folders: [sent, failed] });
  if (outcome !== undefined) return outcome;
  const beat = readHeartbeat(spool, name);
  const reason = beat?.user_action ?? beat?.error?.message;
  return reason === undefined ? { kind: "timeout" } : { kind: "timeout", reason };
}

/** undefined where it is not there. Records get their names complete. */
function readRecord<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as T;
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "")) return undefined;
    throw error;
  }
}
