// spoolway/sdk/choose: places that a config names (calendars, folders), of those that an account has.
import { stop } from "../sdk.ts";

/** Those named, by any of their names; all where the config names none. Stops where one is missing, and says which there are. */
export function choose<T>(
  all: readonly T[],
  wanted: readonly string[] | undefined,
  namesOf: (one: T) => readonly string[],
  key: string,
): T[] {
  const has = (one: T, name: string): boolean => namesOf(one).includes(name);
  const missing = wanted?.find((name) => !all.some((one) => has(one, name)));
  if (missing === undefined && all.length > 0)
    return all.filter((one) => wanted === undefined || wanted.some((name) => has(one, name)));
  const there = all.map((one) => namesOf(one)[0]).join(", ");
  const hint = `${key}: this account has ${there === "" ? "none" : there}.`;
  throw stop(`${key}: there is no ${missing ?? "one at all"}`, hint, "not_found");
}
