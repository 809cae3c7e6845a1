// A drop whose place a record takes (attachments, not_before), rewritten by its producer while the record is made: it is not even moved, since a kill between the move
// and the putting back would lose it (tmp/ is swept at a start).
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { claimDrop, scheduleDrop } from "../../../runtime/spool/claim.ts";
import type { ReadMessage } from "../../../runtime/spool/drops.ts";
import { realFileSystem, useFileSystem } from "../../../runtime/spool/fs.ts";
import { Outbox } from "../../../runtime/spool/outbox.ts";
import { openSpool, prepareConnector } from "../../../runtime/spool/spool.ts";

let outbox: Outbox;

beforeEach(async () => {
  const root = mkdtempSync(join(tmpdir(), "spoolway-claim-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  await openSpool(root);
  outbox = new Outbox("c", prepareConnector(root, "c"), { maxMessageBytes: 1e6, maxAttachmentBytes: 1e6 });
});

const file = "x.json";
const attachment = "a.txt";
const attached = { id: "m", conversation_id: "c", text: "old", attachments: [{ path: attachment }] };
const scheduled = { id: "m", conversation_id: "c", text: "old", not_before: "2190-01-01T00:00:00Z" };

/** Drops `message`, with its attachment beside it. */
function drop(message: object): ReadMessage {
  writeFileSync(join(outbox.paths.outbox, attachment), "bytes");
  writeFileSync(join(outbox.paths.outbox, file), JSON.stringify(message));
  const read = outbox.read(file);
  if (read.kind !== "message") throw new Error(`the drop is ${read.kind}`);
  return read;
}

/** The producer writes the drop anew when a record gets its name in `folder`. Returns the names in outbox/ that are renamed from now on. */
function rewriteWhenNamedIn(folder: string, text: string): string[] {
  const { outbox: drops } = outbox.paths;
  const moved: string[] = [];
  const linkSync: typeof realFileSystem.linkSync = (from, to) => {
    realFileSystem.linkSync(from, to);
    if (String(to).startsWith(`${folder}/`)) writeFileSync(join(drops, file), text);
  };
  const renameSync: typeof realFileSystem.renameSync = (from, to) => {
    if (String(from).startsWith(`${drops}/`)) moved.push(String(from));
    realFileSystem.renameSync(from, to);
  };
  onTestFinished(useFileSystem({ ...realFileSystem, linkSync, renameSync }));
  return moved;
}

function expectUntouched(folder: string, text: string, moved: string[]): void {
  expect(moved, "renamed").toEqual([]);
  expect(readFileSync(join(outbox.paths.outbox, file), "utf8")).toBe(text);
  expect(readdirSync(outbox.paths.outbox).sort()).toEqual([attachment, file]);
  expect(readdirSync(folder), "the record").toEqual([]);
  expect(readdirSync(outbox.paths.tmp)).toEqual([]);
}

test("with attachments: it is looked at anew, and its record is gone", async () => {
  const read = drop(attached);
  const text = JSON.stringify({ ...attached, text: "new" });
  const moved = rewriteWhenNamedIn(outbox.paths.sending, text);
  expect(await claimDrop(outbox, file, read)).toEqual({ kind: "changed" });
  expectUntouched(outbox.paths.sending, text, moved);
});

test("scheduled: it is looked at anew, and its record is gone", async () => {
  const read = drop(scheduled);
  const text = JSON.stringify({ ...scheduled, text: "new" });
  const moved = rewriteWhenNamedIn(outbox.paths.retry, text);
  expect(await scheduleDrop(outbox, file, read, Date.UTC(2190, 0))).toBeUndefined();
  expectUntouched(outbox.paths.retry, text, moved);
});
