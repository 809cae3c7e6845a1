// What the documentation's pages hold, for the tests that keep them true.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "./command.ts";

export interface Block {
  /** What stands after the opening fence: `bash run`. */
  info: string;
  text: string;
  /** The comment on the last line before the fence, without its marks: the file that the block shows. */
  note: string | undefined;
}

/** The text of a page, by its path from the project's root. */
export const page = (path: string): string => readFileSync(join(projectRoot, path), "utf8");

/** The pages for users: README.md and docs/*.md. */
export function pages(): string[] {
  const docs = readdirSync(join(projectRoot, "docs")).filter((name) => name.endsWith(".md"));
  return ["README.md", ...docs.map((name) => `docs/${name}`)];
}

/** The pages beside what they are about. */
export function readmes(): string[] {
  const types = readdirSync(join(projectRoot, "connectors"));
  return ["CHANGELOG.md", "schema/README.md", ...types.map((type) => `connectors/${type}/README.md`)];
}

/** The fenced blocks of a page, in order. */
export function blocks(text: string): Block[] {
  const found: Block[] = [];
  let note: string | undefined;
  let open: { info: string; lines: string[] } | undefined;
  for (const line of text.split("\n")) {
    if (open !== undefined) {
      if (line !== "```") open.lines.push(line);
      else {
        found.push({ info: open.info, text: `${open.lines.join("\n")}\n`, note });
        open = undefined;
        note = undefined;
      }
    } else if (line.startsWith("```")) open = { info: line.slice(3).trim(), lines: [] };
    else if (line.trim() !== "") note = /^<!-- (\S+) -->$/.exec(line)?.[1];
  }
  return found;
}

/** The part of a page below the heading `title`, up to the next heading of the same or a higher level. */
export function section(text: string, title: string): string {
  const lines = text.split("\n");
  let fenced = false;
  const levels = lines.map((line) => {
    if (line.startsWith("```")) fenced = !fenced;
    return fenced ? undefined : /^(#+) /.exec(line)?.[1]?.length;
  });
  const start = lines.findIndex((line, at) => levels[at] !== undefined && line.replace(/^#+ /, "") === title);
  const level = levels[start];
  if (level === undefined) throw new Error(`there is no heading "${title}"`);
  const end = levels.findIndex((other, at) => at > start && other !== undefined && other <= level);
  return lines.slice(start + 1, end === -1 ? undefined : end).join("\n");
}
