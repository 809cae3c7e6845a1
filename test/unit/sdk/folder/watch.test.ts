// What a connector of its own can build on a watched folder: each file once it is complete, and nothing that hangs, leads away or is half.
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SpoolwayError } from "../../../../runtime/errors.ts";
import { draftWithFiles } from "../../../../runtime/sdk/program/draft-files.ts";
import { FolderWatch, type FolderWatchOptions } from "../../../../runtime/sdk/folder/watch.ts";
import { mediaType } from "../../../../runtime/sdk/media-type.ts";
import {
  openUnchanged,
  readUnchanged,
  signatureOf,
  statOf,
  streamOf,
} from "../../../../runtime/sdk/folder/regular-file.ts";
import { setAside, takeAway } from "../../../../runtime/sdk/folder/set-aside.ts";
import { isInside } from "../../../../runtime/sdk/folder/user-folder.ts";
import { TestContext } from "../../../helpers/context.ts";
import { waitFor } from "../../../helpers/wait.ts";

let root: string;
let ctx: TestContext<object>;
let running: Promise<void> | undefined;
const at = (name: string): string => join(root, name);

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "spoolway-sdk-"));
  ctx = new TestContext("sdk", root, {});
  running = undefined;
});

afterEach(async () => {
  ctx.abort();
  await running?.catch(() => undefined);
  rmSync(root, { recursive: true, force: true });
});

function start(options: Partial<FolderWatchOptions>): Promise<void> {
  running = new FolderWatch(root, ctx, {
    recursive: false,
    pattern: undefined,
    settleMs: 100,
    changeTime: true,
    early: () => false,
    take: async () => "stays",
    forget: async () => undefined,
    ...options,
  }).run();
  running.catch(() => undefined);
  return running;
}

describe("a watched folder", () => {
  it("shows a file that stays once, again when it changes, and says when it is gone", async () => {
    const shown: string[] = [];
    const forgotten: string[] = [];
    void start({
      take: async ({ name }) => (shown.push(name), "stays"),
      forget: async (name) => void forgotten.push(name),
    });
    writeFileSync(at("a"), "1");
    await waitFor(() => shown.length === 1);
    await delay(300);
    expect(shown).toEqual(["a"]);
    appendFileSync(at("a"), "2");
    await waitFor(() => shown.length === 2);
    rmSync(at("a"));
    await waitFor(() => forgotten.length === 1);
  });

  it("shows a file early where that is wanted, and again only when it has settled", async () => {
    const shown: boolean[] = [];
    void start({
      settleMs: 400,
      early: () => true,
      take: async (_entry, settled) => (shown.push(settled), settled ? "stays" : "later"),
    });
    writeFileSync(at("a"), "1");
    await waitFor(() => shown.length === 2);
    expect(shown).toEqual([false, true]);
  });

  it("lets what takes time run together, in order, and ends with its first failure", async () => {
    for (const name of ["a", "b", "c"]) writeFileSync(at(name), name);
    const begun: string[] = [];
    const take =
      async ({ name }: { name: string }) =>
      async () => {
        begun.push(name);
        await delay(50);
        if (name === "b") throw new SpoolwayError("spool_write_failed", "full");
        return "gone" as const;
      };
    await expect(start({ early: () => true, take })).rejects.toThrow("full");
    expect(begun.sort()).toEqual(["a", "b", "c"]);
  });

  it("that is gone is a lost connection", async () => {
    const ended = start({});
    await delay(50);
    rmSync(root, { recursive: true });
    await expect(ended).rejects.toMatchObject({ fate: "reconnect" });
  });
});

describe("files of other people", () => {
  it("are opened only while they are what was seen, and never when they are links or pipes", async () => {
    writeFileSync(at("a"), "1");
    const signature = signatureOf((await statOf(at("a")))!, true);
    await (await openUnchanged(at("a"), signature))!.close();
    rmSync(at("a"));
    execFileSync("mkfifo", [at("a")]);
    expect(await openUnchanged(at("a"), signature)).toBeUndefined();
    symlinkSync(at("b"), at("link"));
    for (const name of ["a", "link", "missing"])
      await expect(text(streamOf(at(name)))).rejects.toMatchObject({ code: "attachment_missing" });
  });

  it("that are written to while they are read are not taken for whole", async () => {
    writeFileSync(at("a"), "1");
    const signature = signatureOf((await statOf(at("a")))!, false);
    const file = (await openUnchanged(at("a"), signature))!;
    const reading = readUnchanged(file, signature, ctx.signal);
    expect(String((await reading.next()).value)).toBe("1");
    appendFileSync(at("a"), "2");
    await expect(text(reading)).rejects.toMatchObject({ code: "file_changed" });
    await file.close();
  });

  it("are moved aside without taking the place of others, unless they were changed", async () => {
    for (const content of ["one", "two"]) {
      writeFileSync(at("a"), content);
      await takeAway(root, "a", signatureOf((await statOf(at("a")))!, true), "move");
    }
    expect(readFileSync(at(".done/a"), "utf8")).toBe("one");
    writeFileSync(at("a"), "three");
    expect(await takeAway(root, "a", "another", "delete")).toBe(false);
    await setAside(root, "a", new SpoolwayError("too_large", "three is too much"));
    expect([existsSync(at("a")), readFileSync(at(".failed/a"), "utf8")]).toEqual([false, "three"]);
    expect(JSON.parse(readFileSync(at(".failed/a.error.json"), "utf8"))).toMatchObject({ code: "too_large" });
  });

  it("can be attachments of an event in its short form, with a fresh stream for each try", async () => {
    writeFileSync(at("a.txt"), "hello");
    const draft = draftWithFiles({ text: "x", content: { attachments: [{ path: "a.txt" }] } }, root);
    if (typeof draft !== "function") throw new Error("expected a function");
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      const [attachment] = draft().content!.attachments!;
      expect(attachment?.name).toBe("a.txt");
      expect(await text(attachment!.data as AsyncIterable<Uint8Array>)).toBe("hello");
    }
  });
});

it("a path is inside a folder or not, whatever its name begins with", () => {
  expect(["/a", "/a/b", "/a/..b"].map((path) => isInside(path, "/a"))).toEqual([true, true, true]);
  expect(["/", "/ab", "/b"].map((path) => isInside(path, "/a"))).toEqual([false, false, false]);
});

it("a media type follows from a common extension, in any case, or is left open", () => {
  expect(["a.PDF", "b.jpeg", "c", "d.xyz"].map(mediaType)).toEqual([
    "application/pdf",
    "image/jpeg",
    undefined,
    undefined,
  ]);
});
