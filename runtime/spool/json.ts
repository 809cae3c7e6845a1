// Reading JSON that strangers wrote: strict about what is ambiguous or dangerous, exact about numbers.
import { SpoolwayError } from "../errors.ts";

const maxDepth = 64;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

/**
 * The value in these bytes. UTF-8, with or without BOM. Integers beyond 2^53, and numbers that no double can hold, become strings of their digits.
 * At most 64 levels, and `extraDepth` more. Throws SpoolwayError: invalid_encoding, invalid_json, too_deep, duplicate_key or forbidden_key, with the position in characters.
 */
export function parseJson(bytes: Uint8Array, extraDepth = 0): unknown {
  const text = decodeUtf8(bytes);
  const { hasBigNumber } = inspect(text, maxDepth + extraDepth);
  try {
    return hasBigNumber ? JSON.parse(text, keepDigits) : JSON.parse(text);
  } catch (error) {
    throw new SpoolwayError("invalid_json", `not valid JSON: ${(error as Error).message}`);
  }
}

/** Text in UTF-8 without its BOM. Throws invalid_encoding. */
export function decodeUtf8(bytes: Uint8Array): string {
  const [a, b] = bytes;
  if (
    (a === 0xff && b === 0xfe) ||
    (a === 0xfe && b === 0xff) ||
    (a === 0 && b !== undefined) ||
    (b === 0 && a !== undefined)
  ) {
    throw new SpoolwayError("invalid_encoding", "the text is UTF-16 or UTF-32, expected UTF-8");
  }
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw new SpoolwayError("invalid_encoding", "the text is not valid UTF-8");
  }
  const nul = text.indexOf("\0");
  if (nul >= 0) throw new SpoolwayError("invalid_encoding", `there is a NUL byte at character ${nul}`);
  return text;
}

/** JSON.parse gives the source text of primitives (ES2026): digits that a double cannot hold stay as text. */
function keepDigits(this: unknown, _key: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source;
  if (typeof value !== "number" || source === undefined) return value;
  const isExact = /^-?\d+$/.test(source) ? Number.isSafeInteger(value) : Number.isFinite(value);
  return isExact ? value : source;
}

/**
 * One pass over the text without recursion: depth, repeated keys, __proto__ keys, long digits and exponents. Grammar is left to JSON.parse; on text that is
 * no JSON it may find nothing.
 */
function inspect(text: string, depthMax: number): { hasBigNumber: boolean } {
  // One Set of keys per open object, null per open array.
  const stack: Array<Set<string> | null> = [];
  let hasBigNumber = false;
  let at = 0;
  while (at < text.length) {
    const char = text.charCodeAt(at);
    if (char === 0x22) {
      const end = endOfString(text, at);
      const keys = stack.at(-1);
      if (keys && isKey(text, end)) noteKey(keys, text.slice(at, end + 1), at);
      at = end + 1;
      continue;
    }
    if (char === 0x7b || char === 0x5b) {
      stack.push(char === 0x7b ? new Set() : null);
      if (stack.length > depthMax) {
        throw new SpoolwayError("too_deep", `more than ${depthMax} levels of nesting at character ${at}`);
      }
    } else if (char === 0x7d || char === 0x5d) {
      stack.pop();
    } else if (char >= 0x30 && char <= 0x39) {
      const start = at;
      while (at < text.length && isDigit(text.charCodeAt(at))) at += 1;
      // 1e308 fits, 1e309 does not; e, E and e+ stand before an exponent.
      if (at - start > 15 || (at - start > 2 && "eE+".includes(text.charAt(start - 1)))) hasBigNumber = true;
      continue;
    }
    at += 1;
  }
  return { hasBigNumber };
}

const isDigit = (char: number): boolean => char >= 0x30 && char <= 0x39;

function endOfString(text: string, start: number): number {
  let at = start + 1;
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return text.length;
    let slashes = 0;
    while (text.charCodeAt(quote - 1 - slashes) === 0x5c) slashes += 1;
    if (slashes % 2 === 0) return quote;
    at = quote + 1;
  }
}

function isKey(text: string, end: number): boolean {
  for (let at = end + 1; at < text.length; at += 1) {
    const char = text.charCodeAt(at);
    if (char === 0x20 || char === 0x09 || char === 0x0a || char === 0x0d) continue;
    return char === 0x3a;
  }
  return false;
}

function noteKey(keys: Set<string>, quoted: string, at: number): void {
  let key = quoted.slice(1, -1);
  if (key.includes("\\")) {
    try {
      key = JSON.parse(quoted) as string;
    } catch {
      return; // JSON.parse of the whole says what is wrong with it
    }
  }
  if (key === "__proto__") throw new SpoolwayError("forbidden_key", `the key __proto__ at character ${at}`);
  if (keys.has(key))
    throw new SpoolwayError("duplicate_key", `the key ${quoted} is there twice, again at character ${at}`);
  keys.add(key);
}
