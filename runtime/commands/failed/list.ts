// spoolway failed list and show: what could not be sent, and why.
import { dirname, join } from "node:path";
import type { DeadLetter } from "../../../schema/types.ts";
import { columns } from "../../config/columns.ts";
import { painter } from "../../config/report.ts";
import { SpoolwayError } from "../../errors.ts";
import { printable } from "../../printable.ts";
import type { CommandContext } from "../context.ts";
import { toCount, toTime } from "../flags.ts";
import { clip, clock, count, oneLine, print } from "../text.ts";
import { conversationOf, deadLetters, type Filter, type Found } from "./letters.ts";

export interface ListFlags {
  connector?: string;
  code?: string;
  since?: string;
  limit?: string;
}

const tableRows = 50;

/** The newest as a table; with --json all of them, one JSON object per line, as they come. */
export async function list(
  context: CommandContext,
  name: string | undefined,
  flags: ListFlags,
): Promise<number> {
  const filter: Filter = {
    connector: name ?? flags.connector,
    code: flags.code,
    sinceMs: flags.since === undefined ? undefined : toTime(flags.since, "--since", -1),
  };
  const limit = flags.limit === undefined ? undefined : toCount(flags.limit, "--limit", 1);
  const { spool, json, out } = context;
  if (!json) return table(context, deadLetters(spool, filter), limit ?? tableRows);
  let printed = 0;
  for await (const { letter } of deadLetters(spool, filter)) {
    if (limit !== undefined && printed >= limit) break;
    await print(out, `${JSON.stringify(letter)}\n`);
    printed += 1;
  }
  return 0;
}

async function table(context: CommandContext, found: AsyncIterable<Found>, limit: number): Promise<number> {
  const { out, color } = context;
  const paint = painter(color);
  const { newest, total } = await keepNewest(found, limit);
  if (total === 0) {
    out.write("No dead letters.\n");
    return 0;
  }
  const now = new Date();
  const rows = newest.map(({ connector, id, letter }) => [
    paint("cyan", oneLine(id)),
    connector,
    clock(letter.failed_at, now),
    paint("red", oneLine(letter.code)),
    clip(oneLine(conversationOf(letter)), 24),
    clip(oneLine(letter.error), 60),
  ]);
  out.write(`${columns(["ID", "CONNECTOR", "WHEN", "CODE", "TO", "ERROR"], rows, color)}\n\n`);
  const shown =
    total > newest.length
      ? `The newest ${newest.length} of ${count(total, "dead letter")}`
      : count(total, "dead letter");
  out.write(
    paint("dim", `${shown}. See one: spoolway failed show ID. Send again: spoolway failed retry ID`) + "\n",
  );
  return 0;
}

/** The newest `limit`, newest first, in memory for twice as many. */
async function keepNewest(
  found: AsyncIterable<Found>,
  limit: number,
): Promise<{ newest: Found[]; total: number }> {
  let newest: Found[] = [];
  let total = 0;
  const shrink = (): void => {
    newest = newest.sort((a, b) => b.failedMs - a.failedMs).slice(0, limit);
  };
  for await (const one of found) {
    newest.push(one);
    total += 1;
    if (newest.length >= 2 * limit) shrink();
  }
  shrink();
  return { newest, total };
}

/** One dead letter with all that is known of it. Throws not_found. */
export async function showLetter(
  context: CommandContext,
  id: string,
  flags: { connector?: string },
): Promise<number> {
  const { spool, json, color, out } = context;
  const filter = { connector: flags.connector, ids: new Set([id]) };
  const all: Found[] = [];
  for await (const found of deadLetters(spool, filter)) all.push(found);
  const [first] = all;
  if (first === undefined) {
    const message = `there is no dead letter ${JSON.stringify(id)}`;
    throw new SpoolwayError("not_found", message, { hint: "See: spoolway failed list" });
  }
  if (all.length > 1) {
    const names = all.map(({ connector }) => connector).join(", ");
    const message = `several connectors have a dead letter ${JSON.stringify(id)}`;
    throw new SpoolwayError("usage", message, { hint: `Choose one with --connector: ${names}` });
  }
  out.write(json ? `${JSON.stringify(first.letter, null, 2)}\n` : describe(first, color));
  return 0;
}

function describe({ connector, id, path, letter }: Found, color: boolean): string {
  const paint = painter(color);
  const { code, error, hint, failed_at, attempts, drop, entry, message, history = [] } = letter;
  const fields: Array<[string, string | undefined]> = [
    ["id", oneLine(id)],
    ["connector", connector],
    ["failed at", failed_at],
    ["code", paint("red", oneLine(code))],
    ["error", printable(error)],
    ["what to do", hint === undefined || hint === "" ? undefined : paint("yellow", printable(hint))],
    ["attempts", String(attempts)],
    ["dropped as", drop && oneLine(drop)],
    ["file", oneLine(path)],
    ["refused file", entry && oneLine(join(dirname(path), entry))],
  ];
  const width = Math.max(...fields.map(([name]) => name.length));
  const lines = fields.flatMap(([name, value]) =>
    value === undefined ? [] : [`${paint("bold", name.padEnd(width))}  ${value}`],
  );
  const attemptsMade = history.map(
    (one) =>
      `  ${one.attempt}. ${one.started_at}  ${one.fate}  ${oneLine(one.code ?? "")}  ${oneLine(one.message ?? "")}`,
  );
  const body = message === undefined ? rawOf(letter) : JSON.stringify(message, null, 2);
  const title = message === undefined ? "what was dropped" : "message";
  return [
    ...lines,
    ...(attemptsMade.length === 0 ? [] : ["", paint("bold", "history"), ...attemptsMade]),
    ...(body === undefined ? [] : ["", paint("bold", title), printable(body).trimEnd()]),
    "",
  ].join("\n");
}

const rawOf = ({ raw, raw_base64 }: DeadLetter): string | undefined =>
  raw ?? (raw_base64 === undefined ? undefined : `(no UTF-8; base64) ${raw_base64}`);
