// Completion for bash, zsh and fish. The scripts only ask `spoolway __complete -- <words so far>`; what can stand there is read from the command
// table, so that they never have to be renewed.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, SpoolwayError } from "../errors.ts";
import { isInstanceName } from "../spool/names.ts";
import { lookAtBus } from "./bus.ts";
import { configuredNames } from "./connectors.ts";
import type { CommandContext } from "./context.ts";
import { type CommandRow, globalOptions, type OptionRow } from "./program.ts";

const scripts: Record<string, string> = {
  bash: `# spoolway completion for bash: source <(spoolway completion bash)
_spoolway() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$("\${COMP_WORDS[0]}" __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _spoolway spoolway
`,
  zsh: `#compdef spoolway
# spoolway completion for zsh: spoolway completion zsh > "\${fpath[1]}/_spoolway"
_spoolway() {
  local -a candidates
  candidates=("\${(@f)$(spoolway __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  candidates=(\${candidates:#})
  if (( \${#candidates} )); then compadd -a candidates; else _files; fi
}
compdef _spoolway spoolway
`,
  fish: `# spoolway completion for fish: spoolway completion fish > ~/.config/fish/completions/spoolway.fish
complete -c spoolway -a '(spoolway __complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`,
};

/** Prints the script. Throws `usage` for another shell. */
export async function completion({ out }: CommandContext, shell: string): Promise<number> {
  const script = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined;
  if (script === undefined) {
    throw new SpoolwayError("usage", `there is no completion for ${JSON.stringify(shell)}`, {
      hint: `There is one for ${Object.keys(scripts).join(", ")}.`,
    });
  }
  out.write(script);
  return 0;
}

/** Prints what can stand in the place of the last word, one per line. */
export async function complete(
  context: CommandContext,
  table: readonly CommandRow[],
  words: readonly string[],
): Promise<number> {
  const wanted = candidatesFor(table, words);
  const found = wanted.connectors ? [...wanted.words, ...(await connectorNames(context))] : wanted.words;
  const current = words.at(-1) ?? "";
  const matching = found.filter((word) => word.startsWith(current));
  if (matching.length > 0) context.out.write(`${matching.join("\n")}\n`);
  return 0;
}

/** `connectors`: the names of connectors can stand there too. */
export function candidatesFor(
  table: readonly CommandRow[],
  words: readonly string[],
): { words: string[]; connectors: boolean } {
  const current = words.at(-1) ?? "";
  let rows: readonly CommandRow[] | undefined = table;
  let row: CommandRow | undefined;
  let operands = 0;
  let pending: string | undefined; // what the option before takes
  for (const word of words.slice(0, -1)) {
    if (pending !== undefined) pending = undefined;
    else if (word.startsWith("-") && word !== "-") pending = valueOf(word, row);
    else if (rows === undefined) operands += 1;
    else {
      row = rows.find(({ name }) => name === word);
      if (row === undefined && word !== "help") return { words: [], connectors: false };
      rows = row === undefined ? table : row.commands;
    }
  }
  const nothing = { words: [], connectors: false };
  if (pending !== undefined) return { ...nothing, connectors: pending === "name" };
  if (current.startsWith("-"))
    return { ...nothing, words: [...(row?.options ?? []), ...globalOptions].map(long) };
  if (rows !== undefined) {
    const names = rows.filter(({ hidden }) => hidden !== true).map(({ name }) => name);
    return { ...nothing, words: rows === table ? [...names, "help"] : names };
  }
  if (row?.name === "completion") return { ...nothing, words: Object.keys(scripts) };
  return { ...nothing, connectors: operands === 0 && /^[<[]name[\]>]/.test(row?.args ?? "") };
}

/** What an option takes: "name" for --connector <name>; undefined for a flag. An optional value is not waited for. */
function valueOf(word: string, row: CommandRow | undefined): string | undefined {
  if (word.includes("=")) return undefined;
  const option = [...(row?.options ?? []), ...globalOptions].find(({ flags }) =>
    flags.split(/[ ,]+/).includes(word),
  );
  return /<([^.>]+)/.exec(option?.flags ?? "")?.[1];
}

const long = ({ flags }: OptionRow): string => /--[a-z-]+/.exec(flags)?.[0] ?? flags;

/** Never fails: a completion that prints an error helps nobody. */
async function connectorNames({ home, spool }: CommandContext): Promise<string[]> {
  const { state, status } = lookAtBus(spool);
  if (state === "running" && status !== undefined) return status.connectors.map(({ name }) => name);
  try {
    return await configuredNames(home);
  } catch (error) {
    if (!(error instanceof SpoolwayError)) throw error;
    return namesInOutbox(spool);
  }
}

/** Where connectors.yml cannot be read: what had an outbox. */
async function namesInOutbox(spool: string): Promise<string[]> {
  try {
    return (await readdir(join(spool, "outbox"))).filter(isInstanceName);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return [];
  }
}
