// Reading the inbox page by page: in order, each name once, whatever the size of a page.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { nextPage, pageBefore } from "../../../runtime/commands/tail/inbox.ts";
import { formatTime } from "../../../runtime/spool/names.ts";

const names = Array.from(
  { length: 1000 },
  (_, n) => `${formatTime(BigInt(1_700_000_000_000_000 + n * 37))}-e${n}.json`,
);

function inbox(): string {
  const folder = mkdtempSync(join(tmpdir(), "spoolway-inbox-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const shuffled = names.map((name, n) => [(n * 7919) % 1000, name] as const).sort((a, b) => a[0] - b[0]);
  for (const [, name] of shuffled) writeFileSync(join(folder, name), "{}");
  for (const other of [".hidden.json", "notes.txt", "20261120-x.json"])
    writeFileSync(join(folder, other), "");
  return folder;
}

test.each([1, 90, 999, 1000, 5000])("forwards in pages of %i", async (size) => {
  const folder = inbox();
  const read: string[] = [];
  // Pages of one cost a pass each: a part of the way is enough.
  for (let after = size === 1 ? (names.at(-5) ?? "") : ""; ;) {
    const page = await nextPage(folder, after, size);
    expect(page.names.length).toBeLessThanOrEqual(size);
    read.push(...page.names);
    if (!page.more) break;
    after = page.names.at(-1) ?? after;
  }
  expect(read).toEqual(size === 1 ? names.slice(-4) : names);
});

test("backwards, the youngest first", async () => {
  const folder = inbox();
  const first = await pageBefore(folder, undefined, 10);
  expect(first).toEqual({ names: names.slice(-10).reverse(), more: true });
  const second = await pageBefore(folder, first.names.at(-1), 1000);
  expect(second).toEqual({ names: names.slice(0, -10).reverse(), more: false });
});

test("no inbox is an empty one", async () => {
  expect(await nextPage("/nonexistent/inbox", "")).toEqual({ names: [], more: false });
});
