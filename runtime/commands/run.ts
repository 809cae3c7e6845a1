// spoolway run: the bus in the foreground.
//
// Exit codes: 0 asked to stop · 1 the configuration cannot be used · 2 another spoolway runs on this spool · 3 the spool cannot be used.
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { isatty } from "node:tty";
import type { LoadedConfig } from "../config/model.ts";
import { createLog } from "../log.ts";
import { supervise } from "../supervisor/supervise.ts";

export interface RunOptions {
  home: string;
  /** JSON lines also on a terminal. */
  json: boolean;
  color: boolean;
}

/** Resolves with the exit code, when everything has ended and the log is written. */
export async function run(options: RunOptions): Promise<number> {
  const readable = isatty(1) && !options.json;
  const out = createLog({ format: readable ? "readable" : "json", color: options.color });
  // Node's own warnings go there; nobody reading them is no reason to end.
  process.stderr.on("error", ignoreBrokenPipe);
  const version = packageVersion();
  const code = await supervise({
    home: options.home,
    spool: join(options.home, "spool"),
    out,
    version,
    onLoaded: (loaded) => {
      const tries = whatToTry(options.home, loaded);
      if (readable) out.print(banner(version, options.home, loaded, tries));
      else if (tries.length > 0) out.info("supervisor.ready", { try: tries });
    },
  });
  await out.flush();
  process.stderr.off("error", ignoreBrokenPipe);
  return code;
}

function ignoreBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
}

function packageVersion(): string {
  const text = readFileSync(join(import.meta.dirname, "../../package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

function banner(version: string, home: string, loaded: LoadedConfig, tries: string[]): string {
  const names = [
    ...loaded.connectors.map(
      ({ name, type, settings }) => `${name} (${type}${settings.enabled ? "" : ", disabled"})`,
    ),
    ...loaded.invalid.map(({ name, type }) => `${name} (${type}, invalid: spoolway check)`),
  ];
  const lines = [
    `spoolway ${version}`,
    `  home        ${home}`,
    `  connectors  ${names.join(", ") || "none: add some to connectors.yml"}`,
  ];
  const attempts = tries.map((line, index) => `  ${index === 0 ? "try         " : "            "}${line}`);
  return `${[...lines, ...attempts, "  stop        Ctrl-C"].join("\n")}\n\n`;
}

/** Commands that show the bus at work, for the connectors that need no account. */
function whatToTry(home: string, loaded: LoadedConfig): string[] {
  const tries: string[] = [];
  const enabled = loaded.connectors.filter(({ settings }) => settings.enabled);
  const web = enabled.find(({ type }) => type === "webhook");
  if (web?.config.port !== undefined) {
    const { host, port } = web.config;
    tries.push(
      `curl -d '{"text":"hello"}' http://${typeof host === "string" ? host : "127.0.0.1"}:${String(port)}/`,
    );
  }
  const cli = enabled.find(({ type }) => type === "cli");
  if (cli) {
    const outbox = shorter(join(home, "spool/outbox", cli.name));
    tries.push(`echo '{"conversation_id":"me","text":"hi"}' > ${outbox}/1.json`);
  }
  return tries;
}

/** A path as a person would write it here. */
function shorter(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith("..") ? path : fromHere;
}
