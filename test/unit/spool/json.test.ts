// Reading JSON that strangers wrote.
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseJson } from "../../../runtime/spool/json.ts";

const parse = (text: string): unknown => parseJson(Buffer.from(text));
const codeOf = (text: string | Uint8Array): string => {
  try {
    parseJson(typeof text === "string" ? Buffer.from(text) : text);
  } catch (error) {
    return (error as { code: string }).code;
  }
  return "accepted";
};

test("what JSON.parse reads is read the same", () => {
  const withoutProto = fc.jsonValue().filter((value) => !JSON.stringify(value).includes("__proto__"));
  fc.assert(
    fc.property(withoutProto, (value) => {
      const text = JSON.stringify(value, null, 1);
      expect(parse(text)).toEqual(
        JSON.parse(text, (_key, inner) =>
          Number.isInteger(inner) && !Number.isSafeInteger(inner) && /^-?\d+$/.test(String(inner))
            ? String(inner)
            : (inner as unknown),
        ),
      );
    }),
    { numRuns: 2000 },
  );
});

test("no strict prefix of an object parses", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(), (value, cut) => {
      const text = JSON.stringify(value);
      if (text.includes("__proto__")) return;
      expect(codeOf(text.slice(0, cut % text.length))).not.toBe("accepted");
    }),
    { numRuns: 2000 },
  );
});

test("integers beyond 2^53 keep their digits, others stay numbers", () => {
  expect(
    parse('{"a":9007199254740993,"b":-12345678901234567890,"c":9007199254740991,"d":1e3,"e":1.5}'),
  ).toEqual({
    a: "9007199254740993",
    b: "-12345678901234567890",
    c: 9007199254740991,
    d: 1000,
    e: 1.5,
  });
  expect(parse('{"text":"12345678901234567890"}')).toEqual({ text: "12345678901234567890" });
});

test("ambiguous and dangerous JSON has a code of its own", () => {
  expect(codeOf('{"a":1,"a":2}')).toBe("duplicate_key");
  expect(codeOf('{"a":1,"\\u0061":2}')).toBe("duplicate_key");
  expect(codeOf('{"a":{"b":1},"c":{"b":1}}')).toBe("accepted");
  expect(codeOf('{"a":["b","b"]}')).toBe("accepted");
  expect(codeOf('{"x":{"__proto__":1}}')).toBe("forbidden_key");
  expect(codeOf('{"x":"__proto__"}')).toBe("accepted");
  expect(codeOf("[".repeat(65))).toBe("too_deep");
  expect(codeOf(`${"[".repeat(64)}${"]".repeat(64)}`)).toBe("accepted");
  expect(codeOf('{"a":"\\"}')).toBe("invalid_json");
  expect(codeOf("")).toBe("invalid_json");
});

test("only UTF-8, with or without BOM", () => {
  expect(parse('\ufeff{"a":1}')).toEqual({ a: 1 });
  expect(codeOf(Buffer.from('{"a":1}', "utf16le"))).toBe("invalid_encoding");
  expect(codeOf(Buffer.from([0xfe, 0xff, 0, 0x7b]))).toBe("invalid_encoding");
  expect(codeOf(Buffer.from([0x22, 0xc3, 0x28, 0x22]))).toBe("invalid_encoding");
  expect(codeOf('"a\0"')).toBe("invalid_encoding");
});
