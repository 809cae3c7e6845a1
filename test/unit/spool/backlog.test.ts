// What waits in a folder, oldest first, in bounded memory.
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Backlog } from "../../../runtime/spool/backlog.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spoolway-backlog-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(file: string, second: number): void {
  writeFileSync(join(folder, file), "{}");
  utimesSync(join(folder, file), second, second);
}
function takeAll(backlog: Backlog): string[] {
  const files: string[] = [];
  for (let entry = backlog.next(); entry !== undefined; entry = backlog.next()) {
    files.push(entry.file);
    backlog.take();
  }
  return files;
}
const nobody = (): boolean => false;

test("mtime, then name; what is no drop is counted and not given", async () => {
  put("b.json", 5);
  put("a.json", 5);
  put("z.json", 1);
  put("report.pdf", 1);
  const backlog = new Backlog(folder);
  await backlog.scan(nobody);
  expect([backlog.depth, backlog.unclaimed]).toEqual([3, 1]);
  expect(takeAll(backlog)).toEqual(["z.json", "a.json", "b.json"]);
  expect(backlog.depth).toBe(0);
});

test("a page holds the oldest; the rest comes with the next scans, nothing twice, in order", async () => {
  for (let n = 0; n < 95; n += 1) put(`${String(n).padStart(3, "0")}.json`, 1000 - n);
  const backlog = new Backlog(folder, 10);
  const all: string[] = [];
  for (let round = 0; round < 20; round += 1) {
    await backlog.scan((file) => all.includes(file));
    expect(backlog.depth).toBe(95 - all.length);
    all.push(...takeAll(backlog));
    if (!backlog.overflow) break;
  }
  expect(all).toEqual(Array.from({ length: 95 }, (_, n) => `${String(94 - n).padStart(3, "0")}.json`));
});

test("skipped entries are given again after a rewind, before younger ones", async () => {
  for (let n = 0; n < 6; n += 1) put(`${n}.json`, n + 1);
  const backlog = new Backlog(folder);
  await backlog.scan(nobody);
  backlog.next();
  backlog.next();
  backlog.take(); // 1 is taken, 0 was skipped
  backlog.rewind();
  expect(takeAll(backlog)).toEqual(["0.json", "2.json", "3.json", "4.json", "5.json"]);
});

test("a hint finds its place, is not doubled, and may come behind what was looked at", async () => {
  put("5.json", 5);
  put("9.json", 9);
  const backlog = new Backlog(folder);
  await backlog.scan(nobody);
  backlog.next(); // looked at 5, skipped
  put("1.json", 1);
  put("7.json", 7);
  for (const file of ["1.json", "7.json", "7.json", "9.json", "gone.json", ".hidden.json"])
    backlog.note(file);
  backlog.rewind();
  expect(takeAll(backlog)).toEqual(["1.json", "5.json", "7.json", "9.json"]);
});

test("with everything skipped the page grows by the next one", async () => {
  for (let n = 0; n < 25; n += 1) put(`${String(n).padStart(2, "0")}.json`, n + 1);
  const backlog = new Backlog(folder, 10);
  await backlog.scan(nobody);
  const seen: string[] = [];
  const look = (): void => {
    for (let entry = backlog.next(); entry !== undefined; entry = backlog.next()) seen.push(entry.file);
  };
  look();
  while (await backlog.extend(nobody)) look();
  expect(seen).toEqual(Array.from({ length: 25 }, (_, n) => `${String(n).padStart(2, "0")}.json`));
});
