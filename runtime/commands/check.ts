// spoolway check: is connectors.yml right? Starts nothing and changes nothing.
import { dirname, join } from "node:path";
import { loadConfig, type LoadOptions } from "../config/load.ts";
import type { ConfigProblem, LoadedConfig } from "../config/model.ts";
import { formatProblems, painter, problemJson } from "../config/report.ts";
import { listTypes } from "../config/types.ts";
import { installHint, missingLibraries } from "../libraries.ts";
import { sandboxProblem } from "../sandbox/available.ts";
import { columns } from "../config/columns.ts";

export interface CheckOptions extends LoadOptions {
  home: string;
  json: boolean;
  color: boolean;
  out: NodeJS.WritableStream;
}

/** Prints every connector and every problem. Resolves with the exit code: 0 all is well, 1 there are problems. */
export async function check(options: CheckOptions): Promise<number> {
  const { home, json, color, out, ...loading } = options;
  const loaded = await loadConfig(home, loading);
  // A broken type that no entry uses disturbs no connector, but this is the place to hear of it.
  const { problems: ofTypes } = await listTypes(home, loading.root);
  const problems = [...loaded.problems, ...ofTypes, ...uninstalled(loaded), ...sandboxProblems(loaded)];
  out.write(
    json ? `${JSON.stringify(asJson(loaded, problems), null, 2)}\n` : asText(home, loaded, problems, color),
  );
  return problems.length === 0 ? 0 : 1;
}

/** Connectors whose libraries are not installed: they will not start. */
function uninstalled({ connectors }: LoadedConfig): ConfigProblem[] {
  return connectors.flatMap(({ name, type, entry, settings }) => {
    const missing = settings.enabled ? missingLibraries(dirname(entry)) : [];
    if (missing.length === 0) return [];
    const message = `${name} needs ${missing.join(", ")}, which is not installed`;
    return [
      { file: "connectors.yml", line: 0, column: 0, message, hint: installHint(type), connector: name },
    ];
  });
}

/** Connectors that ask for a sandbox where none can be made: they will not start. */
function sandboxProblems({ connectors }: LoadedConfig): ConfigProblem[] {
  const asking = connectors.filter(({ settings }) => settings.sandbox && settings.enabled);
  const problem = asking.length === 0 ? undefined : sandboxProblem();
  if (problem === undefined) return [];
  return asking.map(({ name }) => ({
    file: "connectors.yml",
    line: 0,
    column: 0,
    message: `${name} asks for the sandbox: ${problem.message}`,
    hint: problem.hint,
    connector: name,
  }));
}

function asJson(loaded: LoadedConfig, problems: readonly ConfigProblem[]): Record<string, unknown> {
  const valid = loaded.connectors.map(({ name, type, settings }) => ({
    name,
    type,
    valid: true,
    enabled: settings.enabled,
  }));
  const invalid = loaded.invalid.map(({ name, type }) => ({ name, type, valid: false }));
  return {
    ok: problems.length === 0,
    usable: !loaded.unusable,
    connectors: [...valid, ...invalid],
    problems: problems.map(problemJson),
    warnings: loaded.warnings.map(problemJson),
  };
}

function asText(
  home: string,
  loaded: LoadedConfig,
  problems: readonly ConfigProblem[],
  color: boolean,
): string {
  const paint = painter(color);
  const rows = [
    ...loaded.connectors.map(({ name, type, settings }) => [
      name,
      type,
      settings.enabled ? paint("green", "ok") : paint("yellow", "ok, disabled"),
    ]),
    ...loaded.invalid.map(({ name, type, problems }) => [
      name,
      type,
      paint("red", `invalid (${count(problems.length, "problem")})`),
    ]),
  ];
  const parts = [`${paint("bold", "Checked")} ${join(home, "connectors.yml")}`];
  if (rows.length > 0) parts.push(columns(["CONNECTOR", "TYPE", "CONFIGURATION"], rows, color));
  if (problems.length > 0) parts.push(formatProblems(problems, color));
  if (loaded.warnings.length > 0) parts.push(formatProblems(loaded.warnings, color, "warning"));
  parts.push(summary(loaded, problems, paint));
  return `${parts.join("\n\n")}\n`;
}

function summary(
  loaded: LoadedConfig,
  problems: readonly ConfigProblem[],
  paint: ReturnType<typeof painter>,
): string {
  const runs = count(loaded.connectors.length, "connector");
  if (problems.length === 0)
    return paint(
      "green",
      loaded.connectors.length === 0 ? "No mistakes. No connectors yet." : `No mistakes. ${runs} can run.`,
    );
  const found = count(problems.length, "problem");
  if (loaded.unusable) return paint("red", `${found}. Nothing can run until this is corrected.`);
  return paint("yellow", `${found}. ${runs} can run, ${loaded.invalid.length} cannot.`);
}

const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`;
