// spoolway install [type…]: the libraries of connector types. They are no part of the default install: a connector that is not used costs nothing.
//
// `npm ci` in the connector's own folder, by its lock file, without the packages' install scripts.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { columns } from "../config/columns.ts";
import { loadConfig } from "../config/load.ts";
import { painter } from "../config/report.ts";
import { didYouMean } from "../config/suggest.ts";
import { type FoundType, listTypes } from "../config/types.ts";
import { SpoolwayError } from "../errors.ts";
import { librariesOf, missingLibraries } from "../libraries.ts";
import { request } from "../spool/control.ts";
import { lookAtBus } from "./bus.ts";
import type { CommandContext } from "./context.ts";

interface Outcome {
  type: string;
  libraries: string[];
  /** Of its node_modules. */
  bytes: number;
  result: "installed" | "was there" | "needs none";
}

/** Resolves with the exit code: 0, or 1 when npm failed. Throws `usage` for an unknown type. */
export async function install(
  context: CommandContext,
  types: readonly string[],
  { all }: { all?: boolean },
): Promise<number> {
  const { json, color, out, err, home } = context;
  const wanted = await chosen(home, types, all === true);
  const outcomes: Outcome[] = [];
  for (const { type, folder } of wanted) {
    const libraries = Object.entries(librariesOf(folder)).map(([name, version]) => `${name} ${version}`);
    const isThere = missingLibraries(folder).length === 0;
    if (libraries.length > 0 && !isThere) {
      err.write(`${type}: installing ${libraries.join(", ")} …\n`);
      await runNpm(folder, type, err);
    }
    const result = libraries.length === 0 ? "needs none" : isThere ? "was there" : "installed";
    outcomes.push({ type, libraries, bytes: await sizeOf(join(folder, "node_modules")), result });
  }
  const restarted = await wake(
    context.spool,
    wanted.map(({ type }) => type),
  );
  if (json) out.write(`${JSON.stringify({ types: outcomes, restarted }, null, 2)}\n`);
  else if (outcomes.length === 0)
    out.write("connectors.yml uses no type yet. Name one: spoolway install TYPE\n");
  else out.write(`${table(outcomes, color)}\n`);
  if (!json && restarted.length > 0) out.write(`restarting ${restarted.join(", ")}: see spoolway status\n`);
  return 0;
}

/** Connectors of a running bus that have stopped because a library was missing start again; returns their names. */
async function wake(spool: string, types: readonly string[]): Promise<string[]> {
  const { state, status } = lookAtBus(spool);
  if (state !== "running") return [];
  const names = (status?.connectors ?? [])
    .filter(({ type, error }) => types.includes(type) && error?.code === "library_missing")
    .map(({ name }) => name);
  for (const name of names) await request(spool, name, "restart");
  return names;
}

/** Named ones, all, or those that connectors.yml uses. */
async function chosen(home: string, names: readonly string[], all: boolean): Promise<FoundType[]> {
  const { types } = await listTypes(home);
  if (all) return types;
  if (names.length === 0) {
    const { connectors, invalid } = await loadConfig(home);
    const used = new Set([...connectors, ...invalid].map(({ type }) => type));
    return types.filter(({ type }) => used.has(type));
  }
  return names.map((name) => {
    const found = types.find(({ type }) => type === name);
    if (found !== undefined) return found;
    const known = types.map(({ type }) => type);
    throw new SpoolwayError("usage", `there is no connector type ${JSON.stringify(name)}`, {
      hint: didYouMean(name, known, "types"),
    });
  });
}

async function runNpm(folder: string, type: string, err: NodeJS.WritableStream): Promise<void> {
  const how = existsSync(join(folder, "package-lock.json")) ? "ci" : "install";
  const args = [how, "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const child = spawn("npm", args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  // What npm has to say is no output of ours.
  child.stdout.on("data", (bytes: Buffer) => err.write(bytes));
  child.stderr.on("data", (bytes: Buffer) => err.write(bytes));
  const [code] = (await once(child, "close").catch((error: NodeJS.ErrnoException) => {
    throw new SpoolwayError("install_failed", `npm could not be started: ${error.message}`, { cause: error });
  })) as [number | null];
  if (code !== 0)
    throw new SpoolwayError("install_failed", `npm ${how} for ${type} ended with ${code}`, {
      hint: `Try it yourself: npm ${how} --prefix ${relative(process.cwd(), folder) || "."}`,
    });
}

async function sizeOf(folder: string): Promise<number> {
  if (!existsSync(folder)) return 0;
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  let bytes = 0;
  for (const file of files) if (file.isFile()) bytes += (await stat(join(file.parentPath, file.name))).size;
  return bytes;
}

function table(outcomes: readonly Outcome[], color: boolean): string {
  const paint = painter(color);
  const rows = outcomes.map(({ type, libraries, bytes, result }) => [
    paint("cyan", type),
    result === "installed" ? paint("green", result) : result,
    bytes === 0 ? "" : `${(bytes / 1e6).toFixed(1)} MB`,
    libraries.join(", "),
  ]);
  return columns(["TYPE", "LIBRARIES", "SIZE", "WHICH"], rows, color);
}
