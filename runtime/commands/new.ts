// spoolway new TYPE: a connector that works and is tested, as a place to start from.
//
// Written to <home>/connectors/<type>; a folder that exists is never touched. The files are made in a folder beside it and appear together.
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import { painter } from "../config/report.ts";
import { packageRoot } from "../config/types.ts";
import { SpoolwayError } from "../errors.ts";
import { isInstanceName } from "../spool/names.ts";
import type { CommandContext } from "./context.ts";

const template = join(import.meta.dirname, "new/template");

/** Resolves with the exit code. Throws `usage` for a name that cannot be used. */
export async function newConnector(context: CommandContext, type: string): Promise<number> {
  const { home, json, color, out } = context;
  expectName(type);
  const parent = join(home, "connectors");
  const folder = join(parent, type);
  const taken = [folder, join(packageRoot, "connectors", type)].find(
    (path) => lstatSync(path, { throwIfNoEntry: false }) !== undefined,
  );
  if (taken !== undefined) {
    throw new SpoolwayError("usage", `there is a connector type ${JSON.stringify(type)} already`, {
      hint: `Choose another name, or look at it in ${taken}.`,
    });
  }
  const shown = relative(home, folder);
  // Its test needs Spoolway's own test helpers, which a home elsewhere does not have.
  const testable = isPackageRoot(home);
  const files = write(parent, folder, { type, title: titleOf(type), folder: shown }, testable);
  if (json) {
    out.write(`${JSON.stringify({ type, folder, files, entry: { name: type, type, port: 7000 } })}\n`);
    return 0;
  }
  const paint = painter(color);
  out.write(`${paint("green", "made")} ${files.map((file) => join(shown, file)).join(", ")}\n\n`);
  out.write(`${nextSteps(type, shown, testable, paint)}\n`);
  return 0;
}

function expectName(type: string): void {
  if (isInstanceName(type)) return;
  const near = type
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 63);
  throw new SpoolwayError("usage", `${JSON.stringify(type)} cannot be the name of a type`, {
    hint: `Use lower case letters, digits and dashes${near === "" ? "" : `, e.g. ${near}`}.`,
  });
}

const titleOf = (type: string): string =>
  type
    .split("-")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join(" ");

function isPackageRoot(home: string): boolean {
  try {
    return realpathSync(home) === realpathSync(packageRoot);
  } catch {
    return false; // there is no such home yet
  }
}

/** Returns the names of the files. */
function write(parent: string, folder: string, values: Record<string, string>, testable: boolean): string[] {
  mkdirSync(parent, { recursive: true });
  const draft = mkdtempSync(join(parent, ".new-"));
  const files = readdirSync(template).filter((file) => testable || !file.includes(".test."));
  for (const file of files) {
    const text = readFileSync(join(template, file), "utf8");
    const filled = text.replace(/\{\{(\w+)\}\}/g, (_all, key: string) => values[key] ?? "");
    writeFileSync(join(draft, plain(file)), filled);
  }
  renameSync(draft, folder);
  return files.map(plain);
}

/** The template's files end in .txt, so that nobody takes them for code of Spoolway's. */
const plain = (file: string): string => file.replace(/\.txt$/, "");

function nextSteps(
  type: string,
  folder: string,
  testable: boolean,
  paint: ReturnType<typeof painter>,
): string {
  const steps = [
    ...(testable ? [["its test passes already", `npx vitest run ${folder}`]] : []),
    ["start the platform that it speaks to, in a terminal of its own", `npx node ${folder}/platform.ts`],
    ["add this to connectors.yml", `  - name: ${type}\n         type: ${type}\n         port: 7000`],
    [
      "see it live, and say something to it",
      `npx spoolway status && npx spoolway send ${type} --to general --wait hi`,
    ],
    [
      "make it yours: the code, the config's schema, the README",
      `${folder}/connector.ts, manifest.json, README.md`,
    ],
  ] as Array<[string, string]>;
  const lines = steps.map(([what, how], index) => `${index + 1}. ${what}\n     ${paint("cyan", how)}`);
  return `${paint("bold", "Next")}\n${lines.join("\n")}`;
}
