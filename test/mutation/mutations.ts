// The list in mutations.yml.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

export interface Mutation {
  /** Short and unique, for `--only`. */
  id: string;
  /** What is taken away. */
  without: string;
  /** Relative to the project's root. */
  file: string;
  find: string;
  replace: string;
  tests: readonly string[];
}

export const mutations = parse(
  readFileSync(join(import.meta.dirname, "mutations.yml"), "utf8"),
) as readonly Mutation[];
