// The list in mutations.yml, and what is asked for of it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import type { Random } from "../helpers/random.ts";

export interface Mutation {
  /** Short and unique, for `--only`. */
  id: string;
  /** What is taken away. */
  without: string;
  /** Relative to the project's root. */
  file: string;
  find: string;
  replace: string;
  /** Where it is noticed, the quickest first. */
  tests: readonly string[];
}

export const mutations = parse(
  readFileSync(join(import.meta.dirname, "mutations.yml"), "utf8"),
) as readonly Mutation[];

/** Throws when there is none of such an id. */
export function mutationsNamed(ids: readonly string[]): Mutation[] {
  return ids.map((id) => {
    const found = mutations.find((one) => one.id === id);
    if (found === undefined) throw new Error(`no such mutation: ${id}; see --list`);
    return found;
  });
}

/** So many of them, each once. */
export function sampleOf(count: number, random: Random): Mutation[] {
  const left = [...mutations];
  return Array.from({ length: Math.min(count, left.length) }).flatMap(() =>
    left.splice(random.below(left.length), 1),
  );
}
