// Messages of several requests: what is cut in the middle is not done twice, limits in the middle are waited for, and pages are read to their end.
import { expect, test } from "vitest";
import { rateLimited, reconnect, reject, SpoolwayError } from "../../../runtime/sdk.ts";
import { allPages, patiently } from "../../../runtime/sdk/http/pages.ts";
import { findSteps, type Steps, takeSteps } from "../../../runtime/sdk/steps.ts";

const fresh = { mayHaveBeenSent: false, signal: AbortSignal.timeout(10_000) };
const again = { ...fresh, mayHaveBeenSent: true };
const file = { path: "a.bin", size: 1 };

/** Three texts and files; `failures` are thrown one after the other, undefined is a success. */
function make(failures: unknown[] = [], there: Array<[number, string]> = []) {
  const asked: string[] = [];
  const take = async (what: string): Promise<string> => {
    asked.push(what);
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
    return `id-${what}`;
  };
  const steps: Steps<string> = {
    texts: ["a", "b"],
    files: [file],
    post: (text, part) => take(`${text}${part}`),
    share: (files) => take(`files${files.length}`),
    find: async () => new Map(there),
  };
  return { steps, asked };
}

test("texts in order, then the files; nothing is looked for at the first try", async () => {
  const { steps, asked } = make([], [[0, "never"]]);
  const platform_ids = ["id-a0", "id-b1", "id-files1"];
  expect(await takeSteps(steps, fresh)).toEqual({ platform_id: "id-a0", platform_ids });
  expect(asked).toEqual(["a0", "b1", "files1"]);
});

test("only what is missing is done again", async () => {
  const { steps, asked } = make([], [[0, "was-a"]]);
  expect((await takeSteps(steps, again)).platform_ids).toEqual(["was-a", "id-b1", "id-files1"]);
  expect(asked).toEqual(["b1", "files1"]);
});

test("before anything is done an error is the message's own, afterwards the rest is uncertain", async () => {
  for (const error of [rateLimited("wait", 10), reconnect("gone"), reject("no")])
    await expect(takeSteps(make([error]).steps, fresh)).rejects.toBe(error);
  await expect(takeSteps(make([undefined, reconnect("gone")]).steps, fresh)).rejects.toMatchObject({
    fate: "uncertain",
  });
  await expect(takeSteps(make([undefined, reject("no")]).steps, fresh)).rejects.toMatchObject({
    fate: "reject",
  });
});

test("asked to wait in the middle, it waits and goes on", async () => {
  const { steps, asked } = make([undefined, rateLimited("wait", 20), rateLimited("wait", 20)]);
  await takeSteps(steps, fresh);
  expect(asked).toEqual(["a0", "b1", "b1", "b1", "files1"]);
});

test("a message with nothing in it is refused", async () => {
  const empty = { ...make().steps, texts: [], files: [] };
  await expect(takeSteps(empty, fresh)).rejects.toMatchObject({ code: "invalid_message" });
});

test("after a crash: all of it, nothing, or the rest is for the next try", async () => {
  expect(await findSteps(make().steps)).toBe("not_sent");
  expect(await findSteps(make([], [[0, "x"]]).steps)).toBeUndefined();
  const all: Array<[number, string]> = [
    [0, "x"],
    [1, "y"],
    [2, "z"],
  ];
  expect(await findSteps(make([], all).steps)).toEqual({ platform_id: "x", platform_ids: ["x", "y", "z"] });
});

test("pages are read to the last; one that comes again is an error instead of a loop", async () => {
  const pages = new Map([
    ["", { items: [1, 2], next: "b" }],
    ["b", { items: [3], next: "" }],
  ]);
  expect(await allPages(async (cursor = "") => pages.get(cursor) ?? { items: [] })).toEqual([1, 2, 3]);
  await expect(allPages(async () => ({ items: [1], next: "same" }))).rejects.toThrow("twice");
});

test("patience ends with the signal, and is for limits only", async () => {
  const signal = AbortSignal.abort();
  await expect(patiently(() => Promise.reject(rateLimited("wait", 5)), signal)).rejects.toBeInstanceOf(
    SpoolwayError,
  );
  await expect(patiently(() => Promise.reject(new Error("other")), fresh.signal)).rejects.toThrow("other");
});
