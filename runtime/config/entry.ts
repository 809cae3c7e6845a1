// One entry of connectors.yml → a ConnectorConfig, or everything that is wrong with it.
//
//   name ─┐
//   type ─┼─▶ manifest ─▶ own keys against its schema ─▶ settings (defaults ◁ manifest ◁ entry) ─▶ fingerprint
//   runtime┘
import type { Manifest, RuntimeSettings } from "../../schema/types.ts";
import { checkRuntime } from "../../schema/validators/config.js";
import { type Grants, noGrants } from "../sandbox/grants.ts";
import { isInstanceName } from "../spool/names.ts";
import { canonicalJson, deepFreeze, sha256 } from "./canonical.ts";
import { scalars, toPlain, type MapNode, type Node, type ScalarNode } from "./tree.ts";
import { describe } from "./wording.ts";
import { grantsFor } from "./grant.ts";
import { reservedKeys } from "./manifest.ts";
import type { ConfigProblem, ConnectorConfig } from "./model.ts";
import { type Policy, policyFile } from "./policy.ts";
import { checkRanges, checkRetry, connectorSettings, overlay } from "./settings.ts";
import type { Finding, SourceFile } from "./source.ts";
import { clip, nearest } from "./suggest.ts";
import { resolveType, type FoundType, type TypeFolders } from "./types.ts";
import { checkNode, collectText, hideSecrets, type Check } from "./validate.ts";

/** What the entries of one file share. */
export interface EntryContext {
  home: string;
  source: SourceFile;
  types: TypeFolders;
  /** From config/defaults.yml; undefined when that is broken. */
  defaults: RuntimeSettings | undefined;
  policy: Policy;
  /** Absolute paths of what was read; added to. */
  files: Set<string>;
  /** Line of the entry that has a name already. */
  names: Map<string, number>;
}

export interface EntryResult {
  /** The name, or what stands for it (LoadedConfig.invalid). */
  label: string;
  /** As written, "" where there is none. */
  type: string;
  findings: Finding[];
  /** Of config/policy.yml. */
  problems?: ConfigProblem[];
  /** It needs what is not granted. */
  revoked?: true;
  /** Whether it runs in the sandbox; absent where that is not known. */
  sandboxed?: boolean;
  config?: ConnectorConfig;
}

/** `index` counts from 0. */
export async function readEntry(node: Node, index: number, context: EntryContext): Promise<EntryResult> {
  const { source } = context;
  const numbered = `#${index + 1}`;
  if (node.kind !== "map") {
    if (node.kind === "scalar" && node.broken === true) return { label: numbered, type: "", findings: [] };
    const message = `entry ${index + 1} is ${describe(node, true)}, expected a group with name, type and the connector's keys`;
    source.hide(node.start, node.end);
    return {
      label: numbered,
      type: "",
      findings: [{ offset: node.start, message, hint: "Write: - name: web, and below it: type: webhook" }],
    };
  }
  const findings: Finding[] = [];
  const name = requiredText(node, "name", findings);
  const label = checkName(name, numbered, context, findings);
  const typeNode = requiredText(node, "type", findings);
  const written = typeof typeNode?.value === "string" ? typeNode.value : "";
  const found = typeNode === undefined ? undefined : await checkType(typeNode, written, context, findings);
  // Shown in status and log, so what came from outside is not.
  const type = typeNode?.inserted === undefined ? clip(written) : typeNode.inserted.labels.join("");
  const runtime = checkRuntimeKey(node, source, findings);

  const own: MapNode = { ...node, entries: new Map(node.entries) };
  for (const key of reservedKeys) own.entries.delete(key);
  if (found === undefined) {
    // Without the manifest nobody knows which of them are secrets.
    for (const { node: value } of own.entries.values()) hideSecrets(value, source);
    suggestReserved(own, findings);
    return { label, type, findings };
  }
  const checked = checkNode(found.check, own, source, "", reservedKeys);
  // A misspelt name or type was suggested with the unknown key.
  const result = {
    label,
    type: found.type.type,
    findings: [...withoutMisspelt(findings, own), ...checked.findings],
  };
  if (result.findings.length > 0 || context.defaults === undefined) return result;

  const raw = overlay(overlay(context.defaults, found.type.manifest.runtime), runtime);
  const settings = connectorSettings(raw);
  const retryFindings = checkRetry(settings, node);
  if (retryFindings.length > 0) return { ...result, findings: retryFindings };
  const secrets = secretsOf(own, checked.secrets);
  if (!settings.sandbox) {
    const problems = context.policy.problemsOf(label, false);
    const config = build(label, found.type, checked.value, settings, secrets, noGrants);
    return { ...result, problems, sandboxed: false, config };
  }
  const outcome = await readGrants(node, { name: label, type: found.type, config: checked.value }, context);
  if (!("grants" in outcome)) return { ...result, ...outcome, sandboxed: true };
  const config = build(label, found.type, checked.value, settings, secrets, outcome.grants);
  return { ...result, sandboxed: true, config };
}

/** What config/policy.yml grants to an entry that runs in the sandbox, or why it must not run. */
async function readGrants(
  node: MapNode,
  wanted: { name: string; type: FoundType; config: Record<string, unknown> },
  { home, policy }: EntryContext,
): Promise<{ grants: Grants } | Pick<EntryResult, "findings" | "problems" | "revoked">> {
  const offset = node.entries.get("runtime")?.keyStart ?? node.start;
  if (policy.problems.length > 0) {
    const message = `it runs in the sandbox, and ${policyFile} cannot be used`;
    return { findings: [{ offset, message, hint: "Correct that file." }] };
  }
  const problems = policy.problemsOf(wanted.name, true);
  if (problems.length > 0) return { findings: [], problems };
  const granted = await grantsFor({ ...wanted, home }, policy.entryOf(wanted.name));
  return "grants" in granted ? granted : { findings: [{ offset, ...granted }], revoked: true };
}

