// spoolway types: which connector types can stand in connectors.yml.
import { columns } from "../config/columns.ts";
import type { TypeList } from "../config/types.ts";
import { listTypes } from "../config/types.ts";
import { formatProblems, painter, problemJson } from "../config/report.ts";

export interface TypesOptions {
  home: string;
  json: boolean;
  color: boolean;
  out: NodeJS.WritableStream;
  /** The folder that Spoolway itself is in, for built-in types. */
  root?: string;
}

/** Prints the types. Resolves with the exit code: 0, or 1 when there are broken ones. */
export async function types(options: TypesOptions): Promise<number> {
  const list = await listTypes(options.home, options.root);
  options.out.write(
    options.json ? `${JSON.stringify(asJson(list), null, 2)}\n` : asText(list, options.color),
  );
  return list.problems.length === 0 ? 0 : 1;
}

function asJson(list: TypeList): Record<string, unknown> {
  const found = list.types.map(({ type, manifest, origin, folder }) => {
    const { title, description, direction, features, config } = manifest;
    return {
      type,
      title,
      direction: direction ?? "both",
      ...(description && { description }),
      origin,
      folder,
      ...(features && { features }),
      config,
    };
  });
  return { types: found, problems: list.problems.map(problemJson) };
}

function asText(list: TypeList, color: boolean): string {
  const paint = painter(color);
  const rows = list.types.map((found) => [
    paint("cyan", found.type),
    found.manifest.title,
    directions[found.manifest.direction ?? "both"],
    found.origin,
    found.manifest.description ?? "",
  ]);
  const parts =
    rows.length > 0
      ? [columns(["TYPE", "TITLE", "DIRECTION", "FROM", "WHAT IT IS"], rows, color)]
      : ["There are no types."];
  if (list.problems.length > 0) parts.push(formatProblems(list.problems, color));
  return `${parts.join("\n\n")}\n`;
}

const directions = { in: "in", out: "out", both: "in and out" } as const;
