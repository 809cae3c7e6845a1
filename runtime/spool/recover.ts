// Start-up of one connector (R1 … R7 of schema/README.md): finishes what a crash interrupted and says what is left to do. Nothing is claimed before.
import { join } from "node:path";
import { exists, namesIn, remove, syncFolder } from "./disk.ts";
import type { Outbox } from "./outbox.ts";
import { parseClaimName, parseRetryName } from "./names.ts";
import { publishJson } from "./publish.ts";
import { type Accepted, refusalOf } from "./records.ts";
import { breakClaim } from "./refuse.ts";
import { sweepTmp } from "./tmp.ts";

export interface RetryEntry {
  file: string;
  id: string;
  /** 0: scheduled, never tried; does not hold its lane. */
  attempt: number;
  dueMs: number;
}

export interface Recovered {
  /** Claims without an outcome: the platform may have them (R1). */
  uncertain: Accepted[];
  retries: RetryEntry[];
  /** Claims that hold no message any more; they were dead-lettered. */
  broken: string[];
}

/**
 * Throws spool_write_failed. `scheduled` is given what was never tried, one by one and in no order, instead of `retries`: there may be a million of them. Whether one is
 * finished already has to be asked when its time comes (removeFinished).
 */
export async function recover(outbox: Outbox, scheduled?: (entry: RetryEntry) => void): Promise<Recovered> {
  const { paths } = outbox;
  // The supervisor swept before its own start; since then this connector's last process may have died. What it published last may have its name in tmp/ still, and a
  // dead letter with two names could not go back to outbox/.
  await sweepTmp(paths.tmp);
  const retries = new Map<string, RetryEntry>();
  let repaired = false;
  const drop = (path: string): void => {
    repaired = true;
    remove(path);
  };
  const sending = await allNames(paths.sending);
  const claimed = new Set(sending.map((file) => parseClaimName(file)?.id));
  for await (const names of namesIn(paths.retry)) {
    for (const file of names) {
      const parsed = parseRetryName(file);
      if (parsed === undefined) continue; // not ours; left alone
      if (scheduled !== undefined && parsed.attempt === 0 && !claimed.has(parsed.id))
        scheduled({ file, ...parsed });
      else if (isFinished(outbox, parsed.id, parsed.attempt))
        drop(join(paths.retry, file)); // R3
      else retries.set(parsed.id, { file, ...parsed });
    }
  }
  const claims = new Map<string, { file: string; attempt: number }>();
  for (const file of sending) {
    const parsed = parseClaimName(file);
    if (parsed === undefined) continue;
    const retry = retries.get(parsed.id);
    if (retry !== undefined && retry.attempt < parsed.attempt) {
      drop(join(paths.retry, retry.file)); // R7
      retries.delete(parsed.id);
    }
    if (retries.has(parsed.id) || isFinished(outbox, parsed.id, parsed.attempt)) {
      drop(join(paths.sending, file)); // R2, R3
    } else if ((claims.get(parsed.id)?.attempt ?? 0) < parsed.attempt) {
      claims.set(parsed.id, { file, attempt: parsed.attempt });
    }
  }
  const recovered: Recovered = { uncertain: [], retries: [...retries.values()], broken: [] };
  for (const [id, { file, attempt }] of claims) {
    const read = outbox.readAccepted("sending", file, id);
    if (read.kind === "message") recovered.uncertain.push(interrupted(read.entry, attempt));
    else if (read.kind !== "gone") {
      recovered.broken.push(file);
      await breakClaim(outbox, file, id, read.error);
    }
  }
  await finishRefusals(outbox);
  if (repaired) await Promise.all([syncFolder(paths.sending), syncFolder(paths.retry)]);
  // Oldest first: they head their lanes in the order in which they were accepted.
  recovered.uncertain.sort((a, b) => (a.acceptedAt < b.acceptedAt ? -1 : 1));
  return recovered;
}

/**
 * The claim's name counts tries that its content does not know: those that a crash ended. All but the last, which is counted when its outcome is, used up
 * budget, so that a message that ends the process each time is not tried for ever.
 */
function interrupted(entry: Accepted, attempt: number): Accepted {
  const crashes = Math.max(0, attempt - entry.attempts - 1);
  return { ...entry, attempts: attempt, budgetUsed: entry.budgetUsed + crashes };
}

/** R3 for one that recover() handed out unasked: true when its outcome is durable already, and the entry removed. */
export function removeFinished(outbox: Outbox, { file, id, attempt }: RetryEntry): boolean {
  return isFinished(outbox, id, attempt) && remove(join(outbox.paths.retry, file));
}

/** R3: whether the outcome of this attempt is durable already. A dead letter of an earlier attempt was redriven by copy: it goes with the next outcome (R4). */
function isFinished(outbox: Outbox, id: string, attempt: number): boolean {
  const settled = outbox.settled(id);
  return settled !== undefined && (settled.as === "sent" || settled.attempts >= attempt);
}

/** R6: an entry that was moved to failed/ and lacks its dead letter. */
async function finishRefusals(outbox: Outbox): Promise<void> {
  const { paths } = outbox;
  const entries: string[] = [];
  // There may be a million dead letters: what needs nothing is not kept.
  for await (const names of namesIn(paths.failed))
    entries.push(...names.filter((name) => name.endsWith(".entry")));
  for (const file of entries) {
    const id = file.slice(0, -".entry".length);
    if (exists(join(paths.failed, `${id}.json`))) continue;
    const letter = refusalOf(outbox.name, {
      id,
      code: "refused_interrupted",
      error: "it was being refused when the process ended",
      entry: file,
    });
    await publishJson(paths.tmp, paths.failed, `${id}.json`, letter);
  }
}

async function allNames(folder: string): Promise<string[]> {
  const all: string[] = [];
  for await (const names of namesIn(folder)) all.push(...names);
  return all;
}
