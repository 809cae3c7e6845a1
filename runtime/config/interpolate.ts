// ${NAME}, ${NAME:-default} and ${file:path} in texts; $${ is a literal ${. What was inserted is remembered, so that it is never shown.
import { resolve } from "node:path";
import { parseEnv } from "node:util";
import { scalars, type Node, type ScalarNode } from "./tree.ts";
import { readText, UnreadableFile } from "./read.ts";
import type { Finding, SourceFile } from "./source.ts";
import { nearest } from "./suggest.ts";

export const maxInsertedBytes = 65_536;

export type Variables = Readonly<Record<string, string | undefined>>;

type Part =
  | { kind: "text"; text: string }
  | { kind: "variable"; label: string; name: string; fallback: string | undefined }
  | { kind: "file"; label: string; path: string }
  | { kind: "wrong"; label: string };

/** The parts of a template. */
export function parseTemplate(template: string): Part[] {
  const parts: Part[] = [];
  let done = 0;
  for (const match of template.matchAll(/\$(\$?)\{([^}]*)(\}?)/g)) {
    if (match.index < done) continue;
    if (match.index > done) parts.push({ kind: "text", text: template.slice(done, match.index) });
    const [whole, escape, inside = "", closed] = match;
    if (escape === "$") {
      // Only the `$${` itself: what stands between the braces may hold more templates.
      parts.push({ kind: "text", text: "${" });
      done = match.index + 3;
      const rest = template.slice(done);
      return [...parts, ...parseTemplate(rest)];
    }
    done = match.index + whole.length;
    const variable = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/.exec(inside);
    const file = /^file:(.+)$/.exec(inside);
    if (closed === "") parts.push({ kind: "wrong", label: "a ${ without its }" });
    else if (variable)
      parts.push({
        kind: "variable",
        label: `\${${variable[1]}}`,
        name: variable[1] ?? "",
        fallback: variable[2],
      });
    else if (file) parts.push({ kind: "file", label: `\${file:${file[1]}}`, path: file[1] ?? "" });
    // What was written is not shown: it may be a password with a ${ in it.
    else parts.push({ kind: "wrong", label: "a ${…} of no known form" });
  }
  if (done < template.length) parts.push({ kind: "text", text: template.slice(done) });
  return parts;
}

export interface Interpolation {
  home: string;
  variables: Variables;
  source: SourceFile;
  /** Absolute paths of the inserted files are added to it. */
  files: Set<string>;
}

/** Inserts into every text of the tree, in place. What is missing is a finding, and its value is marked as broken. */
export async function interpolate(root: Node, given: Interpolation): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const scalar of scalars(root)) {
    if (typeof scalar.value !== "string" || !scalar.value.includes("${")) continue;
    await insert(scalar, scalar.value, given, findings);
  }
  return findings;
}

async function insert(
  scalar: ScalarNode,
  template: string,
  given: Interpolation,
  findings: Finding[],
): Promise<void> {
  const parts = parseTemplate(template);
  const labels: string[] = [];
  const values: string[] = [];
  let out = "";
  let from = scalar.start;
  const fail = (label: string, message: string, hint: string): void => {
    scalar.broken = true;
    const found = given.source.text.indexOf(label.startsWith("${") ? label.slice(0, -1) : "${", from);
    const offset = found === -1 || found >= scalar.end ? scalar.start : found;
    from = offset + 1;
    findings.push({ offset, message, hint });
  };
  for (const part of parts) {
    if (part.kind === "text") {
      out += part.text;
      continue;
    }
    labels.push(part.label);
    if (part.kind === "wrong") {
      fail(
        part.label,
        part.label,
        "Write ${NAME}, ${NAME:-default} or ${file:path}; for a literal ${ write $${",
      );
      continue;
    }
    const value =
      part.kind === "file" ? await fileValue(part.path, given) : variableValue(part.name, given.variables);
    if (typeof value === "string" && (value !== "" || part.kind === "file" || part.fallback === undefined)) {
      out += value;
      values.push(value);
    } else if (part.kind === "variable" && part.fallback !== undefined) {
      out += part.fallback;
    } else if (part.kind === "variable") {
      const near = nearest(part.name, Object.keys(given.variables));
      fail(
        part.label,
        `the variable ${part.name} is not set`,
        near !== undefined
          ? `did you mean \`${near}\`?`
          : `Set it in the environment or in .env beside connectors.yml, or give a default: \${${part.name}:-value}`,
      );
    } else if (value instanceof UnreadableFile) {
      fail(
        part.label,
        `the file of ${part.label} ${value.message}`,
        `${value.hint} Paths are relative to the folder of connectors.yml.`,
      );
    }
  }
  const whole = parts.length === 1 && parts[0]?.kind !== "text";
  // A text around or instead of the inserted value may be half of a secret: only a bare ${NAME} may be shown.
  if (!whole || scalar.broken === true) hideUnlessBare(scalar, given.source);
  if (scalar.broken !== true) scalar.value = out;
  if (labels.length > 0) scalar.inserted = { labels, whole, values };
}

/** A value that is only one ${NAME} or ${file:path} holds no secret itself. */
export function isBare(scalar: ScalarNode, source: SourceFile): boolean {
  const written = source.text.slice(scalar.start, scalar.end).trim();
  return /^(["']?)\$\{(?:[A-Za-z_][A-Za-z0-9_]*|file:[^}\n]+)\}\1$/.test(written);
}

function hideUnlessBare(scalar: ScalarNode, source: SourceFile): void {
  if (!isBare(scalar, source)) source.hide(scalar.start, scalar.end);
}

function variableValue(name: string, variables: Variables): string | undefined {
  return Object.hasOwn(variables, name) ? variables[name] : undefined;
}

/** Without the line end that editors and `echo` leave behind. */
async function fileValue(path: string, given: Interpolation): Promise<string | UnreadableFile> {
  const absolute = resolve(given.home, path);
  given.files.add(absolute);
  const text = await readText(absolute, maxInsertedBytes);
  return typeof text === "string" ? text.replace(/\r?\n$/, "") : text;
}

/** The environment over `<home>/.env`: what was set for this run wins over what lies on disk. */
export async function readVariables(
  home: string,
  environment: Variables,
): Promise<{ variables: Variables; file: string; unreadable?: UnreadableFile }> {
  const file = resolve(home, ".env");
  const text = await readText(file, maxInsertedBytes);
  if (typeof text === "string") return { variables: { ...parseEnv(text), ...environment }, file };
  return { variables: environment, file, ...(text.missing ? {} : { unreadable: text }) };
}
