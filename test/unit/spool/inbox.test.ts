// Inbound: durable before it resolves, once per key, also after a crash.
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { InboxWriter } from "../../../runtime/spool/inbox.ts";
import { inboxName, type SpoolPaths } from "../../../runtime/spool/names.ts";
import { publishOne } from "../../../runtime/spool/publish.ts";
import { openSpool, prepareConnector } from "../../../runtime/spool/spool.ts";
import { LazyStateDb, StateDb } from "../../../runtime/spool/statedb.ts";

let root: string;
let paths: SpoolPaths;
const keepMs = 86_400_000;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "spoolway-inbox-"));
  await openSpool(root);
  paths = prepareConnector(root, "c");
});
afterEach(() => rmSync(root, { recursive: true }));
const bytes = (text: string): Buffer => Buffer.from(JSON.stringify({ text }));
const inbox = (): string[] => readdirSync(join(root, "inbox")).sort();

test("what was delivered lies in the inbox when deliver resolves, and tmp/ is empty", async () => {
  const db = new LazyStateDb(paths, keepMs);
  const writer = new InboxWriter(paths, db);
  expect(await writer.deliver("a", bytes("1"))).toEqual({ duplicate: false });
  expect(inbox()).toHaveLength(1);
  expect(readFileSync(join(root, "inbox", inbox()[0] ?? ""), "utf8")).toBe('{"text":"1"}');
  expect(readdirSync(join(root, "tmp"))).toEqual([]);
  await db.close();
});

test("the same id is one file: later, at once, and by the next process", async () => {
  let db = new LazyStateDb(paths, keepMs);
  let writer = new InboxWriter(paths, db);
  const at_once = await Promise.all([1, 2, 3].map(() => writer.deliver("a", bytes("1"))));
  expect(at_once.map((one) => one.duplicate)).toEqual([false, true, true]);
  expect(await writer.deliver("a", bytes("1"))).toEqual({ duplicate: true });
  await db.close();
  db = new LazyStateDb(paths, keepMs);
  writer = new InboxWriter(paths, db);
  expect(await writer.deliver("a", bytes("1"))).toEqual({ duplicate: true });
  expect(inbox()).toHaveLength(1);
  await db.close();
});

test("hundreds in flight share commits, and arrival order is name order", async () => {
  const db = new LazyStateDb(paths, keepMs);
  const writer = new InboxWriter(paths, db);
  const ids = Array.from({ length: 700 }, (_, n) => `id${String(n).padStart(4, "0")}`);
  await Promise.all(ids.map((id) => writer.deliver(id, bytes(id))));
  expect(inbox().map((name) => name.slice(24, -5))).toEqual(ids);
  await db.close();
});

test("a process that died between the publish and the seen-set: the next one adopts the id", async () => {
  const first = await StateDb.open(paths, keepMs);
  first.markOpen();
  await publishOne(paths.tmp, paths.inbox, inboxName("lost"), bytes("x"));
  // No close(): the process was killed.
  const db = new LazyStateDb(paths, keepMs);
  expect((await db.get()).hasSeen("lost")).toBe(true);
  expect(await new InboxWriter(paths, db).deliver("lost", bytes("x"))).toEqual({ duplicate: true });
  await db.close();
});

test("a spool that cannot be written rejects, and a redelivery later succeeds", async () => {
  const db = new LazyStateDb(paths, keepMs);
  const writer = new InboxWriter(paths, db);
  rmSync(paths.tmp, { recursive: true });
  writeFileSync(paths.tmp, "in the way");
  await expect(writer.deliver("a", bytes("1"))).rejects.toMatchObject({ code: "spool_write_failed" });
  rmSync(paths.tmp);
  await openSpool(root);
  expect(await writer.deliver("a", bytes("1"))).toEqual({ duplicate: false });
  expect(inbox()).toHaveLength(1);
  await db.close();
});

test("the key-value store keeps JSON and survives the process", async () => {
  let db = await StateDb.open(paths, keepMs);
  db.set("cursor", { page: 3 });
  db.set("gone", 1);
  db.delete("gone");
  db = await StateDb.open(paths, keepMs);
  expect([db.get("cursor"), db.get("gone")]).toEqual([{ page: 3 }, undefined]);
  expect(existsSync(join(paths.state, "state.db"))).toBe(true);
  await db.close();
});
