// Problems for people:
//
//   connectors.yml:12:5  error  unknown key `chanels`: did you mean `channels`?
//        chanels: "#dev"
//        ^
// and for programs, as JSON.
import { stripVTControlCharacters, styleText } from "node:util";
import type { ConfigProblem } from "./model.ts";

const kinds = { error: "red", warning: "yellow" } as const;
type Kind = keyof typeof kinds;

type Style = Parameters<typeof styleText>[0];

/** Styles text when `color` is true. The caller knows about terminals; nothing is detected here. */
export function painter(color: boolean): (style: Style, text: string) => string {
  return (style, text) => (color ? styleText(style, text, { validateStream: false }) : text);
}

/** Where the problem is: file:line:column, or the file alone. */
export function placeOf({ file, line, column }: ConfigProblem): string {
  return line > 0 ? `${file}:${line}:${column}` : file;
}

/** One problem, over one or several lines, without a line end. */
export function formatProblem(problem: ConfigProblem, color = false, kind: Kind = "error"): string {
  const paint = painter(color);
  const message = clean(problem.message);
  const hint = problem.hint === undefined ? [] : clean(problem.hint).split("\n");
  // A short hint is the end of the sentence; a long one gets its own lines.
  const inline = hint.length === 1 && (hint[0] ?? "").length <= 60;
  const head = `${paint("bold", clean(placeOf(problem)))}  ${paint(kinds[kind], kind)}  ${message}`;
  const joint = /^[A-Z]/.test(hint[0] ?? "") ? ". " : ": ";
  const lines = [inline ? `${head}${joint}${paint("cyan", hint[0] ?? "")}` : head];
  if (problem.source !== undefined) {
    const { text, column } = problem.source;
    // Tabs stay tabs, so that the caret stands below its place.
    const before = text.slice(0, column).replace(/[^\t]/g, " ");
    lines.push(`    ${paint("dim", clean(text))}`, `    ${before}${paint(kinds[kind], "^")}`);
  }
  if (!inline) lines.push(...hint.map((line) => `    ${paint("cyan", line)}`));
  return lines.join("\n");
}

/** All problems, with an empty line between them. */
export function formatProblems(
  problems: readonly ConfigProblem[],
  color = false,
  kind: Kind = "error",
): string {
  return problems.map((problem) => formatProblem(problem, color, kind)).join("\n\n");
}

/** A problem as `--json` shows it. */
export function problemJson(problem: ConfigProblem): Record<string, unknown> {
  const { file, line, column, message, hint, connector, source } = problem;
  const place = line > 0 ? { line, column } : {};
  return {
    file,
    ...place,
    message,
    ...(hint && { hint }),
    ...(connector && { connector }),
    ...(source && { source: source.text }),
  };
}

/** What people wrote goes to a terminal: no escape sequences. */
const clean = (text: string): string => stripVTControlCharacters(text).replace(/[^\P{Cc}\t\n]/gu, "");