function build(
  name: string,
  found: FoundType,
  config: Record<string, unknown>,
  settings: ConnectorConfig["settings"],
  secrets: string[],
  grants: Grants,
): ConnectorConfig {
  const { type, entry, folder, hash } = found;
  const loader: NonNullable<Manifest["loader"]> = found.manifest.loader ?? "node";
  const fingerprint = sha256(canonicalJson({ type, config, settings, entry, grants, manifest: hash }));
  return deepFreeze({
    name,
    type,
    config,
    settings,
    entry,
    folder,
    grants,
    loader,
    secrets,
    fingerprint,
  });
}

/** Everything that came from a variable or a file, and everything that the manifest calls secret. */
function secretsOf(own: MapNode, declared: readonly string[]): string[] {
  const secrets = new Set(declared);
  for (const { inserted } of scalars(own)) collectText(inserted?.values ?? [], secrets);
  return [...secrets];
}

/** The text under a key that every entry needs. */
function requiredText(entry: MapNode, key: "name" | "type", findings: Finding[]): ScalarNode | undefined {
  const found = entry.entries.get(key);
  if (found === undefined) {
    findings.push({ offset: entry.start, message: `\`${key}\` is missing`, hint: `Add: ${key}: …` });
    return undefined;
  }
  const { node, keyStart } = found;
  if (node.kind === "scalar" && node.broken === true) return undefined;
  if (node.kind === "scalar" && typeof node.value === "string") return node;
  const hint =
    node.kind === "scalar" && node.value !== null
      ? `Put it in quotes: "${String(node.value)}"`
      : `Write: ${key}: …`;
  const offset = node.start === node.end ? keyStart : node.start;
  findings.push({ offset, message: `\`${key}\` is ${describe(node, false)}, expected text`, hint });
  return undefined;
}

/** The label of the entry: its name where that is valid and its own. */
function checkName(
  node: ScalarNode | undefined,
  numbered: string,
  context: EntryContext,
  findings: Finding[],
): string {
  if (node === undefined) return numbered;
  const name = String(node.value);
  if (!isInstanceName(name)) {
    const simple = name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .replace(/^-+|-+$/g, "")
      .slice(0, 63);
    const suggestion = node.inserted === undefined && simple !== "" ? ` Did you mean \`${simple}\`?` : "";
    findings.push({
      offset: node.start,
      message: `\`name\` is ${describe(node, false)}, which cannot name a folder`,
      hint: `Use at most 63 of a-z, 0-9 and -, with a letter or digit first.${suggestion}`,
    });
    return numbered;
  }
  const { line } = context.source.lines.linePos(node.start);
  const first = context.names.get(name);
  if (first === undefined) {
    context.names.set(name, line);
    return name;
  }
  findings.push({
    offset: node.start,
    message: `the name \`${name}\` in line ${line} is taken by the entry in line ${first}`,
    hint: "Give each connector a name of its own. The first one is kept.",
  });
  return `${name}${numbered}`;
}

async function checkType(
  node: ScalarNode,
  type: string,
  context: EntryContext,
  findings: Finding[],
): Promise<{ type: FoundType; check: Check } | undefined> {
  const resolved = await resolveType(context.home, type, context.types);
  if (resolved.file !== undefined) context.files.add(resolved.file);
  if ("type" in resolved) return resolved;
  const message =
    node.inserted === undefined ? resolved.message : `\`type\` is ${describe(node, false)}: no such type`;
  findings.push({ offset: node.start, message, hint: resolved.hint });
  return undefined;
}

function checkRuntimeKey(entry: MapNode, source: SourceFile, findings: Finding[]): RuntimeSettings {
  const found = entry.entries.get("runtime");
  if (found === undefined) return {};
  const { node, keyStart } = found;
  if (node.kind !== "map") {
    if (node.kind === "scalar" && node.broken === true) return {};
    const offset = node.start === node.end ? keyStart : node.start;
    findings.push({
      offset,
      message: `\`runtime\` is ${describe(node, false)}, expected a group of keys`,
      hint: "Write e.g. runtime: { rate: 5/s }",
    });
    return {};
  }
  const checked = checkNode(checkRuntime, node, source, "runtime");
  findings.push(...checked.findings, ...checkRanges(node, "runtime"));
  return checked.findings.length === 0 ? (toPlain(node) as RuntimeSettings) : {};
}

/** `nmae: web` in an entry of which no manifest is known. */
function suggestReserved(own: MapNode, findings: Finding[]): void {
  for (const finding of findings) {
    const key = missingKey(finding);
    const meant = key === undefined ? undefined : nearestKey(own, key);
    if (meant === undefined) continue;
    const entry = own.entries.get(meant);
    finding.offset = entry?.keyStart ?? finding.offset;
    finding.message = `unknown key \`${meant}\``;
    finding.hint = `did you mean \`${key}\`?`;
  }
}

const withoutMisspelt = (findings: Finding[], own: MapNode): Finding[] =>
  findings.filter((finding) => nearestKey(own, missingKey(finding) ?? "") === undefined);

const missingKey = (finding: Finding): string | undefined =>
  /^`(name|type)` is missing$/.exec(finding.message)?.[1];

/** A key of the map that is near to the one that is missing. */
function nearestKey(own: MapNode, key: string): string | undefined {
  return key === ""
    ? undefined
    : [...own.entries.keys()].find((candidate) => nearest(candidate, [key]) !== undefined);
}
