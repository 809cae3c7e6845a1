// Files of gammu-smsd's inbox: when one is whole, and what is read of it.
import { describe, expect, test } from "vitest";
import { isWhole, partsOf, toDraft } from "../../../connectors/sms/received.ts";

const head = "; This file format was designed for Gammu and is compatible with Gammu+\n\n";
const section = (lines: string[]): string =>
  ["[SMSBackup000]", "; text", "PDU = Deliver", "NumberUnicode = 0031\r", ...lines, "", ""].join("\n");
const whole = (file: string): boolean => isWhole(file, partsOf(file));

describe("a file is whole", () => {
  const one = head + section(["Text00 = 0041\r"]);

  test("when its part is; each beginning of it is not", () => {
    expect(whole(one)).toBe(true);
    for (let length = 0; length < one.length; length += 1)
      expect(whole(one.slice(0, length)), one.slice(0, length)).toBe(false);
  });

  test.each([
    ["050003C70201", 2],
    ["050003C70A01", 10],
    ["06080412340301", 3],
    ["050003C70101", 1],
    ["0B0504158200000003C70201", 1], // a port before: how many there are is not read, and it has to settle
  ])("when all parts are there: %s", (udh, of) => {
    const parts = Array.from({ length: of }, () => section([`UDH = ${udh}`, "Text00 = 0041\r"]));
    expect(whole(head + parts.join(""))).toBe(true);
    if (of > 1) expect(whole(head + parts.slice(1).join(""))).toBe(false);
  });
});

describe("an event", () => {
  const draft = (lines: string[]) => toDraft(section(lines), "IN", ["key"]);

  test.each([
    ["20261121T114500Z", "2026-11-21T11:45:00Z"],
    ["20261121T114500", undefined],
    ["20261121T114500+0100", undefined],
  ])("has a time where its zone is known: %s", (time, expected) =>
    expect(draft([`DateTime = ${time}`]).occurred_at).toBe(expected),
  );

  test("has the text of all lines in their order, and nothing of a comment", () => {
    const lines = Array.from({ length: 12 }, (_, n) => `Text${String(n).padStart(2, "0")} = 00${41 + n}\r`);
    expect(draft([...lines.reverse(), "; Text12 = 0061"]).content?.text).toBe("ABCDEFGHIPQR");
  });

  test("is not made of half a character, or of a file of another format", () => {
    expect(() => draft(["Text00 = 004"])).toThrow("no text: 004");
    expect(() => draft(["Text00 = 00zz"])).toThrow("no text");
    expect(() => toDraft("hello\n\n", "IN", [])).toThrow("no file of the format detail");
    expect(() => toDraft(section([]).trimEnd(), "IN", [])).toThrow("cut off");
  });
});
