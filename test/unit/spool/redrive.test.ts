// T8: dead letters go back to the outbox or away, and nothing else is touched. On real files.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { isRequested, request, withdraw } from "../../../runtime/spool/control.ts";
import { drop } from "../../../runtime/spool/drop.ts";
import { readDrop } from "../../../runtime/spool/drops.ts";
import { realFileSystem, useFileSystem } from "../../../runtime/spool/fs.ts";
import { prepareConnector } from "../../../runtime/spool/spool.ts";
import { purge, redrive } from "../../../runtime/spool/redrive.ts";
import type { SpoolPaths } from "../../../runtime/spool/names.ts";

let root: string;
let paths: SpoolPaths;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "spoolway-redrive-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  paths = prepareConnector(root, "one");
  mkdirSync(join(root, "tmp"));
});

function fail(id: string): { id: string; hasMessage: boolean; drop: string | undefined } {
  const message = { id, conversation_id: "c", text: id };
  const failed_at = new Date().toISOString();
  const letter = { record: "dead_letter", version: 1, id, connector: "one", attempts: 3, failed_at };
  writeFileSync(
    join(paths.failed, `${id}.json`),
    JSON.stringify({ ...letter, code: "rejected", error: "no", message }),
  );
  return { id, hasMessage: true, drop: `${id}.json` };
}

function refuse(id: string, file: string): { id: string; hasMessage: boolean; drop: string | undefined } {
  writeFileSync(join(paths.failed, `${id}.json`), "{}");
  writeFileSync(join(paths.failed, `${id}.entry`), "not json");
  return { id, hasMessage: false, drop: file };
}

describe("redrive", () => {
  test("moves a message back, where it is read with its id and its attempts", async () => {
    expect(await redrive(root, "one", [fail("a"), fail("b")])).toEqual(["redriven", "redriven"]);
    expect(readdirSync(paths.failed)).toEqual([]);
    const [first = ""] = readdirSync(paths.outbox).sort();
    expect(readDrop("one", paths.outbox, first, 1000)).toMatchObject({
      kind: "message",
      redriven: true,
      entry: { id: "a", attempts: 3, budgetUsed: 0 },
    });
  });

  test("never replaces a drop that has the name the letter was dropped under", async () => {
    writeFileSync(join(paths.outbox, "a.json"), "mine");
    writeFileSync(join(paths.outbox, "x.json"), "mine too");
    await redrive(root, "one", [fail("a"), refuse("b", "x.json")]);
    expect(readdirSync(paths.outbox)).toHaveLength(4);
    expect(readFileSync(join(paths.outbox, "a.json"), "utf8")).toBe("mine");
    expect(readFileSync(join(paths.outbox, "x.json"), "utf8")).toBe("mine too");
  });

  test("drops what was refused again as it was, without its letter; its name does not grow", async () => {
    expect(await redrive(root, "one", [refuse("r", "x.json")])).toEqual(["redriven"]);
    expect(readdirSync(paths.failed)).toEqual([]);
    const [once = ""] = readdirSync(paths.outbox);
    expect(once).toMatch(/^\d{8}T\d{6}\.\d{6}Z-x\.json$/);
    rmSync(join(paths.outbox, once));
    await redrive(root, "one", [refuse("r", once)]);
    expect(readdirSync(paths.outbox)[0]).toMatch(/^\d{8}T\d{6}\.\d{6}Z-x\.json$/);
  });

  test("drops what was refused only when its letter is gone: the pump would take it for a repeated one", async () => {
    const letters: boolean[] = [];
    const renameSync: typeof realFileSystem.renameSync = (from, to) => {
      letters.push(existsSync(join(paths.failed, "r.json")));
      realFileSystem.renameSync(from, to);
    };
    onTestFinished(useFileSystem({ ...realFileSystem, renameSync }));
    expect(await redrive(root, "one", [refuse("r", "x.json")])).toEqual(["redriven"]);
    expect(letters).toEqual([false]);
  });

  test("says what is gone and what is empty", async () => {
    const empty = refuse("e", "x.json");
    rmSync(join(paths.failed, "e.entry"));
    expect(await redrive(root, "one", [{ id: "g", hasMessage: true, drop: undefined }, empty])).toEqual([
      "gone",
      "empty",
    ]);
    expect(existsSync(join(paths.failed, "e.json"))).toBe(true);
  });
});

describe("purge", () => {
  test("removes the letter and what was refused", async () => {
    fail("a");
    refuse("r", "x.json");
    expect(await purge(root, "one", ["a", "r", "nope"])).toEqual(["purged", "purged", "gone"]);
    expect(readdirSync(paths.failed)).toEqual([]);
  });

  test("leaves a folder that was dropped alone, unless it is empty", async () => {
    for (const id of ["full", "bare"]) {
      writeFileSync(join(paths.failed, `${id}.json`), "{}");
      mkdirSync(join(paths.failed, `${id}.entry`));
    }
    writeFileSync(join(paths.failed, "full.entry/mine"), "");
    expect(await purge(root, "one", ["full", "bare"])).toEqual(["kept", "purged"]);
    expect(readdirSync(paths.failed).sort()).toEqual(["full.entry", "full.json"]);
  });
});

describe("drop", () => {
  test("leaves one complete file with a name of its own, and nothing in tmp/", async () => {
    const message = { id: "same", conversation_id: "c", text: "hi" };
    const [a, b] = [await drop(root, "one", message), await drop(root, "one", message)];
    expect(a.file).not.toBe(b.file);
    expect(readdirSync(join(root, "tmp"))).toEqual([]);
    const read = readDrop("one", paths.outbox, a.file, 1000);
    expect(read).toMatchObject({ kind: "message", entry: { id: "same", contentSha256: a.contentSha256 } });
  });

  test("refuses what the schema does not allow, and ids that cannot be file names", async () => {
    const base = { conversation_id: "c", text: "hi" };
    for (const id of ["../x", "", "a/b", ".a", "a".repeat(121)]) {
      await expect(drop(root, "one", { ...base, id })).rejects.toMatchObject({ code: "invalid_message" });
    }
    const wrong = { ...base, id: "a", format: "rtf" as "plain" };
    await expect(drop(root, "one", wrong)).rejects.toThrow("format: must be one of plain, markdown, html");
    expect(readdirSync(paths.outbox)).toEqual([]);
  });
});

test("a request is a file in control/ with its reason, and can be taken back", async () => {
  await request(root, "one", "pause", "a reason");
  expect(readFileSync(join(root, "control/one.pause"), "utf8")).toBe("a reason\n");
  await request(root, "one", "pause");
  expect(isRequested(root, "one", "pause")).toBe(true);
  expect(await withdraw(root, "one", "pause")).toBe(true);
  expect(await withdraw(root, "one", "pause")).toBe(false);
});
