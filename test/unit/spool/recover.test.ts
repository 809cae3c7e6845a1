// Every row of the state table that a crash can leave (schema/README.md), made by hand, and what start-up makes of it.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Outbox } from "../../../runtime/spool/outbox.ts";
import { type Accepted, deadLetterOf, receiptOf, retryRecordOf } from "../../../runtime/spool/records.ts";
import { recover } from "../../../runtime/spool/recover.ts";
import { openSpool, prepareConnector } from "../../../runtime/spool/spool.ts";

let root: string;
let outbox: Outbox;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "spoolway-recover-"));
  await openSpool(root);
  outbox = new Outbox("c", prepareConnector(root, "c"), { maxMessageBytes: 1e6, maxAttachmentBytes: 1e6 });
});
afterEach(() => rmSync(root, { recursive: true }));

const entry = (attempts: number): Accepted => ({
  id: "m",
  attempts,
  budgetUsed: 0,
  message: { conversation_id: "x", text: "hi" },
  history: [],
  drop: undefined,
  acceptedAt: "2026-01-01T00:00:00Z",
  contentSha256: "h",
});
type Folder = "outbox" | "sending" | "retry" | "sent" | "failed";
const put = (folder: Folder, file: string, value: unknown): void =>
  writeFileSync(join(root, folder, "c", file), JSON.stringify(value));
const list = (folder: Folder): string[] => readdirSync(join(root, folder, "c"));
const drop = { conversation_id: "x", text: "hi" };
const retryFile = (n: number): string => `20260101T000000.000000Z-m~${n}.json`;
const why = { code: "rejected", message: "no" };

test("row 2: a claim alone is uncertain, its name tells the attempt, earlier crashes used up budget", async () => {
  put("sending", "m~3.json", drop);
  const { uncertain } = await recover(outbox);
  expect(uncertain).toMatchObject([{ id: "m", attempts: 3, budgetUsed: 2, message: { text: "hi" } }]);
  expect(list("sending")).toEqual(["m~3.json"]);
});

test("row 3: a retry entry is taken up, with its due time and attempt", async () => {
  put("retry", retryFile(2), retryRecordOf("c", entry(2), 0));
  expect((await recover(outbox)).retries).toMatchObject([
    { id: "m", attempt: 2, dueMs: Date.UTC(2026, 0, 1) },
  ]);
});

test("row 4: retry entry and claim: the claim goes", async () => {
  put("retry", retryFile(1), retryRecordOf("c", entry(1), 0));
  put("sending", "m~1.json", drop);
  const { uncertain, retries } = await recover(outbox);
  expect([uncertain.length, retries.length]).toEqual([0, 1]);
  expect(list("sending")).toEqual([]);
});

test("row 12: a retry entry that came back beside a younger claim: the retry entry goes", async () => {
  put("retry", retryFile(1), retryRecordOf("c", entry(1), 0));
  put("sending", "m~2.json", retryRecordOf("c", entry(1), 0));
  const { uncertain, retries } = await recover(outbox);
  expect([uncertain.map((one) => one.attempts), retries]).toEqual([[2], []]);
  expect([list("sending"), list("retry")]).toEqual([["m~2.json"], []]);
});

test("row 7: receipt and claim: the claim goes", async () => {
  put("sent", "m.json", receiptOf("c", entry(1), {}));
  put("sending", "m~1.json", drop);
  expect((await recover(outbox)).uncertain).toEqual([]);
  expect([list("sending"), list("sent")]).toEqual([[], ["m.json"]]);
});

test("row 8: dead letter and the claim that it is about: the claim goes", async () => {
  put("failed", "m.json", deadLetterOf("c", entry(2), why));
  put("sending", "m~2.json", drop);
  expect((await recover(outbox)).uncertain).toEqual([]);
  expect([list("sending"), list("failed")]).toEqual([[], ["m.json"]]);
});

test("row 9: a dead letter of an earlier attempt was redriven by copy: the dead letter stays until the next outcome", async () => {
  const letter = deadLetterOf("c", entry(2), why);
  put("failed", "m.json", letter);
  put("sending", "m~3.json", letter);
  expect((await recover(outbox)).uncertain).toMatchObject([{ id: "m", attempts: 3, budgetUsed: 0 }]);
  expect([list("sending"), list("failed")]).toEqual([["m~3.json"], ["m.json"]]);
});

test("row 11: dead letter and retry entry: the retry entry goes", async () => {
  put("failed", "m.json", deadLetterOf("c", entry(2), why));
  put("retry", retryFile(2), retryRecordOf("c", entry(2), 0));
  expect((await recover(outbox)).retries).toEqual([]);
  expect(list("retry")).toEqual([]);
});

test("R6: an entry without its dead letter gets one", async () => {
  writeFileSync(join(root, "failed/c/abc.entry"), "garbage");
  await recover(outbox);
  expect(list("failed").sort()).toEqual(["abc.entry", "abc.json"]);
});

test("a claim that somebody damaged becomes a dead letter with its bytes; strangers' files are left alone", async () => {
  writeFileSync(join(root, "sending/c/m~1.json"), "{broken");
  writeFileSync(join(root, "sending/c/notes.txt"), "mine");
  writeFileSync(join(root, "retry/c/notes.txt"), "mine");
  const { broken, uncertain } = await recover(outbox);
  expect([broken, uncertain]).toEqual([["m~1.json"], []]);
  expect(list("failed").sort()).toEqual(["m.entry", "m.json"]);
  expect([list("sending"), list("retry")]).toEqual([["notes.txt"], ["notes.txt"]]);
});
