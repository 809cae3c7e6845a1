// spoolway failed retry and purge: dead letters back into their outbox, or away; thousands of them in batches.
//
//   chosen ─▶ (purge in a terminal: asked) ─▶ batch by batch: moved, synced, counted ─▶ the sum
//
// Ctrl-C ends it after the batch at hand: each dead letter is moved as a whole or not at all, and calling it again goes on.
import { createInterface } from "node:readline/promises";
import { SpoolwayError } from "../../errors.ts";
import { purge, redrive } from "../../spool/redrive.ts";
import { lookAtBus, notRunning } from "../bus.ts";
import type { CommandContext } from "../context.ts";
import { toTime } from "../flags.ts";
import { count, oneLine } from "../text.ts";
import { untilAsked } from "../watch.ts";
import { deadLetters, type Filter, type Found } from "./letters.ts";
import { Progress } from "./progress.ts";

export interface ChoiceFlags {
  connector?: string;
  code?: string;
  since?: string;
  olderThan?: string;
  all?: boolean;
  yes?: boolean;
}

/** So many share one fsync of each folder. */
const batchSize = 200;
const interrupted = 130;

/** Resolves with the exit code: 0 all were moved, 1 some could not be, 3 nothing was found, 130 interrupted. */
export async function retryLetters(
  context: CommandContext,
  ids: readonly string[],
  flags: ChoiceFlags,
): Promise<number> {
  const filter = choose(ids, flags, "retry");
  const sum = await inBatches(context, filter, "redriven", (name, batch) =>
    redrive(
      context.spool,
      name,
      batch.map(({ id, letter }) => ({ id, hasMessage: letter.message !== undefined, drop: letter.drop })),
    ),
  );
  const why = notRunning(lookAtBus(context.spool));
  if (!context.json && why !== undefined && (sum.counts.redriven ?? 0) > 0)
    context.err.write(`They wait in the outbox: ${why}\n`);
  return finish(context, "redriven", "sent again", sum, ids);
}

/** As retryLetters; asks first in a terminal, and needs --yes without one. 1 when the answer is no. */
export async function purgeLetters(
  context: CommandContext,
  ids: readonly string[],
  flags: ChoiceFlags,
): Promise<number> {
  const filter = choose(ids, flags, "purge");
  if (flags.yes !== true && !(await isSure(context, filter))) return 1;
  const sum = await inBatches(context, filter, "purged", (name, batch) =>
    purge(
      context.spool,
      name,
      batch.map(({ id }) => id),
    ),
  );
  return finish(context, "purged", "removed for good", sum, ids);
}

/** Nothing is chosen by accident: without ids, a filter or --all it is a usage error. */
function choose(ids: readonly string[], flags: ChoiceFlags, command: string): Filter {
  const { connector, code, since, olderThan, all } = flags;
  if (ids.length === 0 && [connector, code, since, olderThan, all].every((one) => one === undefined)) {
    throw new SpoolwayError("usage", `failed ${command} needs to know which`, {
      hint: "Give ids, or --connector, --code, --since, or --all.",
    });
  }
  return {
    connector,
    code,
    sinceMs: since === undefined ? undefined : toTime(since, "--since", -1),
    beforeMs: olderThan === undefined ? undefined : toTime(olderThan, "--older-than", -1),
    ids: ids.length === 0 ? undefined : new Set(ids),
  };
}

async function isSure(context: CommandContext, filter: Filter): Promise<boolean> {
  const { spool, interactive, input, out } = context;
  if (!interactive) {
    throw new SpoolwayError("usage", "failed purge removes for good, and nobody can be asked here", {
      hint: "Add --yes.",
    });
  }
  const letters = deadLetters(spool, filter);
  let found = 0;
  while ((await letters.next()).done !== true) found += 1;
  if (found === 0) return true; // nothing to ask about
  const asking = createInterface({ input, output: out });
  try {
    const answer = await asking.question(`Remove ${count(found, "dead letter")} for good? [y/N] `);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    asking.close();
  }
}

interface Sum {
  found: number;
  counts: Record<string, number>;
  /** What was not done, with the outcome: the first few. */
  left: Array<{ id: string; outcome: string }>;
  interrupted: boolean;
}

async function inBatches(
  context: CommandContext,
  filter: Filter,
  wanted: string,
  move: (connector: string, batch: Found[]) => Promise<string[]>,
): Promise<Sum> {
  const sum: Sum = { found: 0, counts: {}, left: [], interrupted: false };
  const progress = new Progress(context, wanted);
  const stop = untilAsked();
  let batch: Found[] = [];
  const flush = async (): Promise<void> => {
    const connector = batch[0]?.connector;
    if (connector === undefined) return;
    const outcomes = await move(connector, batch);
    for (const [index, outcome] of outcomes.entries()) {
      sum.counts[outcome] = (sum.counts[outcome] ?? 0) + 1;
      const { id = "" } = batch[index] ?? {};
      if (outcome !== wanted && sum.left.length < 20) sum.left.push({ id, outcome });
    }
    sum.found += batch.length;
    batch = [];
    progress.at(sum.counts[wanted] ?? 0);
  };
  try {
    for await (const found of deadLetters(context.spool, filter)) {
      if (batch.length >= batchSize || (batch[0]?.connector ?? found.connector) !== found.connector)
        await flush();
      if (stop.signal.aborted) break;
      batch.push(found);
    }
    if (!stop.signal.aborted) await flush();
    sum.interrupted = stop.signal.aborted;
  } finally {
    stop.done();
    progress.end();
  }
  return sum;
}

const explanations: Record<string, string> = {
  gone: "was moved by somebody else",
  empty: "holds neither a message nor what was dropped: write the message anew",
  kept: "was a folder with files in it, which is left alone",
};

function finish(
  { json, out, err }: CommandContext,
  wanted: string,
  words: string,
  { found, counts, left, interrupted: wasInterrupted }: Sum,
  ids: readonly string[],
): number {
  const done = counts[wanted] ?? 0;
  if (json)
    out.write(`${JSON.stringify({ found, ...counts, [wanted]: done, left, interrupted: wasInterrupted })}\n`);
  else {
    for (const { id, outcome } of left) err.write(`${oneLine(id)} ${explanations[outcome] ?? outcome}\n`);
    const what = found === 0 ? "No such dead letters." : `${count(done, "message")} ${words}.`;
    out.write(`${wasInterrupted ? "Interrupted. " : ""}${what}\n`);
  }
  if (wasInterrupted) return interrupted;
  if (found === 0 || found < new Set(ids).size) return 3;
  return done === found ? 0 : 1;
}
