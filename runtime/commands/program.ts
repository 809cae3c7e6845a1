// A row of the command table, and the commander program that is made of the table: parsing, help, did-you-mean.
import { Command, CommanderError } from "commander";
import { SpoolwayError } from "../errors.ts";
import { type CommandContext, contextOf, type GlobalOptions } from "./context.ts";

/** The options of one call as commander parsed them: raw strings, `true` for flags, lists for those that may be repeated. */
export type Flags = Record<string, string | boolean | string[] | undefined>;

export interface OptionRow {
  /** As commander writes them: "--to <conversation>", "--all". Ends in "..." when it may be repeated: "--file <path...>" takes one path each time. */
  flags: string;
  about: string;
  required?: boolean;
}

export interface CommandRow {
  name: string;
  /** As commander writes them: "<name> [text]". */
  args?: string;
  /** One line, for the list of commands. */
  summary: string;
  /** More, for its own help. */
  about?: string;
  options?: OptionRow[];
  examples?: string[];
  /** Exit codes beyond the common ones. */
  exitCodes?: Record<number, string>;
  /** Left out of the help. */
  hidden?: boolean;
  commands?: CommandRow[];
  /** Loads the command's file and runs it; resolves with the exit code. */
  run?: (context: CommandContext, args: string[], flags: Flags) => Promise<number>;
}

/** Exit codes that mean the same in every command (`run` has its own). */
export const exitCodes = {
  0: "it worked, all is well",
  1: "a problem was found, or something failed",
  2: "the command line is wrong",
  3: "not found, or not in time",
} as const;

export const globalOptions: readonly OptionRow[] = [
  {
    flags: "--home <folder>",
    about: "the folder with connectors.yml and spool/ (default: $SPOOLWAY_HOME, else here)",
  },
  { flags: "--json", about: "print JSON, for programs" },
  { flags: "--color", about: "colours, also where stdout is no terminal" },
  { flags: "--no-color", about: "no colours (also: NO_COLOR=1)" },
];

/** What a command line asks for. */
export interface Call {
  row: CommandRow;
  context: CommandContext;
  args: string[];
  flags: Flags;
}

/**
 * The program for a table. Its parse() calls `onCall` with the command to run; it throws SpoolwayError `usage` for a wrong command line, and
 * returns without a call where help or the version was asked for.
 */
export function buildProgram(
  table: readonly CommandRow[],
  version: string,
  onCall: (call: Call) => void,
): Command {
  const program = new Command("spoolway")
    .description("A message bus made of folders.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "explain a command")
    .helpCommand("help [command]", "explain a command")
    .configureHelp({ showGlobalOptions: true, styleTitle: bold, subcommandTerm: termOf })
    // Usage errors are thrown and printed like all others.
    .configureOutput({ outputError: () => undefined })
    .exitOverride();
  for (const { flags, about } of globalOptions) program.option(flags, about);
  for (const row of table) addCommand(program, row, onCall);
  program.addHelpText("after", () => `\n${bold("Exit codes:")}\n${exitCodeLines(exitCodes)}`);
  return program;
}

function addCommand(parent: Command, row: CommandRow, onCall: (call: Call) => void): void {
  const command = parent
    .command(row.name, row.hidden === true ? { hidden: true } : {})
    .summary(row.summary)
    .description(row.about === undefined ? row.summary : `${row.summary}\n\n${row.about}`)
    .helpOption("-h, --help", "explain this command");
  if (row.args !== undefined) command.arguments(row.args);
  for (const { flags, about, required } of row.options ?? []) {
    if (flags.endsWith("...>")) command.option(flags.replace("...>", ">"), about, append);
    else if (required === true) command.requiredOption(flags, about);
    else command.option(flags, about);
  }
  for (const one of row.commands ?? []) addCommand(command, one, onCall);
  if (row.commands !== undefined) command.helpCommand(false);
  if (row.examples !== undefined)
    command.addHelpText("after", () => `\n${bold("Examples:")}\n${indent(row.examples ?? [])}`);
  if (row.exitCodes !== undefined)
    command.addHelpText("after", () => `\n${bold("Exit codes:")}\n${exitCodeLines(row.exitCodes ?? {})}`);
  if (row.run === undefined) return;
  command.action((...values: unknown[]) => {
    // Commander calls with one value per argument, then the options, then the command.
    const args = (values.slice(0, -2) as Array<string | string[] | undefined>).flatMap(
      (value) => value ?? [],
    );
    const context = contextOf(command.optsWithGlobals<GlobalOptions>());
    onCall({ row, context, args, flags: command.opts<Flags>() });
  });
}

/** Parses the words after `spoolway`. See buildProgram. */
export function parseCommandLine(
  program: Command,
  table: readonly CommandRow[],
  words: readonly string[],
): void {
  try {
    program.parse(separateOptional(table, words), { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return;
    throw usageError(error, words);
  }
}

/**
 * An optional value is a number here, so that `send cli --wait hello` sends "hello": commander alone would take it for the value. `--wait` without a
 * number behind it becomes `--wait=`.
 */
function separateOptional(table: readonly CommandRow[], words: readonly string[]): string[] {
  const row = table.find(({ name }) => words.includes(name));
  const optional = (row?.options ?? []).flatMap(({ flags }) => /(--[a-z-]+) \[/.exec(flags)?.[1] ?? []);
  const end = words.indexOf("--");
  return words.map((word, index) => {
    const isOption = optional.includes(word) && (end === -1 || index < end);
    return isOption && !/^\d+(\.\d+)?$/.test(words[index + 1] ?? "") ? `${word}=` : word;
  });
}

function usageError(error: CommanderError, words: readonly string[]): SpoolwayError {
  // Without a command commander has printed the help, and says so in brackets.
  if (error.code === "commander.help") return new SpoolwayError("usage", "", { hint: "" });
  const [message = "", suggestion] = error.message.replace(/^error: /, "").split("\n");
  const named = words.find((word) => !word.startsWith("-"));
  const unknown = error.code === "commander.unknownCommand" || named === undefined;
  const help = unknown ? "See: spoolway help" : `See: spoolway help ${named}`;
  return new SpoolwayError("usage", message, {
    hint: suggestion === undefined ? help : suggestion.replace(/^\((.*)\)$/, "$1"),
  });
}

const append = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];
const bold = (text: string): string => `\x1b[1m${text}\x1b[22m`;
const indent = (lines: readonly string[]): string => lines.map((line) => `  ${line}`).join("\n");
const exitCodeLines = (codes: Record<number, string>): string =>
  indent(Object.entries(codes).map(([code, meaning]) => `${code}  ${meaning}`));
const termOf = (command: Command): string =>
  [
    command.name(),
    ...command.registeredArguments.map((one) => (one.required ? `<${one.name()}>` : `[${one.name()}]`)),
  ].join(" ");
