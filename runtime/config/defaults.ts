// config/defaults.yml: Spoolway's own, and the home's over it. A mistake here belongs to no connector: it makes the configuration unusable.
import { join } from "node:path";
import type { DefaultsFile, RuntimeSettings, SupervisorDefaults } from "../../schema/types.ts";
import { checkDefaults } from "../../schema/validators/config.js";
import { SpoolwayError } from "../errors.ts";
import { parseSource } from "./document.ts";
import { toPlain } from "./tree.ts";
import type { ConfigProblem, SupervisorSettings } from "./model.ts";
import { checkRanges, connectorSettings, overlay, supervisorSettings } from "./settings.ts";
import { maxConfigBytes, readText } from "./read.ts";
import { SourceFile } from "./source.ts";
import { showPath } from "./types.ts";
import { checkNode } from "./validate.ts";

export interface Defaults {
  connector: RuntimeSettings;
  supervisor: SupervisorSettings;
  /** Any of them makes the configuration unusable. */
  problems: ConfigProblem[];
  files: string[];
}

/** Reads both files; where they are one and the same file, once. */
export async function readDefaults(home: string, root: string): Promise<Defaults> {
  const own = join(root, "config/defaults.yml");
  const over = join(home, "config/defaults.yml");
  const problems: ConfigProblem[] = [];
  let connector: RuntimeSettings = {};
  let supervisor: SupervisorDefaults = {};
  for (const file of new Set([own, over])) {
    const read = await readOne(file, showPath(home, file), file === own);
    problems.push(...read.problems);
    if (read.problems.length > 0) continue;
    connector = overlay(connector, read.raw.connector);
    supervisor = { ...supervisor, ...read.raw.supervisor };
  }
  const result = { connector, supervisor: lastResort, problems, files: [...new Set([own, over])] };
  if (problems.length > 0) return result;
  try {
    connectorSettings(connector);
    return { ...result, supervisor: supervisorSettings(supervisor) };
  } catch (error) {
    if (!(error instanceof SpoolwayError)) throw error;
    problems.push({
      file: showPath(home, own),
      line: 0,
      column: 0,
      message: error.message,
      hint: error.hint,
    });
    return result;
  }
}

async function readOne(
  path: string,
  shown: string,
  needed: boolean,
): Promise<{ raw: DefaultsFile; problems: ConfigProblem[] }> {
  const text = await readText(path, maxConfigBytes);
  if (typeof text !== "string") {
    if (text.missing && !needed) return { raw: {}, problems: [] };
    return {
      raw: {},
      problems: [{ file: shown, line: 0, column: 0, message: text.message, hint: text.hint }],
    };
  }
  const source = new SourceFile(shown, text);
  const { root, syntax, findings } = parseSource(source);
  if (root === undefined) return { raw: {}, problems: syntax.map((finding) => source.problem(finding)) };
  if (root.kind !== "map") {
    const finding = {
      offset: root.start,
      message: "expected the groups `connector` and `supervisor`",
      hint: "Write e.g. connector: { drain: 20s }",
    };
    return { raw: {}, problems: [source.problem(finding)] };
  }
  const checked = checkNode(checkDefaults, root, source, "");
  const ranges = [...root.entries].flatMap(([key, { node }]) =>
    node.kind === "map" ? checkRanges(node, key) : [],
  );
  const all = [...findings, ...checked.findings, ...ranges];
  return { raw: toPlain(root) as DefaultsFile, problems: all.map((finding) => source.problem(finding)) };
}

/** Stands in LoadedConfig while config/defaults.yml is broken; nothing runs with it. A test holds it equal to the file. */
export const lastResort: SupervisorSettings = supervisorSettings({
  backoff_base: "1s",
  backoff_max: "5m",
  healthy_after: "10m",
  park_crashes: 5,
  park_within: "1m",
  park_for: "15m",
  watchdog: "10s",
  start_grace: "60s",
  kill_after: "5s",
  shutdown: "20s",
  log_line_bytes: 8192,
  log_lines_per_s: 200,
});
