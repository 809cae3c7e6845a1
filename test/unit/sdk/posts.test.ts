// A message as posts, short keys for them, and error numbers by a table.
import { expect, test } from "vitest";
import { reconnect, reject, SpoolwayError } from "../../../runtime/sdk.ts";
import { explained, unlessRefused } from "../../../runtime/sdk/http/explained.ts";
import { postsOf, sendPosts } from "../../../runtime/sdk/posts.ts";
import { Recent } from "../../../runtime/sdk/recent.ts";
import { shortId } from "../../../runtime/sdk/short-id.ts";
import { outgoing, TestContext } from "../../helpers/context.ts";

const limits = { maxText: 10, maxFiles: 2 };
const files = (count: number) => Array.from({ length: count }, (_, n) => ({ path: `f${n}` }));

test("files go with the last of the text, and what does not fit after it", () => {
  const posts = postsOf(outgoing("one two three", { subject: "Look", attachments: files(5) }), limits);
  expect(posts.map(({ text, files: some }) => [text, some.map(({ path }) => path)])).toEqual([
    ["Look", []],
    ["one two", []],
    ["three", ["f0", "f1"]],
    ["", ["f2", "f3"]],
    ["", ["f4"]],
  ]);
  expect(postsOf(outgoing("", { attachments: files(1) }), limits)).toEqual([{ text: "", files: files(1) }]);
});

test("nothing to be seen is refused", () => {
  expect(() => postsOf(outgoing(" \n "), limits)).toThrow(
    expect.objectContaining({ code: "invalid_message" }),
  );
});

test("a try that fails in the middle goes on where it was", async () => {
  const { state } = new TestContext("posts", "/", {});
  const message = outgoing("one two three four");
  const sent: string[] = [];
  const send = async ({ text }: { text: string }, n: number): Promise<string> => {
    if (n === 1 && sent.length === 1) throw reconnect("lost");
    sent.push(text);
    return `id ${n}`;
  };
  const open = () => Recent.open<string[]>(state, "posts");
  await expect(sendPosts(await open(), message, limits, send)).rejects.toThrow("lost");
  sent.push("(again)");
  const result = await sendPosts(await open(), message, limits, send);
  expect(sent).toEqual(["one two", "(again)", "three four"]);
  expect(result).toEqual({ platform_id: "id 0", platform_ids: ["id 0", "id 1"] });
});

test("a short id is the same for the same content, and no other", () => {
  const id = shortId(25, "sw", "m1", 0, { text: "hi" });
  expect(id).toMatch(/^sw[\w-]{23}$/);
  expect(shortId(25, "sw", "m1", 0, { text: "hi" })).toBe(id);
  expect(
    new Set([id, shortId(25, "sw", "m1", 1, { text: "hi" }), shortId(25, "sw", "m10", { text: "hi" })]).size,
  ).toBe(3);
});

test("a number means what the table says, and what it lacks is what it means otherwise", () => {
  const table = {
    "1": { hint: "Do this." },
    "2": { fate: "stop", hint: "Do that." },
    "3": { code: "too_large" },
  };
  const of = (code: number, otherwise = {}): Partial<SpoolwayError> => {
    const { code: name, fate, hint, message } = explained(table, code, "words", otherwise);
    return { code: name, fate, ...(hint === undefined ? {} : { hint }), message };
  };
  expect(of(1)).toEqual({ code: "rejected", fate: "reject", hint: "Do this.", message: "words" });
  expect(of(2)).toMatchObject({ code: "unauthorized", fate: "stop", hint: "Do that." });
  expect(of(3)).toMatchObject({ code: "too_large", fate: "reject" });
  expect(of(4, { fate: "reconnect" })).toMatchObject({ code: "disconnected", fate: "reconnect" });
});

test("what is refused is replaced and logged; other failures go on", async () => {
  const context = new TestContext("posts", "/", {});
  expect(await unlessRefused(Promise.reject(reject("no")), 7, context.log, "a channel")).toBe(7);
  expect(context.logged("platform.refused")[0]?.fields).toEqual({ what: "a channel", error: "no" });
  await expect(unlessRefused(Promise.reject(reconnect("lost")), 7, context.log, "x")).rejects.toThrow("lost");
});
