// The command line: where the code is entered. Each row of the table is one command; its file in commands/ is loaded when it is called, so that
// `spoolway send` starts fast and never loads the supervisor.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { secondsToMs } from "./commands/flags.ts";
import {
  buildProgram,
  type Call,
  type CommandRow,
  type OptionRow,
  parseCommandLine,
} from "./commands/program.ts";
import { reportError } from "./commands/report.ts";
import type { SendFlags } from "./commands/send.ts";

/** How dead letters are chosen, besides by id. */
const choice: OptionRow[] = [
  { flags: "--connector <name>", about: "those of this connector" },
  { flags: "--code <code>", about: "those with this code" },
  { flags: "--since <time>", about: "those that failed since then: 10m, 2h, 7d, or a time" },
];
const moved = {
  0: "all of them",
  1: "some could not be moved",
  3: "no such dead letters",
  130: "interrupted; call it again to go on",
};
const obeyed = {
  0: "done; without a bus: noted for its next start",
  1: "obeyed, but the connector is not live; or no bus runs that could obey",
  2: "there is no such connector",
  3: "not obeyed in time",
};

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
    name: "status",
    summary: "what runs, what waits, what needs you",
    about:
      "Exits 0 when the bus runs and all is well, else 1. Paused and disabled connectors are well; dead letters are listed, and are no fault.",
    options: [{ flags: "--watch", about: "again every second, until Ctrl-C" }],
    examples: ["spoolway status", "spoolway status --json | jq '.connectors[] | {name, state}'"],
    exitCodes: { 0: "the bus runs and all is well", 1: "it does not run, or something needs you" },
    run: async (context, _args, flags) => (await import("./commands/status.ts")).status(context, flags),
  },
  {
    name: "tail",
    summary: "the events in the inbox, in order",
    about: "The last ten, or all since a time. With --json one event per line, as it is in its file.",
    options: [
      { flags: "--connector <name>", about: "only of this connector" },
      { flags: "--since <time>", about: "all since then: 10m, 2h, 7d, or 2026-11-20T23:52:00Z" },
      { flags: "-n, --lines <count>", about: "the last so many (default: 10)" },
      { flags: "-f, --follow", about: "and then every new one, until Ctrl-C" },
    ],
    examples: ["spoolway tail --follow", "spoolway tail --since 1h --json | jq -r .content.text"],
    run: async (context, _args, flags) => (await import("./commands/tail.ts")).tail(context, flags),
  },
  {
    name: "send",
    args: "<name> [text...]",
    summary: "drop a message for a connector",
    about:
      "Works without a running bus: the message waits. The text `-` is read from stdin. Prints the message's id.",
    options: [
      { flags: "--to <conversation>", about: "channel, room, address or user", required: true },
      { flags: "--file <path...>", about: "attach a file; may be repeated" },
      { flags: "--wait [seconds]", about: "wait for the receipt or the dead letter (default: 30)" },
      { flags: "--id <id>", about: "idempotency key: the same id is sent once" },
      { flags: "--action <action>", about: "message, edit, delete, react or typing" },
      { flags: "--target <platform-id>", about: "for edit, delete and react: the message that it is about" },
      { flags: "--reaction <emoji>", about: "for react" },
      { flags: "--subject <text>", about: "where the platform has subjects" },
      { flags: "--reply-to <platform-id>", about: "the message that this one answers" },
      { flags: "--thread <id>", about: "the thread that it belongs to" },
      { flags: "--format <format>", about: "plain, markdown or html" },
      { flags: "--not-before <time>", about: "send it later: +10m, or 2026-11-20T23:52:00Z" },
      { flags: "--expires <time>", about: "not sent after this: 10m, or a time" },
      { flags: "--priority <number>", about: "higher goes first among conversations" },
      { flags: "--meta <key=value...>", about: "yours: echoed in the receipt; may be repeated" },
      { flags: "--force", about: "also for a name that connectors.yml does not have" },
    ],
    examples: [
      "spoolway send irc-main --to '#dev' 'the build is green' --wait",
      "git log -1 | spoolway send irc-main --to '#dev' -",
      "spoolway send web --to me 'the report' --file report.pdf --id report-2026-11-20",
    ],
    exitCodes: {
      0: "dropped; with --wait: sent",
      1: "with --wait: it could not be sent",
      2: "the command line is wrong, or there is no such connector",
      3: "with --wait: neither sent nor failed in time",
    },
    run: async (context, [name = "", ...words], flags) =>
      (await import("./commands/send.ts")).send(context, name, words, flags as unknown as SendFlags),
  },
  {
    name: "failed",
    summary: "what could not be sent: look, send again, remove",
    commands: [
      {
        name: "list",
        args: "[name]",
        summary: "dead letters, the newest first",
        about: "With --json all of them, one per line, in no particular order.",
        options: [
          { flags: "--connector <name>", about: "only of this connector" },
          { flags: "--code <code>", about: "only with this code (docs/errors.md)" },
          { flags: "--since <time>", about: "failed since then: 10m, 2h, 7d, or a time" },
          { flags: "--limit <count>", about: "at most so many (default: 50; with --json all)" },
        ],
        run: async (context, [name], flags) =>
          (await import("./commands/failed/list.ts")).list(context, name, flags),
      },
      {
        name: "show",
        args: "<id>",
        summary: "one dead letter with its history and what to do",
        options: [{ flags: "--connector <name>", about: "where several have this id" }],
        run: async (context, [id = ""], flags) =>
          (await import("./commands/failed/list.ts")).showLetter(context, id, flags),
      },
      {
        name: "retry",
        args: "[id...]",
        summary: "back to the outbox, to be sent again",
        about:
          "They keep their id and history and get fresh attempts. What was refused is dropped again as it was.",
        options: [...choice, { flags: "--all", about: "all dead letters" }],
        examples: [
          "spoolway failed retry 4f8c…",
          "spoolway failed retry --connector irc-main --code attempts_exhausted",
        ],
        exitCodes: moved,
        run: async (context, ids, flags) =>
          (await import("./commands/failed/move.ts")).retryLetters(context, ids, flags),
      },
      {
        name: "purge",
        args: "[id...]",
        summary: "remove for good",
        options: [
          ...choice,
          { flags: "--older-than <time>", about: "failed before this: 30d, or a time" },
          { flags: "--all", about: "all dead letters" },
          { flags: "--yes", about: "do not ask; needed without a terminal" },
        ],
        examples: ["spoolway failed purge --older-than 30d --yes"],
        exitCodes: moved,
        run: async (context, ids, flags) =>
          (await import("./commands/failed/move.ts")).purgeLetters(context, ids, flags),
      },
    ],
  },
  {
    name: "pause",
    args: "<name>",
    summary: "stop a connector and keep it stopped; what is dropped waits",
    options: [{ flags: "--reason <text>", about: "shown in the status" }],
    exitCodes: obeyed,
    run: async (context, [name = ""], flags) =>
      (await import("./commands/control.ts")).pause(context, name, flags),
  },
  {
    name: "resume",
    args: "<name>",
    summary: "end a pause",
    exitCodes: obeyed,
    run: async (context, [name = ""]) => (await import("./commands/control.ts")).resume(context, name),
  },
  {
    name: "restart",
    args: "<name>",
    summary: "restart a connector now, also when it is parked or stopped",
    exitCodes: obeyed,
    run: async (context, [name = ""]) => (await import("./commands/control.ts")).restart(context, name),
  },
  {
    name: "sync",
    args: "<name>",
    summary: "let a connector look for news now",
    about: "For connectors that poll their platform, between their regular looks.",
    exitCodes: obeyed,
    run: async (context, [name = ""]) => (await import("./commands/control.ts")).sync(context, name),
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
    run: async (context, _args, { wait, ...who }) => {
      const waitMs = wait === undefined ? 0 : secondsToMs(wait, "--wait");
      const { chat } = await import("./commands/chat.ts");
      return chat({ ...context, ...who, waitMs, isTerminal: context.interactive });
    },
  },
  {
    name: "install",
    args: "[types...]",
    summary: "install the libraries of connector types (default: those in connectors.yml)",
    about:
      "With npm, in the connector's own folder, by its lock file, without install scripts. Needs a network.",
    options: [{ flags: "--all", about: "of every type there is" }],
    run: async (context, types, flags) =>
      (await import("./commands/install.ts")).install(context, types, flags),
  },
  {
    name: "new",
    args: "<type>",
    summary: "make a connector of your own: working code with its test",
    examples: ["spoolway new my-chat"],
    run: async (context, [type = ""]) => (await import("./commands/new.ts")).newConnector(context, type),
  },
  {
    name: "completion",
    args: "<shell>",
    summary: "print a completion script for bash, zsh or fish",
    examples: [
      "source <(spoolway completion bash)",
      "spoolway completion fish > ~/.config/fish/completions/spoolway.fish",
    ],
    run: async (context, [shell = ""]) =>
      (await import("./commands/completion.ts")).completion(context, shell),
  },
  {
    name: "__complete",
    args: "[words...]",
    summary: "what can stand where the last word is; for the completion scripts",
    hidden: true,
    run: async (context, words) =>
      (await import("./commands/completion.ts")).complete(context, commands, words),
  },
];

/** Runs the command line `words`; sets the process's exit code. Never throws. */
export async function main(words: readonly string[] = process.argv.slice(2)): Promise<void> {
  const version = packageVersion();
  try {
    let call: Call | undefined;
    const program = buildProgram(commands, version, (asked) => (call = asked));
    parseCommandLine(program, commands, words);
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
