// Values in a body: where they are (JSON Pointer) and what counts as a text, an id, an object.

/** The value at a JSON Pointer (RFC 6901), or undefined. "" is the whole document. */
export function resolvePointer(document: unknown, pointer: string): unknown {
  if (pointer === "") return document;
  let value = document;
  for (const token of pointer.slice(1).split("/")) {
    const name = token.replaceAll("~1", "/").replaceAll("~0", "~");
    if (Array.isArray(value)) {
      value = /^(0|[1-9]\d*)$/.test(name) ? (value as unknown[])[Number(name)] : undefined;
    } else if (isObject(value) && Object.hasOwn(value, name)) {
      value = value[name];
    } else {
      return undefined;
    }
  }
  return value;
}

/** A string, or a number or boolean as one; anything else is not there. */
export function scalar(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}

/** As scalar, and an empty one is not there. */
export function id(value: unknown): string | undefined {
  const text = scalar(value);
  return text === "" ? undefined : text;
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
