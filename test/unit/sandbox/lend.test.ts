// The attachments of a message are visible in a sandbox while it is being sent, and no longer; nothing is copied.
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Lender, prepareSandbox } from "../../../runtime/spool/lend.ts";
import { openSpool, prepareConnector } from "../../../runtime/spool/spool.ts";

const [a, b, gone] = ["a", "b", "c"].map((digit) => digit.repeat(64)) as [string, string, string];

async function open() {
  const root = mkdtempSync(join(tmpdir(), "spoolway-lend-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  await openSpool(root);
  const paths = prepareConnector(root, "one");
  for (const name of [a, b]) writeFileSync(join(paths.media, name), name);
  const folders = await prepareSandbox(paths);
  const lent = () => readdirSync(folders.media).sort();
  return { paths, folders, lent, lender: new Lender(paths, folders) };
}

const of = (...names: string[]) => names.map((name) => ({ path: `media/${name}` }));

test("one that two messages have stays until the second is settled", async () => {
  const { lender, lent, paths, folders } = await open();
  const first = lender.lend(of(a, b));
  const second = lender.lend(of(a));
  expect(lent()).toEqual([a, b]);
  expect(statSync(join(folders.media, a)).ino).toBe(statSync(join(paths.media, a)).ino);
  first();
  expect(lent()).toEqual([a]);
  second();
  expect(lent()).toEqual([]);
  expect(readdirSync(paths.media).sort()).toEqual([a, b]);
});

test("what is gone, or lies elsewhere, is not lent", async () => {
  const { lender, lent } = await open();
  lender.lend([...of(gone), { path: "../../state/other/state.db" }, { path: `media/../${a}` }])();
  lender.lend()();
  expect(lent()).toEqual([]);
});

test("a start takes back what a killed process had lent", async () => {
  const { lender, lent, paths } = await open();
  lender.lend(of(a));
  await prepareSandbox(paths);
  expect(lent()).toEqual([]);
});
