// What a connector needs: its manifest's `capabilities`, filled with its configuration. Nothing is run, and nobody is asked.
import { stat } from "node:fs/promises";
import { isIPv6 } from "node:net";
import { resolve } from "node:path";
import type { Need } from "../../schema/types.ts";
import { parseTarget, TargetError, targetText } from "../sandbox/targets.ts";
import { isWithin } from "./granted-paths.ts";
import type { ConnectorType } from "./model.ts";
import { readListen } from "./policy.ts";

export interface Needs {
  /** "host:port". */
  network: string[];
  /** "address:port". */
  listen: string[];
  /** Absolute. */
  read: string[];
  write: string[];
  /** What can never be granted: what, and what to do. */
  impossible: Array<{ message: string; hint: string }>;
}

type Config = Readonly<Record<string, unknown>>;

/** Readable in every sandbox. */
const systemFolders = [
  "/usr",
  "/bin",
  "/sbin",
  "/lib",
  "/lib32",
  "/lib64",
  "/libx32",
  "/nix/store",
  "/gnu/store",
];

/** Ports of a URL that names none. */
const usualPorts: Record<string, number> = { "http:": 80, "ws:": 80, "https:": 443, "wss:": 443 };

export async function needsOf(type: ConnectorType, config: Config, home: string): Promise<Needs> {
  const { network = [], listen = [], read = [], write = [], run = [] } = type.manifest.capabilities ?? {};
  const needs: Needs = { network: [], listen: [], read: [], write: [], impossible: [] };
  const collect = (list: string[], wanted: readonly Need[], understand: (text: string) => string): void => {
    for (const text of wanted.flatMap((need) => filled(need, config))) {
      try {
        list.push(understand(text));
      } catch (error) {
        if (!(error instanceof TargetError)) throw error;
        needs.impossible.push({ message: error.message, hint: error.hint });
      }
    }
  };
  collect(needs.network, network, readNetwork);
  collect(needs.listen, listen, readListen);
  collect(needs.read, read, (path) => resolve(home, path));
  collect(needs.write, write, (path) => resolve(home, path));
  for (const need of run) needs.read.push(...(await filesOfProgram(need, config, home)));
  const visible = [...systemFolders, type.folder];
  needs.read = needs.read.filter((path) => !visible.some((folder) => isWithin(path, folder)));
  for (const key of ["network", "listen", "read", "write"] as const) needs[key] = [...new Set(needs[key])];
  return needs;
}

function readNetwork(text: string): string {
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) return targetText(parseTarget(text));
  return targetText(
    parseTarget(`${url.hostname}${url.port === "" ? "" : `:${url.port}`}`, usualPorts[url.protocol]),
  );
}

/** The program where it is a path, the files among its arguments, and the folder it runs in. A bare name is a program of the system: others are not on the PATH of a sandbox. */
async function filesOfProgram(need: Need, config: Config, home: string): Promise<string[]> {
  const [name = "", ...args] = filled(need, config);
  const cwdNeed = typeof need === "string" ? undefined : need.cwd;
  const cwd = resolve(home, cwdNeed === undefined ? "." : (filled(cwdNeed, config)[0] ?? "."));
  const program = name.includes("/") ? [resolve(cwd, name)] : [];
  const files: string[] = [];
  for (const arg of args) if (await isFile(resolve(cwd, arg))) files.push(resolve(cwd, arg));
  return [...(cwd === resolve(home) ? [] : [cwd]), ...program, ...files];
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false; // not there, or too long to be a path at all: an argument of some other kind
  }
}

/** Every text that the need stands for: none where a key is absent, several where one is a list. */
export function filled(need: Need, config: Config): string[] {
  const template = typeof need === "string" ? need : need.need;
  const when = Object.entries(typeof need === "string" ? {} : (need.when ?? {}));
  if (!when.every(([key, value]) => (valuesAt(config, key)[0] ?? null) === value)) return [];
  const [whole] = /^\{([^{}]*)\}$/.exec(template)?.slice(1) ?? [];
  if (whole !== undefined) return valuesAt(config, whole).map(String);
  let texts = [""];
  for (const [, plain = "", key] of template.matchAll(/([^{}]+)|\{([^{}]*)\}/g)) {
    const parts = key === undefined ? [plain] : valuesAt(config, key).map(inHostPlace);
    texts = texts.flatMap((text) => parts.map((part) => text + part));
  }
  return texts;
}

/** `{host}:{port}` with an IPv6 address. */
const inHostPlace = (value: string | number | boolean): string =>
  typeof value === "string" && isIPv6(value) ? `[${value}]` : String(value);

/** `feeds.url`: the `url` of each item of `feeds`, where that is a list. */
function valuesAt(config: unknown, key: string): Array<string | number | boolean> {
  let at: unknown[] = [config];
  for (const part of key.split(".")) {
    at = at
      .flatMap((value) => value)
      .map((value) =>
        typeof value === "object" && value !== null && Object.hasOwn(value, part)
          ? (value as Record<string, unknown>)[part]
          : undefined,
      );
  }
  return at.flat().filter((value) => ["string", "number", "boolean"].includes(typeof value)) as Array<
    string | number | boolean
  >;
}
