// connectors.yml → LoadedConfig: every mistake at once, each in its place; a bad entry disables only itself.
//
//   read ─▶ parse ─▶ interpolate ─▶ each entry ─▶ connectors | invalid
//     └───────┴─▶ unusable: nothing can be told about any entry
import { join, resolve } from "node:path";
import { readDefaults, type Defaults } from "./defaults.ts";
import { parseSource, type PlacedFinding } from "./document.ts";
import { strangeKey, type ListNode, type MapNode, type Node } from "./tree.ts";
import { describe } from "./wording.ts";
import { readEntry, type EntryResult } from "./entry.ts";
import { interpolate, readVariables, type Variables } from "./interpolate.ts";
import type { ConfigProblem, LoadedConfig } from "./model.ts";
import { readPolicy } from "./policy.ts";
import { maxConfigBytes, readText, type UnreadableFile } from "./read.ts";
import { SourceFile, type Finding } from "./source.ts";
import { didYouMean, nearest } from "./suggest.ts";
import { findTypes, packageRoot, showPath } from "./types.ts";

export interface LoadOptions {
  /** Variables for ${NAME}; they win over <home>/.env. Default: process.env. */
  env?: Variables;
  /** The folder that Spoolway itself is in, with config/defaults.yml and connectors/. */
  root?: string;
}

const fileName = "connectors.yml";
/** Each one is a process. */
const maxConnectors = 1000;
/** Of one entry. */
const maxFindings = 50;
const example = "Write e.g.\nconnectors:\n  - name: web\n    type: webhook\nor, for none: connectors: []";

/** Never throws for what people wrote; everything that is wrong is in `problems`. */
export async function loadConfig(home: string, options: LoadOptions = {}): Promise<LoadedConfig> {
  const base = resolve(home);
  const path = join(base, fileName);
  const [defaults, policy, text, environment] = await Promise.all([
    readDefaults(base, options.root ?? packageRoot),
    readPolicy(base),
    readText(path, maxConfigBytes),
    readVariables(base, options.env ?? process.env),
  ]);
  const files = new Set([path, environment.file, policy.file, ...defaults.files]);
  const outcome = new Outcome(defaults, files);
  outcome.problems.push(...policy.problems);
  if (environment.unreadable)
    outcome.problems.push(fileProblem(showPath(base, environment.file), environment.unreadable));
  if (typeof text !== "string") {
    const other =
      text.missing && typeof (await readText(join(base, "connectors.yaml"), maxConfigBytes)) === "string";
    const hint = other
      ? "Rename connectors.yaml to connectors.yml."
      : text.missing
        ? `Create it in ${base}, or name another folder with --home. ${example}`
        : text.hint;
    return outcome.unusable([{ ...fileProblem(fileName, text), hint }]);
  }

  const source = new SourceFile(fileName, text);
  const parsed = parseSource(source);
  if (parsed.syntax.length > 0)
    return outcome.unusable(parsed.syntax.map((finding) => source.problem(finding)));
  const list = findList(parsed.root, source);
  const general = parsed.findings.filter(({ path }) => entryIndex(path) === undefined);
  if (list.entries === undefined || general.length > 0) {
    // No entry was read, so nothing is known of its secrets.
    const unparsed = [...general, ...list.findings].map((finding) => ({ ...finding, unparsed: true }));
    return outcome.unusable(unparsed.map((finding) => source.problem(finding)));
  }

  const types = await findTypes(base, options.root);
  const usable = defaults.problems.length > 0 ? undefined : defaults.connector;
  const names = new Map<string, number>();
  const context = { home: base, source, types, defaults: usable, policy, files, names };
  const results: EntryResult[] = [];
  for (const [index, node] of list.entries.items.entries()) {
    const before = parsed.findings.filter(({ path }) => entryIndex(path) === index);
    const missing = await interpolate(node, { home: base, variables: environment.variables, source, files });
    const result = await readEntry(node, index, context);
    results.push({ ...result, findings: sorted([...before, ...missing, ...result.findings]) });
  }
  // Only now is everything known that must not be shown.
  outcome.problems.push(...list.findings.map((finding) => source.problem(finding)));
  for (const { label, type, findings, problems: more = [], revoked, config } of results) {
    const problems = [...findings.map((finding) => source.problem(finding, label)), ...more];
    const entry = { name: label, type, problems, ...(revoked === undefined ? {} : { revoked }) };
    // Grants of a connector that runs unconfined apply to nobody: a mistake in them is no reason not to run it.
    outcome.add(entry, findings.length > 0 ? undefined : config);
  }
  const sandboxed = new Map(results.map(({ label, sandboxed }) => [label, sandboxed]));
  outcome.problems.push(...policy.problemsOfOthers(new Set(sandboxed.keys())));
  outcome.warnings.push(...policy.warnings(sandboxed));
  return outcome.result();
}

