// HTML as text, entities and character sets: what feeds and mails hold, and what a hostile one may.
import { describe, expect, test } from "vitest";
import { charsetOf, decodeText } from "../../../../runtime/sdk/text/charset.ts";
import { decodeEntities } from "../../../../runtime/sdk/text/entities.ts";
import { htmlToText } from "../../../../runtime/sdk/text/html-text.ts";

describe("HTML as text", () => {
  test.for([
    ["one\n  two <b>three</b>", "one two three"],
    ["<p>a</p><p>b</p>", "a\n\nb"],
    ["a<br>b<br/>c", "a\nb\nc"],
    ["<ul><li>one</li><li>two</li></ul>", "- one\n- two"],
    ["<blockquote>said<br>so</blockquote>no", "> said\n> so\n\nno"],
    ["<pre>a\n  b</pre>", "a\n  b"],
    ["<a href='https://example.org/x'>here</a>", "here (https://example.org/x)"],
    ["<a href='https://example.org/'>https://example.org</a>", "https://example.org"],
    ["<a href='javascript:alert(1)'>here</a>", "here"],
    ["<a href='/x'>here</a>", "here (https://example.org/x)"],
    ["<head><title>t</title><style>p { }</style></head><script>if (a < b) { }</script>x", "x"],
    ["<img alt='a cat' src=x> and <img src=y>", "a cat and"],
    ["a <!-- <b>not this</b> --> b", "a b"],
    ["1 < 2 && 3 > 2", "1 < 2 && 3 > 2"],
    ["&lt;b&gt; &amp;amp; caf&eacute; &#8217;&#x1F331; &unknown;", "<b> &amp; café ’🌱 &unknown;"],
    ["<p>مرحبا</p><p>שלום 👋</p>", "مرحبا\n\nשלום 👋"],
    ["", ""],
  ] as const)("%s", ([html, text]) => {
    expect(htmlToText(html, "https://example.org/").trimEnd()).toBe(text);
  });

  test.for([
    ["tags that never end", "<a ".repeat(200_000)],
    ["elements that never end", "<blockquote>x".repeat(50_000)],
    ["hidden ones that never end", "<script>".repeat(200_000)],
    ["comments that never end", "<!--".repeat(200_000)],
    ["nothing but less-than signs", "<".repeat(500_000)],
    ["attributes with quotes that never end", "<a href='".repeat(100_000)],
    ["entities that never end", "&#x".repeat(300_000)],
  ] as const)("%s are read in one pass", ([, html]) => {
    const began = performance.now();
    htmlToText(html);
    // A pass takes milliseconds; what is quadratic takes minutes.
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});

describe("entities", () => {
  test("are decoded once; what is no character becomes one that says so", () => {
    expect(decodeEntities("&amp;lt; &#0; &#xD800; &#x110000; &#150;")).toBe("&lt; \ufffd \ufffd \ufffd –");
  });
});

describe("character sets", () => {
  const latin = Uint8Array.of(0x63, 0x61, 0x66, 0xe9);
  test.for([
    ["the content type's", latin, "text/html; charset=ISO-8859-1", "café"],
    [
      "an XML declaration's",
      Buffer.concat([Buffer.from('<?xml encoding="latin1"?>'), latin]),
      null,
      '<?xml encoding="latin1"?>café',
    ],
    ["a byte order mark's", Buffer.from("\ufeffcafé", "utf16le"), "text/xml; charset=utf-8", "café"],
    ["UTF-8 without a word", Buffer.from("café 🌱"), undefined, "café 🌱"],
    ["what is no UTF-8", latin, undefined, "café"],
    ["a name that nobody knows", Buffer.from("café"), "text/xml; charset=klingon", "café"],
  ] as const)("%s", ([, bytes, type, text]) => {
    expect(decodeText(bytes, type)).toBe(text);
  });

  test("of a content type", () => {
    expect([charsetOf('text/xml; charset="UTF-8"'), charsetOf("text/xml"), charsetOf(null)]).toEqual([
      "UTF-8",
      undefined,
      undefined,
    ]);
  });
});
