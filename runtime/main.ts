// The command line: where the code is entered. Each row of the table is one command; its file in commands/ is loaded when it is called, so that
// `spoolway send` starts fast and never loads the supervisor.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { secondsToMs } from "./commands/flags.ts";
import { buildProgram, type Call, type CommandRow, parseCommandLine } from "./commands/program.ts";
import { reportError } from "./commands/report.ts";

export const commands: readonly CommandRow[] = [
  {
    name: "run",
    summary: "run the bus in the foreground, until Ctrl-C or SIGTERM",
    exitCodes: {
      0: "asked to stop",
      1: "the configuration cannot be used",
      2: "another spoolway runs on this spool",
      3: "the spool cannot be used",
    },
    run: async (context) => (await import("./commands/run.ts")).run(context),
  },
  {
    name: "check",
    summary: "is connectors.yml right? Starts nothing and changes nothing",
    run: async (context) => (await import("./commands/check.ts")).check(context),
  },
  {
    name: "types",
    summary: "the connector types that can stand in connectors.yml",
    run: async (context) => (await import("./commands/types.ts")).types(context),
  },
  {
    name: "chat",
    summary: "talk to a connector of type cli",
    options: [
      { flags: "--connector <name>", about: "which one (default: cli)" },
      { flags: "--as <sender>", about: "who says it (default: your user name)" },
      { flags: "--conversation <id>", about: "which conversation (default: me)" },
      {
        flags: "--wait <seconds>",
        about: "without a terminal: wait so long for as many answers as lines were said",
      },
    ],
    examples: ["spoolway chat", "echo 'what is the weather?' | spoolway chat --wait 30"],
    exitCodes: {
      0: "everything was delivered",
      1: "the bus does not run, or something was not delivered",
      2: "there is no such connector of type cli",
    },
    run: async ({ interactive, ...context }, _args, flags) => {
      const { connector, as, conversation } = flags as {
        connector?: string;
        as?: string;
        conversation?: string;
      };
      const waitMs = flags.wait === undefined ? 0 : secondsToMs(flags.wait, "--wait");
      const { chat } = await import("./commands/chat.ts");
      return chat({
        ...context,
        isTerminal: interactive,
        waitMs,
        ...(connector === undefined ? {} : { connector }),
        ...(as === undefined ? {} : { as }),
        ...(conversation === undefined ? {} : { conversation }),
      });
    },
  },
];

/** Runs the command line `words`; sets the process's exit code. Never throws. */
export async function main(words: readonly string[] = process.argv.slice(2)): Promise<void> {
  const version = packageVersion();
  try {
    let call: Call | undefined;
    parseCommandLine(
      buildProgram(commands, version, (asked) => (call = asked)),
      words,
    );
    if (call !== undefined) process.exitCode = await execute(call);
  } catch (error) {
    process.exitCode = reportError(error, words.includes("--json"));
  }
}

async function execute({ row, context, args, flags }: Call): Promise<number> {
  // `spoolway tail | head`: nobody reads any more, which is no error. The bus itself goes on without a reader.
  if (row.name !== "run") process.stdout.on("error", endQuietly);
  return (await row.run?.(context, args, flags)) ?? 0;
}

function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
}

function packageVersion(): string {
  const text = readFileSync(join(import.meta.dirname, "../package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

if (import.meta.main) await main();
