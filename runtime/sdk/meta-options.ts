// spoolway/sdk/meta-options: what a message asks of one platform beyond what all have, in its `meta` under the connector's type:
//
//   {"conversation_id": "lamp/set", "text": "on", "meta": {"mqtt": {"retain": true}}}
//
// The rest of `meta` is the producer's own.
import { type Outgoing, reject } from "../sdk.ts";

/** Whether a value is a T, and what one looks like: "true or false". */
export type Check<T> = readonly [isRight: (value: unknown) => boolean, expected: string, type?: T];
type Checks = Record<string, Check<unknown>>;
type Options<C extends Checks> = { [K in keyof C]?: C[K] extends Check<infer T> ? T : never };

/** The options. Throws invalid_message, naming the key and what was expected, for an unknown or a wrong one. */
export function metaOptions<C extends Checks>({ meta }: Outgoing, type: string, checks: C): Options<C> {
  const given = meta?.[type] ?? {};
  if (typeof given !== "object" || Array.isArray(given)) throw wrong(`meta.${type}`, "an object");
  for (const [key, value] of Object.entries(given)) {
    const check = Object.hasOwn(checks, key) ? checks[key] : undefined;
    if (check === undefined) throw wrong(`meta.${type}`, `only ${Object.keys(checks).join(", ")}`);
    if (!check[0](value)) throw wrong(`meta.${type}.${key}`, check[1]);
  }
  return given as Options<C>;
}

function wrong(at: string, expected: string): Error {
  return reject(`${at}: expected ${expected}`, "invalid_message", {
    hint: "The connector's README lists what it takes. Change it, then: spoolway failed retry",
  });
}

export const isFlag: Check<boolean> = [(value) => typeof value === "boolean", "true or false"];
export const isOneOf = <T>(...values: T[]): Check<T> => [
  (value) => (values as unknown[]).includes(value),
  values.join(" or "),
];
export const isWhole = (min: number, max: number): Check<number> => [
  (value) => Number.isInteger(value) && Number(value) >= min && Number(value) <= max,
  `a whole number from ${min} to ${max}`,
];
export const isText = (maxBytes: number): Check<string> => [
  (value) => typeof value === "string" && Buffer.byteLength(value) <= maxBytes && !value.includes("\0"),
  `text of at most ${maxBytes} bytes`,
];
/** An object of texts. */
export const isTexts = (maxBytes: number): Check<Record<string, string>> => [
  (value) =>
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    Object.entries(value).flat().every(isText(maxBytes)[0]),
  `an object of texts of at most ${maxBytes} bytes`,
];
