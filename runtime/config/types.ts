// Which connector types there are: <home>/connectors/*, then Spoolway's own connectors/*; by path; by installed package.
import { readdir, realpath } from "node:fs/promises";
import { createRequire } from "node:module";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { errnoOf } from "../errors.ts";
import { isInstanceName } from "../spool/names.ts";
import { configCheck, readManifest, type FoundType, type ManifestResult } from "./manifest.ts";
import type { ConfigProblem } from "./model.ts";
import { readText } from "./read.ts";
import { clip, didYouMean } from "./suggest.ts";
import type { Check } from "./validate.ts";

export type { FoundType } from "./manifest.ts";

/** The folder that Spoolway itself is in. */
export const packageRoot = resolve(import.meta.dirname, "../..");

export interface TypeList {
  /** Usable types, by name. */
  types: FoundType[];
  /** What is wrong with the others; `broken` says which problem belongs to which folder name. */
  problems: ConfigProblem[];
  broken: Map<string, ConfigProblem[]>;
}

/** Every type below connectors/ of the home and of Spoolway; the home's wins. Never throws for a broken one. */
export async function listTypes(home: string, root: string = packageRoot): Promise<TypeList> {
  const found = await findTypes(home, root);
  const types: FoundType[] = [];
  const broken = new Map<string, ConfigProblem[]>();
  for (const name of found.names) {
    const result = await usable(home, await found.read(name));
    if ("type" in result) types.push(result.type);
    else broken.set(name, result.problems);
  }
  return { types, problems: [...broken.values()].flat(), broken };
}

type Places = ReadonlyMap<string, { parent: string; origin: "home" | "built-in" }>;

/** Folders that can be types, by name; each manifest is read once, when it is asked for: those that no entry uses would only delay the start. */
export class TypeFolders {
  readonly names: readonly string[];
  readonly #home: string;
  readonly #places: Places;
  readonly #results = new Map<string, Promise<ManifestResult>>();

  constructor(home: string, places: Places) {
    this.#home = home;
    this.#places = places;
    this.names = [...places.keys()].sort();
  }

  /** The path of its manifest.json; undefined where there is no such folder. */
  manifestOf(name: string): string | undefined {
    const place = this.#places.get(name);
    return place === undefined ? undefined : join(place.parent, name, "manifest.json");
  }

  read(name: string): Promise<ManifestResult> {
    const known = this.#results.get(name) ?? this.#read(name);
    this.#results.set(name, known);
    return known;
  }

  async #read(name: string): Promise<ManifestResult> {
    const { parent, origin } = this.#places.get(name) ?? missing(name);
    const shown = showPath(this.#home, join(parent, name, "manifest.json"));
    const result = await readManifest(join(parent, name), origin, shown);
    if (!("type" in result) || result.type.type === name) return result;
    const message = `\`type\` is ${JSON.stringify(result.type.type)}, expected the folder's name ${JSON.stringify(name)}`;
    return {
      problems: [{ file: shown, line: 1, column: 1, message, hint: "Rename the folder or the type." }],
    };
  }
}

function missing(name: string): never {
  throw new Error(`no folder of a type is called ${name}`);
}

/** Looks at names only. */
export async function findTypes(home: string, root: string = packageRoot): Promise<TypeFolders> {
  const same = (await real(home)) === (await real(root));
  const places = new Map<string, { parent: string; origin: "home" | "built-in" }>();
  for (const [base, origin] of [[home, "home"] as const, [root, "built-in"] as const]) {
    if (same && origin === "home") continue;
    const parent = join(base, "connectors");
    for (const name of await foldersIn(parent)) if (!places.has(name)) places.set(name, { parent, origin });
  }
  return new TypeFolders(home, places);
}

export type Resolved = (
  { type: FoundType; check: Check } | { message: string; hint: string; problems?: ConfigProblem[] }
) & {
  /** The manifest that was looked at. */
  file?: string;
};

/** The type that an entry's `type:` names: a known one, a path (./x, ../x, /x; relative to the home) or an installed package. */
export async function resolveType(home: string, type: string, list?: TypeFolders): Promise<Resolved> {
  const known = list ?? (await findTypes(home));
  const file = known.manifestOf(type);
  if (file !== undefined) return { ...(await toUse(home, type, await known.read(type))), file };
  const isPath = /^\.{0,2}\//.test(type);
  const folder = isPath ? resolve(home, type) : await packageFolder(home, type);
  if (folder !== undefined) {
    const manifest = join(folder, "manifest.json");
    const result = await readManifest(folder, isPath ? "path" : "package", showPath(home, manifest));
    return { ...(await toUse(home, type, result)), file: manifest };
  }
  const hint = `${didYouMean(type, known.names, "known types")} To see them all: spoolway types`;
  return { message: `unknown type ${JSON.stringify(clip(type))}`, hint };
}

/** With the check of an entry's keys. */
async function usable(
  home: string,
  result: ManifestResult,
): Promise<{ type: FoundType; check: Check } | { problems: ConfigProblem[] }> {
  if (!("type" in result)) return result;
  const check = await configCheck(result.type, showPath(home, join(result.type.folder, "manifest.json")));
  return typeof check === "function" ? { type: result.type, check } : { problems: [check] };
}

async function toUse(home: string, type: string, result: ManifestResult): Promise<Resolved> {
  const outcome = await usable(home, result);
  if ("type" in outcome) return outcome;
  const [first] = outcome.problems;
  const place =
    first === undefined
      ? ""
      : `: ${first.file}${first.line > 0 ? `:${first.line}:${first.column}` : ""} ${first.message}`;
  const hint = first?.hint ?? "Correct its manifest.json.";
  return {
    message: `the type ${JSON.stringify(clip(type))} cannot be used${place}`,
    hint,
    problems: outcome.problems,
  };
}

const packageName = /^(@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/;

/** Where Node would find the package from the home. Not with resolve(): a package need not export its manifest.json. */
async function packageFolder(home: string, name: string): Promise<string | undefined> {
  if (!packageName.test(name)) return undefined;
  for (const modules of createRequire(join(home, "connectors.yml")).resolve.paths(name) ?? []) {
    const folder = join(modules, name);
    const text = await readText(join(folder, "package.json"), 1_048_576);
    if (typeof text === "string") return folder;
  }
  return undefined;
}

/** Relative to the home inside it, else absolute. */
export function showPath(home: string, path: string): string {
  const inside = relative(home, path);
  return inside.startsWith(`..${sep}`) || inside === ".." || isAbsolute(inside)
    ? path
    : inside.split(sep).join("/");
}

async function real(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    return resolve(path); // not there: the reader of its files says so
  }
}

/** Names of the folders that can be types, links to folders among them; none where the parent is missing. `_shared` cannot be one. */
async function foldersIn(parent: string): Promise<string[]> {
  try {
    const entries = await readdir(parent, { withFileTypes: true });
    return entries
      .filter((entry) => (entry.isDirectory() || entry.isSymbolicLink()) && isInstanceName(entry.name))
      .map((entry) => entry.name)
      .sort();
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return [];
    throw error;
  }
}
