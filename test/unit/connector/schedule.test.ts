// Scheduled messages in bounded memory: all of them come, in order, however small the page is.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { IdSet } from "../../../runtime/connector/id-set.ts";
import { Schedule } from "../../../runtime/connector/schedule.ts";
import { retryName } from "../../../runtime/spool/names.ts";
import type { RetryEntry } from "../../../runtime/spool/recover.ts";
import { seededRandom } from "../../helpers/random.ts";
import { staysTrue, waitFor } from "../../helpers/wait.ts";

let folder: string;
let due: string[];
/** How many may come at all. */
let limit: number;
let problems: unknown[];
let schedule: Schedule;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spoolway-schedule-"));
  due = [];
  problems = [];
  limit = Infinity;
  schedule = make();
});

afterEach(() => {
  schedule.close();
  rmSync(folder, { recursive: true });
});

function make(
  take = (entry: RetryEntry): void => rmSync(join(folder, entry.file)),
  pageEntries = 10,
): Schedule {
  const paging = {
    folder,
    pageEntries,
    room: () => limit - due.length,
    failed: (error: unknown) => void problems.push(error),
  };
  return new Schedule((entry) => {
    take(entry);
    due.push(entry.id);
  }, paging);
}

function entry(id: string, dueMs: number): RetryEntry {
  const made = { file: retryName(dueMs, id, 0), id, attempt: 0, dueMs };
  writeFileSync(join(folder, made.file), "{}");
  return made;
}

/** So many, the soonest `fromMs` from now, one millisecond apart; loaded in a wild order. */
function load(count: number, fromMs: number): string[] {
  const now = Date.now();
  const all = Array.from({ length: count }, (_, n) =>
    entry(`m${String(n).padStart(4, "0")}`, now + fromMs + n),
  );
  const random = seededRandom(count);
  for (const one of [...all].sort(() => random.next() - 0.5)) schedule.load(one);
  schedule.start();
  return all.map(({ id }) => id);
}

test("thirty pages come in order, each once", async () => {
  const ids = load(300, -2000);
  await waitFor(() => due.length === 300);
  expect(due).toEqual(ids);
  expect(schedule.size).toBe(0);
});

test("what is added while pages are read comes, too, once and at its time", async () => {
  schedule.close();
  schedule = make(undefined, 100);
  // So many that the folder is read in several turns, and what is added is found by some of them.
  const ids = load(1500, -3000);
  for (let n = 0; n < 50; n += 1) schedule.add(entry(`late${n}`, Date.now() - 5000 + n));
  await waitFor(() => due.length >= 1550);
  expect(due.filter((id) => id.startsWith("m"))).toEqual(ids);
  expect(new Set(due).size).toBe(1550);
  expect(problems).toEqual([]);
});

test("only as many come as there is room for, the rest when there is more", async () => {
  limit = 25;
  const ids = load(100, -1000);
  await waitFor(() => due.length === 25);
  schedule.wake();
  await staysTrue(() => due.length === 25, 100, "nothing comes without room");
  limit = Infinity;
  schedule.wake();
  await waitFor(() => due.length === 100);
  expect(due).toEqual(ids);
});

test("one beyond the page is known by its id, and found when it is asked for", async () => {
  load(100, 3_600_000);
  expect([schedule.size, schedule.has("m0099"), schedule.has("other")]).toEqual([100, true, false]);
  expect(schedule.get("m0099")).toBeUndefined();
  await schedule.locate("m0099");
  expect(schedule.get("m0099")).toMatchObject({ id: "m0099", attempt: 0 });
});

test("one that a person took away is forgotten when it is asked for, and when the last page is read", async () => {
  const now = Date.now();
  const all = Array.from({ length: 30 }, (_, n) =>
    entry(`m${n}`, n < 15 ? now - 1000 + n : now + 3_600_000 + n),
  );
  for (const one of all) schedule.load(one);
  for (const one of all.slice(20)) rmSync(join(folder, one.file));
  await schedule.locate("m29");
  expect(schedule.has("m29")).toBe(false);
  schedule.start();
  await waitFor(() => due.length === 15 && schedule.size === 5);
  expect(schedule.has("m20")).toBe(false);
});

test("one that cannot be taken now is taken later, and nothing behind it before", async () => {
  let broken = true;
  schedule.close();
  schedule = make(() => {
    if (broken && due.length === 5) throw new Error("no descriptors");
  });
  const ids = load(8, -1000);
  expect(due).toEqual(ids.slice(0, 5));
  expect(problems).toHaveLength(1);
  broken = false;
  schedule.wake();
  expect(due).toEqual(ids);
});

test("a clock that is set forward is noticed within half a minute", () => {
  vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"] });
  try {
    schedule.load(entry("tonight", Date.now() + 12 * 3_600_000));
    schedule.start();
    vi.setSystemTime(Date.now() + 24 * 3_600_000);
    vi.advanceTimersByTime(30_000);
    expect(due).toEqual(["tonight"]);
  } finally {
    vi.useRealTimers();
  }
});

describe("a set of ids", () => {
  test("knows what was added and not deleted, as a Set does", () => {
    const random = seededRandom(7);
    const [ours, theirs] = [new IdSet(), new Set<string>()];
    for (let n = 0; n < 50_000; n += 1) {
      const id = `id${random.below(5000)}`;
      if (random.chance(0.6)) {
        ours.add(id);
        theirs.add(id);
      } else {
        ours.delete(id);
        theirs.delete(id);
      }
    }
    expect(ours.size).toBe(theirs.size);
    const wrong = Array.from({ length: 5000 }, (_, n) => `id${n}`).filter(
      (id) => ours.has(id) !== theirs.has(id),
    );
    expect(wrong).toEqual([]);
  });

  test("takes no two of a million for one", () => {
    const ours = new IdSet();
    for (let n = 0; n < 1_000_000; n += 1) ours.add(`order-${n}`);
    expect(ours.size).toBe(1_000_000);
  });
});
