import { expect, test } from "vitest";
import fc from "fast-check";
import { codePoints, splitText, toLines, utf16Units, utf8Bytes } from "../../../../runtime/sdk/text/split.ts";

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const bare = (text: string): string => text.replaceAll(/\s/gu, "");

test("a short text is one line, line breaks make several, empty lines are left out", () => {
  expect(toLines("hi", 400)).toEqual(["hi"]);
  expect(toLines("a\nb\r\nc\rd\n\n  \ne", 400)).toEqual(["a", "b", "c", "d", "e"]);
  expect(toLines("  indented", 400)).toEqual(["  indented"]);
  expect(toLines("", 400)).toEqual([]);
});

test("a long line is cut at the last space that fits", () => {
  expect(toLines("one two three four", 10)).toEqual(["one two", "three four"]);
  expect(toLines("one two three four", 9)).toEqual(["one two", "three", "four"]);
  expect(toLines("0123456789 a", 10)).toEqual(["0123456789", "a"]);
});

test("a word that is longer than a line is cut, and nothing of it is lost", () => {
  expect(toLines("see http://example.org/0123456789 now", 12)).toEqual([
    "see",
    "http://examp",
    "le.org/01234",
    "56789 now",
  ]);
});

test.each([
  ["emoji of several code points", "👩🏽‍🚀👨‍👩‍👧‍👦🏳️‍🌈🇺🇳".repeat(500)],
  ["Thai without spaces", "สวัสดีชาวโลกที่น่ารัก".repeat(100)],
  ["Arabic with diacritics", "السَّلامُ عَلَيْكُمْ وَرَحْمَةُ اللهِ ".repeat(60)],
  ["decomposed accents", "e\u0301a\u0308".repeat(500)],
])("no character is cut: %s", (_name, text) => {
  const lines = toLines(text, 400);
  expect(bare(lines.join(""))).toBe(bare(text));
  expect(Math.max(...lines.map(utf8Bytes))).toBeLessThanOrEqual(400);
  const whole = new Set(Array.from(graphemes.segment(text), ({ segment }) => segment));
  for (const line of lines) {
    for (const { segment } of graphemes.segment(line)) expect(whole).toContain(segment);
  }
});

test("one character that is longer than a line is cut between code points", () => {
  const zalgo = `a${"\u0301".repeat(600)}`;
  const lines = toLines(zalgo, 400);
  expect(lines.join("")).toBe(zalgo);
  expect(Math.max(...lines.map(utf8Bytes))).toBeLessThanOrEqual(400);
});

test("lone surrogates cannot reach the wire", () => {
  expect(toLines("c\ud800d", 400)).toEqual(["c\ufffdd"]);
});

test("a message of several lines is cut at its last line break that fits, and counted as the platform counts", () => {
  expect(splitText("one two\nthree four\nfive", 20)).toEqual(["one two\nthree four", "five"]);
  expect(splitText("one two\r\nthree", 10)).toEqual(["one two", "three"]);
  expect(splitText("one\ntwo", 7)).toEqual(["one\ntwo"]);
  expect(splitText("😀".repeat(4), 4, utf16Units)).toEqual(["😀😀", "😀😀"]);
  expect(splitText("😀".repeat(4), 4, codePoints)).toEqual(["😀😀😀😀"]);
});

test("for any text: every line fits, is well-formed, and nothing but white space is lost", () => {
  const text = fc.string({
    unit: fc.oneof(fc.string({ unit: "grapheme", maxLength: 3 }), fc.constantFrom(" ", "  ", "\n", "👨‍👩‍👧‍👦")),
    maxLength: 200,
  });
  fc.assert(
    fc.property(text, fc.integer({ min: 64, max: 450 }), (input, max) => {
      const lines = toLines(input, max);
      expect(bare(lines.join(""))).toBe(bare(input.toWellFormed()));
      for (const line of lines) {
        expect(utf8Bytes(line)).toBeLessThanOrEqual(max);
        expect(line.isWellFormed()).toBe(true);
        expect(line).not.toMatch(/[\r\n]/);
      }
    }),
  );
});
