// spoolway/sdk/program/json-line: a line of JSON that a program or a device wrote, and its fields. What cannot be understood is an error that names what was expected and
// holds nothing of what was written: message bodies do not belong in logs.
import { parseJson, SpoolwayError } from "../../sdk.ts";
import type { Line } from "../lines.ts";

export type Fields = Record<string, unknown>;

/**
 * The value of one line; undefined for a blank one. Throws line_too_long for a line that was cut (`limit` is what was allowed, in words), or what
 * parseJson throws, without the body.
 */
export function parseJsonLine({ bytes, cut }: Line, limit: string): unknown {
  if (cut > 0) {
    const words = `${bytes.length + cut} bytes, at most ${limit} are allowed`;
    throw new SpoolwayError("line_too_long", words, { fate: "reject" });
  }
  if (bytes.every((byte) => byte === 0x20 || byte === 0x09)) return undefined;
  try {
    return parseJson(bytes);
  } catch (error) {
    if (!(error instanceof SpoolwayError) || error.code !== "invalid_json") throw error;
    // JSON.parse quotes what it could not read.
    const position = /position (\d+)/.exec(error.message)?.[1];
    const where = position === undefined ? "" : `: mistake at character ${position}`;
    throw new SpoolwayError("invalid_json", `not a line of JSON${where}`);
  }
}

export const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A string, or a whole number as one; undefined where it is absent or null. Throws invalid_line. */
export function textField(fields: Fields, key: string): string | undefined {
  const given = fields[key] ?? undefined;
  if (given === undefined || typeof given === "string") return given;
  if (Number.isSafeInteger(given)) return String(given);
  throw invalidLine(`${key}: expected a string`);
}

/** As textField, of a field that must be there. */
export function requiredField(fields: Fields, key: string): string {
  const text = textField(fields, key);
  if (text === undefined) throw invalidLine(`${key}: expected a string`);
  return text;
}

/** Throws invalid_line when there are other keys than these: a typo is a mistake, not an extension. */
export function onlyKeys(fields: Fields, ...keys: string[]): void {
  const strange = Object.keys(fields).find((key) => !keys.includes(key));
  if (strange !== undefined)
    throw invalidLine(`unknown key ${JSON.stringify(strange)}: expected ${keys.join(", ")}`);
}

/** A line that is no message of the protocol. */
export function invalidLine(message: string): SpoolwayError {
  return new SpoolwayError("invalid_line", message, { fate: "reject" });
}
