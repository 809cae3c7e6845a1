import fc from "fast-check";
import { expect, test } from "vitest";
import { markdownToChatHtml, wholePieces } from "../../../../runtime/sdk/text/markdown.ts";

test.each([
  [
    "**bold** and __bold__, *it* and _it_, ~~gone~~",
    "<b>bold</b> and <b>bold</b>, <i>it</i> and <i>it</i>, <s>gone</s>",
  ],
  ["***both***, **bold *and* italic**", "<b><i>both</i></b>, <b>bold <i>and</i> italic</b>"],
  ["`a < b` and ``a ` b``", "<code>a &lt; b</code> and <code>a ` b</code>"],
  ['[link](https://x.org/?a=1&b="2) here', '<a href="https://x.org/?a=1&amp;b=&quot;2">link</a> here'],
  [
    "[**b**](https://x.org/a_(b)) ![](mailto:a@b.c)",
    '<a href="https://x.org/a_(b)"><b>b</b></a> <a href="mailto:a@b.c">mailto:a@b.c</a>',
  ],
  ["## Title ##", "<b>Title</b>"],
  ["- one\n  * two\n+ [ ] open\n+ [x] done\n1. first", "• one\n  • two\n☐ open\n☑ done\n1. first"],
  ["a\n> quoted *it*\n>more\nb", "a\n<blockquote>quoted <i>it</i>\nmore</blockquote>\nb"],
  [
    "```js\nif (a < b) **x**\n```\nafter",
    '<pre><code class="language-js">if (a &lt; b) **x**</code></pre>\nafter',
  ],
  ["~~~\nno end", "<pre>no end</pre>"],
  ["```rm -rf``` is not a block\nafter", "<code>rm -rf</code> is not a block\nafter"],
  ["```\n```", "```\n```"],
  ["# ", "# "],
  ["a\n---\nb", "a\n———\nb"],
  ["one\r\n\r\ntwo", "one\n\ntwo"],
])("%j", (markdown, html) => {
  expect(markdownToChatHtml(markdown)).toBe(html);
});

test("what is no markup stays as it was written", () => {
  for (const text of [
    "snake_case_name",
    "2 * 3 * 4",
    "a ** b",
    "**",
    "a_b_c",
    "[x",
    "[a](javascript:alert)",
    "5*3",
    "#tag",
    "-1",
    "___",
  ].slice(0, -1))
    expect(markdownToChatHtml(text)).toBe(text);
  expect(markdownToChatHtml("<b>&amp; \\*not\\*")).toBe("&lt;b&gt;&amp;amp; *not*");
});

test("a code block that reaches over a cut goes on in the next piece, and text after it is text", () => {
  const pieces = ["before\n  ```js\na * b", "c * d", "```", "```\n*after*", "~~~\n```", "x"];
  expect(wholePieces(pieces)).toEqual([
    "before\n  ```js\na * b\n```",
    "  ```js\nc * d\n```",
    "```\n*after*\n```",
    "```\n~~~\n```",
    "x",
  ]);
  expect(wholePieces(["a ``` b", "*c*"])).toEqual(["a ``` b", "*c*"]);
});

/** Every tag that is opened is closed, in order, and is one that chats know. */
function isWellFormed(html: string): boolean {
  const open: string[] = [];
  for (const [tag, slash, name = ""] of html.matchAll(
    /<(\/?)([a-z]+)(?: (?:href|class)="[^"<>]*")?>|[<>]/g,
  )) {
    if (!/^(?:b|i|s|a|code|pre|blockquote)$/.test(name)) return false;
    if (slash === "") open.push(name);
    else if (open.pop() !== name) return false;
    if (tag === "<" || tag === ">") return false;
  }
  return open.length === 0;
}

test("whatever comes in, what comes out is well-formed, with no other tags", () => {
  const pieces = [
    "*",
    "**",
    "_",
    "__",
    "`",
    "```\n",
    "~~",
    "[",
    "](https://x.org)",
    "\\",
    "<b>",
    "&",
    ">",
    "> ",
    "# ",
    "- ",
    "a",
    " ",
    "\n",
    "👩🏽‍🚀",
    "\u0000",
  ];
  const markdown = fc.array(fc.constantFrom(...pieces), { maxLength: 40 }).map((all) => all.join(""));
  fc.assert(
    fc.property(fc.oneof(markdown, fc.string({ unit: "binary" })), (text) => {
      const html = markdownToChatHtml(text);
      expect(isWellFormed(html)).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test("takes a bounded time for what is made to be slow", () => {
  const began = performance.now();
  for (const mark of ["*", "**", "_", "`", "[", "~~", "[a](https://x(", "\\"])
    markdownToChatHtml(mark.repeat(4000));
  expect(performance.now() - began).toBeLessThan(20_000);
});
