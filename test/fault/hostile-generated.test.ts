// Promise 4 for whatever bytes lie in outbox/: each drop ends in exactly one place, as a message that was sent, a dead letter or a scheduled message, what is
// refused is kept byte for byte, and no drop ends the session, holds up the others or throws.
//
// SPOOLWAY_HOSTILE (default 100,000 drops) and SPOOLWAY_SEED are parameters; a seed gives the same drops again. Long: npm run test:hostile
import { readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isUtf8 } from "node:buffer";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseJson } from "../../runtime/spool/json.ts";
import type { Drop } from "../../runtime/spool/drops.ts";
import type { DeadLetter, Receipt, RetryRecord } from "../../schema/types.ts";
import { type HostileDrop, hostileDrops } from "./hostile-drops.ts";
import { makePlace, type Place, readJson, type RunningPump, startPump } from "./hostile-pump.ts";

const total = Number(process.env.SPOOLWAY_HOSTILE ?? 100_000);
const seed = Number(process.env.SPOOLWAY_SEED ?? Math.floor(Math.random() * 2 ** 31));
const timeout = 120_000 + total * 5;
const batchSize = 5000;
/** So many of ten batches go all the way, through the real pump to a platform; the others are written and read. */
const pumpedOfTen = 2;

test(
  "every generated drop ends in exactly one place, and what is refused is kept byte for byte",
  {
    timeout,
  },
  async () => {
    console.log(`${total} hostile drops, SPOOLWAY_SEED=${seed}`);
    const sums: Record<string, number> = {};
    let pumped = 0;
    for (let done = 0, batch = 0; done < total; done += batchSize, batch += 1) {
      const count = Math.min(batchSize, total - done);
      const isPumped = batch % 10 < pumpedOfTen;
      const problems = isPumped
        ? await throughThePump(seed + batch, count, sums)
        : await onlyRead(seed + batch, count, sums);
      expect(problems.slice(0, 5), `SPOOLWAY_SEED=${seed + batch} SPOOLWAY_HOSTILE=${count}`).toEqual([]);
      if (isPumped) pumped += count;
    }
    console.log(`${pumped} of them through the pump`);
    console.log(JSON.stringify(sums));
    // None of the ways is untrodden, or this would say little.
    const ways = ["sent", "scheduled", "removed as duplicate", "name made legible"];
    const codes = [
      "invalid_json",
      "invalid_encoding",
      "invalid_message",
      "too_deep",
      "duplicate_key",
      "forbidden_key",
      "duplicate_id",
    ];
    const more = ["attachment_missing", "attachment_outside", "expired", "rejected"];
    for (const way of [...ways, ...codes, ...more]) expect(sums[way], way).toBeGreaterThan(0);
  },
);

/** Writes a batch and reads it as the pump would; returns what is wrong. */
async function onlyRead(batchSeed: number, count: number, sums: Record<string, number>): Promise<string[]> {
  const place = await makePlace();
  try {
    return hostileDrops(batchSeed, count).flatMap((drop, at) => {
      const named = { ...write(place, { ...drop, name: Buffer.alloc(0) }, at), ...drop };
      const read = place.outbox.read(named.file);
      const what = `read: ${read.kind}`;
      sums[what] = (sums[what] ?? 0) + 1;
      const problem = problemOfReading(read, drop.bytes);
      return problem === undefined ? [] : [`${problem}: ${describe(named)}`];
    });
  } finally {
    place.remove();
  }
}

function problemOfReading(read: Drop, bytes: Buffer): string | undefined {
  if (read.kind === "gone") return "it is said to be gone";
  if (read.bytes?.equals(bytes) !== true) return "other bytes were read";
  const isObject = readAlone(bytes) !== undefined;
  if (read.kind === "message") return isObject ? undefined : "it is no JSON object";
  // Whoever is not finished is waited for: that must be all that a rest of the file could still make good.
  if (read.kind === "unfinished") return isObject && read.code === "invalid_json" ? "it is JSON" : undefined;
  return read.code === "invalid_message" && !isObject ? "it is no JSON object" : undefined;
}

interface Named extends HostileDrop {
  file: string;
}

/** Drops a batch, half of it before the pump starts and half under its eyes; returns what is wrong in the end. */
async function throughThePump(
  batchSeed: number,
  count: number,
  sums: Record<string, number>,
): Promise<string[]> {
  const place = await makePlace();
  writeFileSync(join(place.outbox.paths.outbox, "beside.txt"), "attached");
  const drops = hostileDrops(batchSeed, count);
  const named = (from: number, to: number): Named[] =>
    drops.slice(from, to).map((drop, at) => write(place, drop, from + at));
  const half = count >> 1;
  const all = named(0, half);
  const pump = await startPump(place);
  try {
    all.push(...named(half, count));
    // Not a drop: what is no drop must stay, and must not be waited for.
    const { outbox } = place;
    await pump.settled({ except: ["beside.txt"] });
    await pump.close();
    const problems = judge(place, pump, all, sums);
    problems.push(...pump.errors.map((line) => `logged as an error: ${line}`));
    // What lies there now is a legal spool: another start finds nothing to repair, and no reason to stop.
    const again = await startPump(place);
    await again.close();
    expect([again.seen.size, readFileSync(join(outbox.paths.outbox, "beside.txt"), "utf8")]).toEqual([
      0,
      "attached",
    ]);
    return problems;
  } catch (error) {
    throw new Error(
      `in the batch of SPOOLWAY_SEED=${batchSeed} SPOOLWAY_HOSTILE=${count}: ${(error as Error).message}`,
      { cause: error },
    );
  } finally {
    await pump.close();
    place.remove();
  }
}