/** Collects what a LoadedConfig is made of. */
class Outcome {
  readonly problems: ConfigProblem[];
  readonly warnings: ConfigProblem[] = [];
  private readonly connectors: LoadedConfig["connectors"] = [];
  private readonly invalid: LoadedConfig["invalid"] = [];
  private readonly defaults: Defaults;
  private readonly files: ReadonlySet<string>;

  constructor(defaults: Defaults, files: ReadonlySet<string>) {
    this.defaults = defaults;
    this.files = files;
    this.problems = [...defaults.problems];
  }

  add(entry: LoadedConfig["invalid"][number], config: LoadedConfig["connectors"][number] | undefined): void {
    this.problems.push(...entry.problems);
    if (config !== undefined) this.connectors.push(config);
    else if (entry.problems.length > 0) this.invalid.push(entry);
  }

  result(unusable = this.defaults.problems.length > 0): LoadedConfig {
    const { connectors, invalid, problems, warnings } = this;
    const files = [...this.files];
    return {
      connectors: unusable ? [] : connectors,
      invalid,
      supervisor: this.defaults.supervisor,
      problems,
      warnings,
      unusable,
      files,
    };
  }

  unusable(problems: readonly ConfigProblem[]): LoadedConfig {
    this.problems.push(...problems);
    return this.result(true);
  }
}

const fileProblem = (file: string, { message, hint }: UnreadableFile): ConfigProblem => ({
  file,
  line: 0,
  column: 0,
  message,
  hint,
});

/** The number of the entry that a path leads into. */
function entryIndex(path: PlacedFinding["path"]): number | undefined {
  return path[0] === "connectors" && typeof path[1] === "number" ? path[1] : undefined;
}

/** In the order of the file; after so many nobody reads on. */
function sorted(findings: Finding[]): Finding[] {
  const all = findings.sort((a, b) => (a.offset ?? 0) - (b.offset ?? 0));
  if (all.length <= maxFindings) return all;
  const rest = {
    offset: all[maxFindings]?.offset,
    message: `and ${all.length - maxFindings} more mistakes in this entry`,
    hint: "Correct the ones above first.",
  };
  return [...all.slice(0, maxFindings), rest];
}

/** The list of entries, and what is wrong around it. */
function findList(root: Node | undefined, source: SourceFile): { entries?: ListNode; findings: Finding[] } {
  const isEmpty = root === undefined || (root.kind === "scalar" && root.value === null);
  if (isEmpty) return { findings: [{ offset: 0, message: "there is nothing in it", hint: example }] };
  if (root.kind !== "map") {
    source.hide(root.start, root.end);
    const hint = root.kind === "list" ? "Put `connectors:` above the list." : example;
    return {
      findings: [
        {
          offset: root.start,
          message: `found ${describe(root, true)}, expected the key \`connectors\``,
          hint,
        },
      ],
    };
  }
  const findings = unknownKeys(root, source);
  const found = root.entries.get("connectors");
  if (found === undefined) {
    if (findings.some(({ hint }) => hint?.includes("`connectors`"))) return { findings };
    return {
      findings: [
        ...findings,
        { offset: root.start, message: "the key `connectors` is missing", hint: example },
      ],
    };
  }
  if (found.node.kind === "list" && found.node.items.length > maxConnectors) {
    const message = `${found.node.items.length} connectors, at most ${maxConnectors} are allowed`;
    return {
      findings: [...findings, { offset: found.keyStart, message, hint: "Divide them among several homes." }],
    };
  }
  if (found.node.kind === "list") return { entries: found.node, findings };
  const { node } = found;
  const isNull = node.kind === "scalar" && node.value === null;
  if (!isNull) source.hide(node.start, node.end);
  const hint =
    node.kind === "map"
      ? "Start each connector with `- name:`."
      : isNull
        ? "For none write: connectors: []"
        : example;
  const message = `\`connectors\` is ${describe(node, true)}, expected a list`;
  return { findings: [...findings, { offset: isNull ? found.keyStart : node.start, message, hint }] };
}

function unknownKeys(root: MapNode, source: SourceFile): Finding[] {
  const misplaced = ["name", "type", "runtime"];
  return [...root.entries].flatMap(([key, { keyStart, node }]) => {
    if (key === "connectors") return [];
    source.hide(node.start, node.end);
    const hint =
      nearest(key, misplaced) !== undefined
        ? "It belongs to an entry of `connectors`."
        : didYouMean(key, ["connectors"], "the only key here");
    return [{ offset: keyStart, message: `unknown key \`${strangeKey(root, key, source)}\``, hint }];
  });
}
