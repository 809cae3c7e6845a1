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
  /** Absolute paths that were looked at. */
  files: string[];
}

/** Every type below connectors/ of the home and of Spoolway; the home's wins. Never throws for a broken one. */
export async function listTypes(home: string, root: string = packageRoot): Promise<TypeList> {
  const list = await scanTypes(home, root);
  for (const type of list.types) {
    const check = configCheck(type, showPath(home, join(type.folder, "manifest.json")));
    if (typeof check !== "function") list.broken.set(type.type, [check]);
  }
  const types = list.types.filter(({ type }) => !list.broken.has(type));
  return { ...list, types, problems: [...list.broken.values()].flat() };
}

/** As listTypes, but leaves the schemas of the connectors' keys unread: compiling those that no entry needs would only delay the start. */
export async function scanTypes(home: string, root: string = packageRoot): Promise<TypeList> {
  const types = new Map<string, FoundType>();
  const broken = new Map<string, ConfigProblem[]>();
  const files: string[] = [];
  const same = (await real(home)) === (await real(root));
  const places = same
    ? [[root, "built-in"] as const]
    : [[home, "home"] as const, [root, "built-in"] as const];
  for (const [base, origin] of places) {
    const parent = join(base, "connectors");
    for (const folder of await foldersIn(parent)) {
      if (types.has(folder) || broken.has(folder)) continue;
      const file = join(parent, folder, "manifest.json");
      const shown = showPath(home, file);
      const result = await readManifest(join(parent, folder), origin, shown);
      files.push(file);
      if ("type" in result && result.type.type === folder) types.set(folder, result.type);
      else if ("problems" in result) broken.set(folder, result.problems);
      else {
        const message = `\`type\` is ${JSON.stringify(result.type.type)}, expected the folder's name ${JSON.stringify(folder)}`;
        broken.set(folder, [
          { file: shown, line: 1, column: 1, message, hint: "Rename the folder or the type." },
        ]);
      }
    }
  }
  const sorted = [...types.values()].sort((a, b) => (a.type < b.type ? -1 : 1));
  return { types: sorted, problems: [...broken.values()].flat(), broken, files };
}

export type Resolved =
  { type: FoundType; check: Check } | { message: string; hint: string; problems?: ConfigProblem[] };

/** The type that an entry's `type:` names: a known one, a path (./x, ../x, /x; relative to the home) or an installed package. */
export async function resolveType(home: string, type: string, list?: TypeList): Promise<Resolved> {
  if (/^\.{0,2}\//.test(type)) {
    const folder = resolve(home, type);
    return usable(
      home,
      type,
      await readManifest(folder, "path", showPath(home, join(folder, "manifest.json"))),
    );
  }
  const known = list ?? (await scanTypes(home));
  const found = known.types.find((candidate) => candidate.type === type);
  if (found) return usable(home, type, { type: found });
  const broken = known.broken.get(type);
  if (broken) return usable(home, type, { problems: broken });
  const folder = await packageFolder(home, type);
  if (folder !== undefined)
    return usable(
      home,
      type,
      await readManifest(folder, "package", showPath(home, join(folder, "manifest.json"))),
    );
  const names = known.types.map((candidate) => candidate.type);
  const hint = `${didYouMean(type, names, "known types")} To see them all: spoolway types`;
  return { message: `unknown type ${JSON.stringify(clip(type))}`, hint };
}

function usable(home: string, type: string, result: ManifestResult): Resolved {
  if ("type" in result) {
    const check = configCheck(result.type, showPath(home, join(result.type.folder, "manifest.json")));
    if (typeof check === "function") return { type: result.type, check };
    return usable(home, type, { problems: [check] });
  }
  const [first] = result.problems;
  const place =
    first === undefined
      ? ""
      : `: ${first.file}${first.line > 0 ? `:${first.line}:${first.column}` : ""} ${first.message}`;
  const hint = first?.hint ?? "Correct its manifest.json.";
  return {
    message: `the type ${JSON.stringify(clip(type))} cannot be used${place}`,
    hint,
    problems: result.problems,
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
