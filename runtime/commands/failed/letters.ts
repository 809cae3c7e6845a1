// The dead letters of a spool, one after the other in bounded memory, and the filters by which commands choose among them.
import { type Dirent, lstatSync } from "node:fs";
import { opendir } from "node:fs/promises";
import { join } from "node:path";
import type { DeadLetter } from "../../../schema/types.ts";
import { deadLetter } from "../../../schema/validators/messages.js";
import { errnoOf } from "../../errors.ts";
import { isInstanceName } from "../../spool/names.ts";
import { readRegularFile, Turns } from "../read-file.ts";

export interface Filter {
  connector?: string | undefined;
  code?: string | undefined;
  /** Failed at or after this time, ms since 1970. */
  sinceMs?: number | undefined;
  /** Failed before this time. */
  beforeMs?: number | undefined;
  ids?: ReadonlySet<string> | undefined;
}

export interface Found {
  connector: string;
  /** File name without .json: what commands call it by. */
  id: string;
  /** Absolute. */
  path: string;
  letter: DeadLetter;
  failedMs: number;
}

/** Yields what matches, connector by connector. Files that are no dead letters have the code unreadable_letter. */
export async function* deadLetters(spool: string, filter: Filter): AsyncGenerator<Found> {
  const turns = new Turns();
  for (const connector of await connectorsIn(join(spool, "failed"), filter.connector)) {
    const folder = join(spool, "failed", connector);
    const ids = filter.ids === undefined ? entriesOf(folder) : filter.ids;
    for await (const id of ids) {
      await turns.turn();
      const found = readLetter(folder, connector, id);
      if (found !== undefined && matches(found, filter)) yield found;
    }
  }
}

function matches({ letter, failedMs }: Found, { code, sinceMs, beforeMs }: Filter): boolean {
  if (code !== undefined && letter.code !== code) return false;
  return failedMs >= (sinceMs ?? -Infinity) && failedMs < (beforeMs ?? Infinity);
}

async function connectorsIn(folder: string, only: string | undefined): Promise<string[]> {
  if (only !== undefined) return [only];
  const names: string[] = [];
  for await (const entry of entries(folder)) if (entry.isDirectory()) names.push(entry.name);
  return names.filter(isInstanceName).sort();
}

async function* entriesOf(folder: string): AsyncGenerator<string> {
  for await (const { name } of entries(folder))
    if (name.endsWith(".json")) yield name.slice(0, -".json".length);
}

async function* entries(folder: string): AsyncGenerator<Dirent> {
  try {
    yield* await opendir(folder, { bufferSize: 256 });
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}

/** undefined when it is not there (any more). */
function readLetter(folder: string, connector: string, id: string): Found | undefined {
  if (id.includes("/")) return undefined;
  const path = join(folder, `${id}.json`);
  let text: string | undefined;
  try {
    text = readRegularFile(path);
    if (text === undefined) return undefined;
  } catch {
    text = ""; // whatever lies there, it is no letter, and is shown as that
  }
  const letter = parse(text) ?? broken(connector, id, path);
  return { connector, id, path, letter, failedMs: Date.parse(letter.failed_at) };
}

function parse(text: string): DeadLetter | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return deadLetter(value) ? (value as DeadLetter) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Somebody edited it, or put another file there: shown, so that it can be repaired or purged. */
function broken(connector: string, id: string, path: string): DeadLetter {
  return {
    record: "dead_letter",
    version: 1,
    id,
    connector,
    attempts: 0,
    failed_at: timeOf(path),
    code: "unreadable_letter",
    error: "this file is no dead letter that schema/dead-letter.schema.json allows",
    hint: `Look at ${path}.`,
  };
}

/** When it was last changed. Some file systems keep any 64-bit time, which no date can say. */
function timeOf(path: string): string {
  const date = new Date(lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0);
  return new Date(Number.isNaN(date.getTime()) ? 0 : date).toISOString();
}

/** Where the message was to go, as far as that is known. */
export const conversationOf = (letter: DeadLetter): string => letter.message?.conversation_id ?? "–";
