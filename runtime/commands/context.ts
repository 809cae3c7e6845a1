// What every command gets: where it works and how it may talk.
import { join, resolve } from "node:path";
import type { Readable, Writable } from "node:stream";

export interface CommandContext {
  /** Absolute path of the folder that holds connectors.yml. */
  home: string;
  /** Absolute path of its spool. */
  spool: string;
  /** Print JSON for programs instead of text for people. */
  json: boolean;
  color: boolean;
  input: Readable;
  out: Writable;
  err: Writable;
  /** Somebody sits there: questions can be asked. */
  interactive: boolean;
  /** What is printed can be overwritten. */
  outIsTerminal: boolean;
  errIsTerminal: boolean;
}

export interface GlobalOptions {
  home?: string;
  json?: boolean;
  color?: boolean;
}

/** The context of this process. */
export function contextOf(options: GlobalOptions): CommandContext {
  const { stdin, stdout, stderr, env } = process;
  const home = resolve(options.home ?? env.SPOOLWAY_HOME ?? ".");
  const outIsTerminal = stdout.isTTY === true;
  return {
    home,
    spool: join(home, "spool"),
    json: options.json ?? false,
    color: options.color ?? (outIsTerminal && (env.NO_COLOR ?? "") === ""),
    input: stdin,
    out: stdout,
    err: stderr,
    interactive: outIsTerminal && stdin.isTTY === true,
    outIsTerminal,
    errIsTerminal: stderr.isTTY === true,
  };
}
