// The feed that a web page names, as pages write it; and that a hostile page costs no more time than a long one.
import { expect, test } from "vitest";
import { linkedFeed } from "../../../../runtime/sdk/http/linked-feed.ts";

const base = "https://example.org/blog/";
const page = (link: string): string => `<!doctype html><html><head><title>a</title>${link}</head></html>`;

test.each([
  ['<link rel="alternate" type="application/rss+xml" href="/feed.xml">', "https://example.org/feed.xml"],
  ["<LINK HREF='atom.xml' TYPE='application/atom+xml' REL=alternate />", "https://example.org/blog/atom.xml"],
  ["<link rel=alternate type=application/feed+json href=//other.org/f>", "https://other.org/f"],
  ['<link\n type="application/rss+xml"\n href="?a=1&amp;b=2">', "https://example.org/blog/?a=1&b=2"],
])("%s", (link, address) => {
  expect(linkedFeed(page(link), base)).toBe(address);
});

test("the first one counts; style sheets and icons are none", () => {
  const links = [
    '<link rel="stylesheet" type="text/css" href="/a.css"><link rel="icon" href="/icon.png">',
    '<link type="application/rss+xml" href="/first"><link type="application/rss+xml" href="/second">',
  ];
  expect(linkedFeed(page(links.join("")), base)).toBe("https://example.org/first");
});

test.each([
  ["no link at all", "<p>application/rss+xml</p>"],
  ["a link without an address", '<link type="application/rss+xml">'],
  ["an address that is none", '<link type="application/rss+xml" href="http://[">'],
  ["an address that is not of the web", '<link type="application/rss+xml" href="javascript:alert(1)">'],
  ["nothing", ""],
])("%s: none", (_, html) => {
  expect(linkedFeed(html, base)).toBeUndefined();
});

// By its length squared, or a constant of thousands, this would take minutes.
test("a page of nothing but the beginnings of links is read in no time", { timeout: 20_000 }, () => {
  for (const start of ["<link ", "<link type=", '<link type="application/rss+xml" href="'])
    expect(linkedFeed(start.repeat(10_000_000 / start.length), base)).toBeUndefined();
});