function write({ outbox }: Place, drop: HostileDrop, at: number): Named {
  const name = Buffer.concat([Buffer.from(`${at}-`), drop.name, Buffer.from(".json")]);
  const path = Buffer.concat([Buffer.from(`${outbox.paths.outbox}/`), name]);
  writeFileSync(path, drop.bytes);
  if (drop.mtimeS !== undefined) utimesSync(path, drop.mtimeS, drop.mtimeS);
  return { ...drop, file: name.toString(isUtf8(name) ? "utf8" : "latin1") };
}

interface Outcome {
  as: "sent" | "failed" | "scheduled";
  record: { drop?: string };
}

function judge(place: Place, pump: RunningPump, drops: Named[], sums: Record<string, number>): string[] {
  const problems: string[] = [];
  const count = (what: string): void => void (sums[what] = (sums[what] ?? 0) + 1);
  const outcomes = new Map<number, Outcome[]>();
  const note = (as: Outcome["as"], record: { drop?: string }): void => {
    const at = Number.parseInt(record.drop ?? "", 10);
    outcomes.set(at, [...(outcomes.get(at) ?? []), { as, record }]);
  };
  for (const file of place.list("sent")) note("sent", readJson<Receipt>(place, "sent", file));
  for (const file of place.list("retry")) note("scheduled", readJson<RetryRecord>(place, "retry", file));
  const failed = place.list("failed");
  for (const file of failed)
    if (file.endsWith(".json")) note("failed", readJson<DeadLetter>(place, "failed", file));
  let removed = 0;
  for (const [at, drop] of drops.entries()) {
    const [outcome, ...others] = outcomes.get(at) ?? [];
    if (!isUtf8(drop.name)) count("name made legible");
    if (outcome === undefined) {
      count("removed as duplicate");
      removed += 1;
      continue;
    }
    count(outcome.as === "failed" ? (outcome.record as DeadLetter).code : outcome.as);
    const wrong = others.length > 0 ? "it ended twice" : problemOf(place, pump, drop, outcome);
    if (wrong !== undefined) problems.push(`${wrong}: ${describe(drop)} ended as ${JSON.stringify(outcome)}`);
  }
  if (removed !== pump.status.duplicates)
    problems.push(`${removed} drops are nowhere, ${pump.status.duplicates} were duplicates`);
  const entries = failed.filter((file) => file.endsWith(".entry")).length;
  const letters = [...outcomes.values()]
    .flat()
    .filter(({ as, record }) => as === "failed" && "entry" in record).length;
  if (entries !== letters) problems.push(`${entries} entries, ${letters} dead letters that name one`);
  return problems;
}

function problemOf(
  place: Place,
  pump: RunningPump,
  drop: Named,
  { as, record }: Outcome,
): string | undefined {
  const value = readAlone(drop.bytes);
  if (as === "failed" && !("message" in record)) {
    const letter = record as DeadLetter;
    if (letter.entry === undefined) return "the entry is not named";
    const kept = readFileSync(join(place.outbox.paths.failed, letter.entry));
    if (!kept.equals(drop.bytes)) return "the bytes are not kept";
    if (letter.drop !== drop.file) return "the name is not kept";
    if (letter.code === "invalid_json" && value !== undefined) return "it is JSON";
    return letter.hint === "" ? "there is no hint" : undefined;
  }
  if (value === undefined) return "it is no JSON object";
  if (as !== "sent" || "record" in value) return undefined;
  const sent = pump.seen.get((record as Receipt).id)?.at(-1);
  for (const key of ["text", "conversation_id", "thread_id"] as const) {
    if (typeof value[key] === "string" && sent?.[key] !== value[key])
      return `the platform got another ${key}`;
  }
  return undefined;
}

/** The object in these bytes, read by nothing of ours; undefined where there is none. */
function readAlone(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8").replace(/^\ufeff/, ""));
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isUtf8(bytes) && isObject ? (value as Record<string, unknown>) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const describe = ({ file, bytes }: Named): string =>
  `${JSON.stringify(file)} ${JSON.stringify(bytes.toString("latin1").slice(0, 600))}`;

const accepted = (bytes: Uint8Array): { value: unknown } | undefined => {
  try {
    return { value: parseJson(bytes) };
  } catch (error) {
    expect((error as Error).name).toBe("SpoolwayError");
    return undefined;
  }
};

test(
  "our reading agrees with JSON.parse wherever both accept, and accepts nothing that it does not",
  { timeout },
  () => {
    const drops = hostileDrops(seed, Math.min(total, 20_000));
    for (const { bytes } of drops) {
      const ours = accepted(bytes);
      if (ours === undefined) continue;
      const theirs: unknown = JSON.parse(bytes.toString("utf8").replace(/^\ufeff/, ""), digits);
      expect(ours.value, bytes.toString()).toEqual(theirs);
    }
  },
);

/** What a double cannot hold stays as its text. */
function digits(this: unknown, _key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== "number" || context?.source === undefined) return value;
  const isWhole = !/[.eE]/.test(context.source);
  return Number.isFinite(value) && (!isWhole || Number.isSafeInteger(value)) ? value : context.source;
}

test(
  "no strict prefix of an accepted object is accepted as one: half a drop is never sent",
  { timeout },
  () => {
    let cuts = 0;
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue({ maxDepth: 4 }), { maxKeys: 6 }),
        (value) => {
          const bytes = Buffer.from(JSON.stringify(value));
          if (accepted(bytes) === undefined) return;
          for (let cut = 0; cut < bytes.length; cut += 1) {
            const part = accepted(bytes.subarray(0, cut))?.value;
            cuts += 1;
            if (typeof part === "object" && part !== null)
              throw new Error(`${cut} bytes of ${bytes} are accepted`);
          }
        },
      ),
      { seed, numRuns: Math.ceil(total / 500) },
    );
    console.log(`${cuts} prefixes`);
  },
);
