// The edges of the disk layer that only show when something goes wrong.
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createFile, linkExclusive, moveExclusive, syncFolder } from "../../../runtime/spool/disk.ts";
import { publishOne } from "../../../runtime/spool/publish.ts";
import { openSpool } from "../../../runtime/spool/spool.ts";
import { writeVolatile } from "../../../runtime/spool/volatile.ts";

let root: string;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "spoolway-disk-"));
  await openSpool(root);
});
afterEach(() => rmSync(root, { recursive: true }));

test("publishing never replaces a file, and says that it was there", async () => {
  const [tmp, inbox] = [join(root, "tmp"), join(root, "inbox")];
  expect(await publishOne(tmp, inbox, "a.json", Buffer.from("1"))).toBe(true);
  expect(await publishOne(tmp, inbox, "a.json", Buffer.from("2"))).toBe(false);
  expect(readFileSync(join(inbox, "a.json"), "utf8")).toBe("1");
  expect(readdirSync(tmp)).toEqual([]);
});

test("a new file takes no name that is taken, and is made behind no link", () => {
  const [taken, link, target] = ["taken", "link", "target"].map((name) => join(root, "tmp", name));
  writeFileSync(taken as string, "theirs");
  symlinkSync(target as string, link as string);
  expect(() => createFile(taken as string)).toThrow("EEXIST");
  expect(() => createFile(link as string)).toThrow(/EEXIST|ELOOP/);
  expect(readFileSync(taken as string, "utf8")).toBe("theirs");
  expect(existsSync(target as string)).toBe(false);
});

test("a heartbeat that cannot be written leaves nothing in tmp/", () => {
  const path = join(root, "heartbeat/x.json");
  mkdirSync(join(path, "in the way"), { recursive: true });
  expect(() => writeVolatile(path, "{}")).toThrow();
  expect(readdirSync(join(root, "tmp"))).toEqual([]);
});

test("a name that was given up goes back only where nobody took it meanwhile", () => {
  const [from, to] = [join(root, "tmp/from"), join(root, "tmp/to")];
  writeFileSync(from, "mine");
  writeFileSync(to, "theirs");
  expect(moveExclusive(from, to)).toBe(false);
  expect(linkExclusive(from, to)).toBe(false);
  rmSync(to);
  expect(moveExclusive(from, to)).toBe(true);
  expect([existsSync(from), readFileSync(to, "utf8")]).toEqual([false, "mine"]);
});

test("many who want a folder synced share the syncs, and a missing folder is an error for each", async () => {
  await Promise.all(Array.from({ length: 200 }, () => syncFolder(join(root, "inbox"))));
  const failed = await Promise.allSettled([1, 2, 3].map(() => syncFolder(join(root, "nothing"))));
  expect(failed.map((one) => one.status)).toEqual(["rejected", "rejected", "rejected"]);
  await syncFolder(join(root, "inbox"));
});

test.runIf(process.getuid?.() === 0)("what root writes into somebody's spool belongs to them", async () => {
  const nobody = 65534;
  const [tmp, outbox] = [join(root, "theirs/tmp"), join(root, "theirs/outbox")];
  for (const folder of [tmp, outbox]) {
    mkdirSync(folder, { recursive: true });
    chownSync(folder, nobody, nobody);
  }
  await publishOne(tmp, outbox, "a.json", Buffer.from("1"));
  expect(statSync(join(outbox, "a.json")).uid).toBe(nobody);
});
