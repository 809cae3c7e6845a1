import { expect, test } from "vitest";
import { partsOf, sendParts } from "../../../runtime/sdk/parts.ts";
import { Recent } from "../../../runtime/sdk/recent.ts";
import { type Outgoing, rateLimited, type State } from "../../../runtime/sdk.ts";
import { utf16Units } from "../../../runtime/sdk/text/split.ts";

const limits = { text: 20, caption: 10, sizeOf: utf16Units, fileMaxBytes: 1000 };
const message = (fields: object): Outgoing => ({
  id: "m1",
  action: "message",
  conversation_id: "c",
  ...fields,
});
const [a, b] = [
  { path: "a.bin", size: 10 },
  { path: "b.bin", size: 20 },
];

test("a text in pieces that fit, a subject as its first line", () => {
  expect(partsOf(message({ subject: "Title", text: "first line\nsecond line" }), limits)).toEqual([
    { text: "Title\nfirst line", isHtml: false },
    { text: "second line", isHtml: false },
  ]);
  expect(partsOf(message({}), limits)).toEqual([{ text: "", isHtml: false }]);
});

test("a short text goes below the first file, a long one before it", () => {
  expect(partsOf(message({ text: "short", attachments: [a, b] }), limits)).toEqual([
    { text: "short", file: a, isHtml: false },
    { file: b, isHtml: false },
  ]);
  expect(partsOf(message({ text: "not so short", attachments: [a] }), limits)).toEqual([
    { text: "not so short", isHtml: false },
    { file: a, isHtml: false },
  ]);
  expect(partsOf(message({ attachments: [a] }), limits)).toEqual([{ file: a, isHtml: false }]);
});

test("markdown is cut before it becomes HTML, and HTML is not cut", () => {
  expect(partsOf(message({ text: "**one**\n*two and more*", format: "markdown" }), limits)).toEqual([
    { text: "<b>one</b>", isHtml: true },
    { text: "<i>two and more</i>", isHtml: true },
  ]);
  const text = "<b>much longer than twenty</b>";
  expect(partsOf(message({ text, format: "html" }), limits)).toEqual([{ text, isHtml: true }]);
});

test("a code block that is cut is one in each piece, and no piece becomes longer for it", () => {
  const code = "~~~js\na * b * c * d\ne * f * g * h\n~~~\n*end*";
  const parts = partsOf(message({ text: code, format: "markdown" }), limits);
  expect(parts.map(({ text }) => text)).toEqual([
    '<pre><code class="language-js">a * b * c * d</code></pre>',
    '<pre><code class="language-js">e * f * g * h</code></pre>',
    "<i>end</i>",
  ]);
});

test("a file above the limit is refused before anything is sent", () => {
  const large = { path: "large.bin", size: 1001 };
  expect(() => partsOf(message({ text: "x", attachments: [a, large] }), limits)).toThrow(
    "large.bin: 1001 bytes, at most 1000",
  );
});

/** A store that is there again for the next process. */
function memory(): State {
  const kept = new Map<string, string>();
  return {
    get: async <T>(key: string) => (kept.has(key) ? (JSON.parse(kept.get(key) ?? "") as T) : undefined),
    set: async (key, value) => void kept.set(key, JSON.stringify(value)),
    delete: async (key) => void kept.delete(key),
  };
}

test("a try that fails in the middle goes on there, also in the next process; a changed message begins anew", async () => {
  const state = memory();
  const said: string[] = [];
  let failing = 2;
  const send = async (part: string): Promise<string> => {
    if (said.length === failing) throw rateLimited("wait", 10);
    return String(said.push(part));
  };
  const attempt = async (parts: string[]) =>
    sendParts(await Recent.open<string[]>(state, "parts"), message({}), parts, send);
  await expect(attempt(["1", "2", "3"])).rejects.toThrow("wait");
  failing = -1;
  expect(await attempt(["1", "2", "3"])).toEqual({ platform_id: "1", platform_ids: ["1", "2", "3"] });
  expect(said).toEqual(["1", "2", "3"]);
  await attempt(["1", "2", "changed"]);
  expect(said).toEqual(["1", "2", "3", "1", "2", "changed"]);
  expect(await attempt(["one"])).toEqual({ platform_id: "7" });
});
