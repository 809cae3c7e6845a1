// spoolway/sdk/untrusted: fields of JSON that anybody may have written: each is what it should be, or as if it were not there.

export type Json = Record<string, unknown>;

/** A text that is not empty. */
export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** The text at the end of these keys. */
export function textAt(value: unknown, ...keys: readonly string[]): string | undefined {
  return textOf(keys.reduce<unknown>((inner, key) => objectOf(inner)[key], value));
}

/** An object, {} for anything else. */
export function objectOf(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

/** A list, [] for anything else. */
export function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A count of bytes and the like: a whole number from 0 on. */
export function countOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}
