// One manifest.json → a ConnectorType. The connector's code is looked for, and never run.
import { existsSync } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { basename, join, relative, isAbsolute, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { manifest as validManifest } from "../../schema/validators/host.js";
import type { Manifest } from "../../schema/types.ts";
import { canonicalJson, sha256 } from "./canonical.ts";
import { parseSource } from "./document.ts";
import { explain } from "./explain.ts";
import type { ConfigProblem, ConnectorType } from "./model.ts";
import { maxConfigBytes, readText } from "./read.ts";
import { SourceFile, type Finding } from "./source.ts";
import type { Check } from "./validate.ts";

/** A type whose manifest is valid and whose code was found. */
export interface FoundType extends ConnectorType {
  /** home: <home>/connectors; built-in: Spoolway's own; path and package: named by an entry's type. */
  origin: "home" | "built-in" | "path" | "package";
  /** SHA-256 of the manifest's content. */
  hash: string;
}

export type ManifestResult = { type: FoundType } | { problems: ConfigProblem[] };

/** Keys of an entry that are not the connector's own. */
export const reservedKeys = ["name", "type", "runtime"] as const;

/** `shown`: the manifest's path for messages. */
export async function readManifest(
  folder: string,
  origin: FoundType["origin"],
  shown: string,
): Promise<ManifestResult> {
  const text = await readText(join(folder, "manifest.json"), maxConfigBytes);
  if (typeof text !== "string")
    return { problems: [{ file: shown, line: 0, column: 0, message: text.message, hint: text.hint }] };
  const source = new SourceFile(shown, text);
  const fail = (...findings: Finding[]): ManifestResult => ({
    problems: findings.map((finding) => source.problem(finding)),
  });

  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (error) {
    return fail(jsonFinding(error as Error, text));
  }
  // One of our own, as it was when its check was made: nothing can be wrong with it.
  const made = origin === "built-in" ? await madeBeforehand(basename(folder), data) : undefined;
  const wrong = made === undefined ? mistakesIn(data, source) : [];
  if (wrong.length > 0) return fail(...wrong);
  const manifest = data as Manifest;
  const entry = await findEntry(folder, manifest, origin);
  if (typeof entry !== "string") return fail(entry);
  return {
    type: {
      type: manifest.type,
      folder,
      entry,
      manifest,
      origin,
      hash: hashOf(manifest),
    },
  };
}

const hashOf = (manifest: unknown): string => sha256(canonicalJson(manifest));

function mistakesIn(data: unknown, source: SourceFile): Finding[] {
  // JSON is YAML: the same parser gives the places.
  const { root, findings, syntax } = parseSource(source);
  if (root === undefined || findings.length + syntax.length > 0) return [...syntax, ...findings];
  if (!validManifest(data)) {
    const errors = (validManifest.errors ?? []).map((error) => ({ ...error, schemaPath: "" }));
    return explain(errors, { root, source, label: "", secrets: new Set(), alsoKnown: manifestKeys });
  }
  const { properties = {} } = (data as Manifest).config as { properties?: object };
  const reserved = reservedKeys.find((key) => Object.hasOwn(properties, key));
  if (reserved === undefined) return [];
  return [{ offset: 0, message: `the config key \`${reserved}\` is taken`, hint: "Rename it." }];
}

/** By hash of the manifest. Also for reloads: only what was edited is compiled again. */
const compiled = new Map<string, Check>();

/** The check that schema/generate.ts made of this very manifest. */
async function madeBeforehand(type: string, manifest: unknown): Promise<Check | undefined> {
  const file = join(import.meta.dirname, `../../schema/validators/types/${type}.js`);
  if (!existsSync(file)) return undefined;
  const made = (await import(pathToFileURL(file).href)) as { check: Check; hash: string };
  if (made.hash !== hashOf(manifest)) return undefined;
  compiled.set(made.hash, made.check);
  return made.check;
}

/** The validator of the connector's own keys, or what is wrong with its schema. Compiled at first use. */
export async function configCheck(type: FoundType, shown: string): Promise<Check | ConfigProblem> {
  const known = compiled.get(type.hash);
  if (known) return known;
  const { closed, compileSchema } = await import("./compiler.ts");
  try {
    const check = compileSchema(closed(type.manifest.config));
    compiled.set(type.hash, check);
    return check;
  } catch (error) {
    const message = `\`config\` is no usable JSON Schema: ${(error as Error).message}`;
    return { file: shown, line: 1, column: 1, message, hint: "It is draft-07, with `secret` added." };
  }
}

const manifestKeys = [
  "type",
  "title",
  "description",
  "entry",
  "loader",
  "direction",
  "features",
  "config",
  "runtime",
  "capabilities",
];

/** The engine tells the position only in some messages; in others it quotes ten characters before it. */
function jsonFinding(error: Error, text: string): Finding {
  const [what, position] = error.message.split(/ in JSON(?: at position )?/);
  const quoted = /^(.*?), (\.\.\.)?"([\s\S]*?)"(?:\.\.\.)? is not valid JSON$/.exec(error.message);
  const [, unexpected, ellipsis, context = ""] = quoted ?? [];
  const near = ellipsis === undefined ? 0 : text.indexOf(context) + 10;
  const offset = Math.min(text.length, Number.parseInt(position ?? "", 10) || Math.max(0, near));
  return { offset, message: `is not JSON: ${unexpected ?? what}`, hint: "Write one JSON object." };
}

/** The module to load, or what is wrong. */
async function findEntry(
  folder: string,
  manifest: Manifest,
  origin: FoundType["origin"],
): Promise<string | Finding> {
  for (const name of manifest.entry === undefined ? ["connector.ts", "connector.js"] : [manifest.entry]) {
    const path = join(folder, name);
    const inside = relative(folder, path);
    if (inside === "" || inside.startsWith(`..${sep}`) || isAbsolute(name)) {
      return {
        offset: 0,
        message: `\`entry\` is ${JSON.stringify(name)}, expected a file in the connector's folder`,
      };
    }
    try {
      if (!(await stat(path)).isFile()) continue;
    } catch {
      continue; // not there, or not to be looked at: the same to us
    }
    const loads = manifest.loader === "tsx" || origin !== "package" || !/\.[cm]?ts$/.test(name);
    if (!loads && (await realpath(path)).includes(`${sep}node_modules${sep}`)) {
      return {
        offset: 0,
        message: `${name} is TypeScript, which Node does not run from node_modules`,
        hint: 'Ship connector.js, or set "loader": "tsx".',
      };
    }
    return path;
  }
  const wanted = manifest.entry ?? "connector.ts or connector.js";
  return {
    offset: 0,
    message: `its code is missing: there is no ${wanted} in its folder`,
    hint: "Add the file, or name it as `entry`.",
  };
}
