// Lines: the same however they come, in bounded memory, no faster than they are taken; and lines of JSON without bodies in errors.
import { PassThrough } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { failureOf } from "../../../runtime/sdk/program/failure.ts";
import { onlyKeys, parseJsonLine, textField } from "../../../runtime/sdk/program/json-line.ts";
import { forEachLine, LineSplitter } from "../../../runtime/sdk/lines.ts";
import { RateCap } from "../../../runtime/sdk/rate-cap.ts";

function split(chunks: Buffer[], maxBytes: number): Array<[string, number]> {
  const splitter = new LineSplitter(maxBytes);
  const lines = chunks.flatMap((chunk) => [...splitter.push(chunk)]);
  const rest = splitter.end();
  if (rest !== undefined) lines.push(rest);
  return lines.map(({ bytes, cut }) => [bytes.toString("latin1"), cut]);
}

describe("lines", () => {
  it("are the same in whatever pieces the bytes come", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "\n", "\r") });
    fc.assert(
      fc.property(text, fc.array(fc.nat(8)), fc.integer({ min: 1, max: 6 }), (whole, cuts, max) => {
        const bytes = Buffer.from(whole);
        const pieces: Buffer[] = [];
        let at = 0;
        for (const length of cuts) pieces.push(bytes.subarray(at, (at += length)));
        pieces.push(bytes.subarray(at));
        expect(split(pieces, max)).toEqual(split([bytes], max));
      }),
    );
  });

  it("lose their end, \\n or \\r\\n, and keep the last one that has none", () => {
    expect(split([Buffer.from("a\r\n\nb")], 10)).toEqual([
      ["a", 0],
      ["", 0],
      ["b", 0],
    ]);
  });

  it("that are too long keep their beginning and say how much is missing", () => {
    expect(split([Buffer.from("abcdef\nok\n")], 4)).toEqual([
      ["abcd", 2],
      ["ok", 0],
    ]);
  });

  it("are read no faster than they are taken", async () => {
    const stream = new PassThrough({ highWaterMark: 1000 });
    let go: () => void = () => undefined;
    const taken: string[] = [];
    const reading = forEachLine(stream, 100, async ({ bytes }) => {
      taken.push(String(bytes));
      if (taken.length === 1) await new Promise<void>((resolve) => (go = resolve));
    });
    stream.write("first\n");
    await delay(20);
    let written = 0;
    while (stream.write("x".repeat(99) + "\n") && written < 10_000) written += 1;
    await delay(20);
    expect([taken, written < 100]).toEqual([["first"], true]);
    stream.end();
    go();
    await reading;
    expect(taken).toHaveLength(written + 2);
  });

  it("of a stream that breaks have ended", async () => {
    const stream = new PassThrough();
    const reading = forEachLine(stream, 100, () => undefined);
    stream.destroy(new Error("ECONNRESET"));
    await reading;
  });
});

describe("a line of JSON", () => {
  const line = (text: string, cut = 0) => ({ bytes: Buffer.from(text), cut });

  it("is its value, or nothing when it is blank", () => {
    expect(parseJsonLine(line('{"a": 1}'), "9")).toEqual({ a: 1 });
    expect(parseJsonLine(line(" \t"), "9")).toBeUndefined();
  });

  it("that is none says so without its content", () => {
    expect(() => parseJsonLine(line("secret words"), "9")).toThrow(/^not a line of JSON(?!.*secret)/);
    expect(() => parseJsonLine(line("abc", 7), "3 (max_line_bytes)")).toThrow(
      "10 bytes, at most 3 (max_line_bytes) are allowed",
    );
  });

  it("has fields that are checked", () => {
    expect(textField({ id: 7 }, "id")).toBe("7");
    expect(textField({ id: null }, "id")).toBeUndefined();
    expect(() => textField({ id: [] }, "id")).toThrow("id: expected a string");
    expect(() => onlyKeys({ id: 1, txt: 2 }, "id", "text")).toThrow('unknown key "txt": expected id, text');
  });

  it("can say why a message failed, with its fate", () => {
    const error = failureOf({ fate: "rate_limited", retry_after_s: 1.5, message: "slow down" });
    expect(error).toMatchObject({ fate: "rate_limited", retryAfterMs: 1500, message: "slow down" });
    expect(failureOf({})).toMatchObject({ fate: "retry", code: "send_failed" });
    expect(() => failureOf({ fate: "maybe" })).toThrow("fate: expected one of retry");
  });
});

it("a rate cap lets so many through and tells how many it did not", () => {
  const reports: number[] = [];
  const cap = new RateCap(3, (suppressed) => reports.push(suppressed));
  const allowed = Array.from({ length: 10 }, () => cap.allows()).filter(Boolean);
  cap.flush();
  cap.flush();
  expect([allowed.length, reports]).toEqual([3, [7]]);
});
