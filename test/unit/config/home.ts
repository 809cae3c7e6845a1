// A temporary home with files, and a connector type with one key of every kind. Removed after the test.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { loadConfig } from "../../../runtime/config/load.ts";
import type { ConfigProblem, LoadedConfig } from "../../../runtime/config/model.ts";
import { formatProblems, problemJson } from "../../../runtime/config/report.ts";

export const demoManifest = {
  type: "demo",
  title: "Demo",
  description: "For tests.",
  direction: "both",
  config: {
    type: "object",
    additionalProperties: false,
    required: ["server"],
    properties: {
      server: { type: "string", minLength: 1, description: "Host name." },
      port: { type: "integer", minimum: 1, maximum: 65535, default: 6697 },
      tls: { type: "boolean", default: true },
      ratio: { type: "number" },
      channels: { type: "array", items: { type: "string", pattern: "^#" } },
      scheme: { enum: ["none", "bearer", "github"], default: "none" },
      url: { type: "string", format: "uri" },
      account: {
        type: "object",
        additionalProperties: false,
        required: ["user"],
        properties: { user: { type: "string" }, password: { type: "string", secret: true } },
      },
      token: { type: "string", secret: true, minLength: 8 },
      pin: { type: "integer", secret: true },
      keys: { type: "array", items: { type: "string", secret: true } },
      listen: { anyOf: [{ type: "integer" }, { type: "string", pattern: "^/" }] },
      any: {},
    },
  },
};

type Files = Record<string, string | Uint8Array>;

/** A home with connectors.yml and the demo type. `null` leaves connectors.yml out. */
export function makeHome(yml: string | Uint8Array | null, files: Files = {}): string {
  const home = mkdtempSync(join(tmpdir(), "spoolway-config-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const all: Files = {
    "connectors/demo/manifest.json": JSON.stringify(demoManifest),
    "connectors/demo/connector.ts": "throw new Error('the supervisor must not run this');\n",
    ...(yml === null ? {} : { "connectors.yml": yml }),
    ...files,
  };
  for (const [name, content] of Object.entries(all)) {
    mkdirSync(dirname(join(home, name)), { recursive: true });
    writeFileSync(join(home, name), content);
  }
  return home;
}

export async function load(
  yml: string | Uint8Array | null,
  files: Files = {},
  env: Record<string, string> = {},
): Promise<LoadedConfig> {
  return loadConfig(makeHome(yml, files), { env });
}

/** One entry of the demo type with these lines below it (the first is line 5). */
export const entry = (...lines: string[]): string =>
  [
    "connectors:",
    "  - name: one",
    "    type: demo",
    "    server: irc.example.org",
    ...lines.map((line) => `    ${line}`),
    "",
  ].join("\n");

/** "5:11 message [hint]" */
export const brief = ({ line, column, message, hint }: ConfigProblem): string =>
  `${line}:${column} ${message}${hint === undefined ? "" : ` [${hint}]`}`;

export const briefs = (loaded: LoadedConfig): string[] => loaded.problems.map(brief);

/** Everything that is ever shown of the problems. */
export const shown = (problems: readonly ConfigProblem[]): string =>
  formatProblems(problems) + JSON.stringify(problems.map(problemJson)) + JSON.stringify(problems);
