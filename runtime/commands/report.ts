// How a command says that it failed: one line and a hint on stderr, or a JSON object on stdout with --json.
import { styleText } from "node:util";
import { SpoolwayError } from "../errors.ts";
import { printable } from "../printable.ts";

const notFound = ["not_found", "timed_out"];
/** What the caller wrote is wrong: the command line, the message on it, connectors.yml. */
const usage = ["usage", "invalid_message", "config_invalid"];

/** Prints whatever was thrown; returns the exit code for it. The stack is for SPOOLWAY_DEBUG only. */
export function reportError(thrown: unknown, json: boolean): number {
  const { code, message, hint } = describe(thrown);
  // Empty: it was said already.
  if (json) process.stdout.write(`${JSON.stringify({ error: { code, message, hint } })}\n`);
  else if (message !== "") {
    const color = process.stderr.isTTY === true && (process.env.NO_COLOR ?? "") === "";
    const label = color ? styleText("red", "error:", { validateStream: false }) : "error:";
    process.stderr.write(`${label} ${oneLine(message)}\n`);
    if (hint !== "") process.stderr.write(`hint: ${printable(hint)}\n`);
  }
  if (process.env.SPOOLWAY_DEBUG !== undefined && thrown instanceof Error)
    process.stderr.write(`${thrown.stack ?? ""}\n`);
  return notFound.includes(code) ? 3 : usage.includes(code) ? 2 : 1;
}

function describe(thrown: unknown): { code: string; message: string; hint: string } {
  if (thrown instanceof SpoolwayError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const code = (thrown as NodeJS.ErrnoException | undefined)?.code;
  if (code === "EACCES" || code === "EPERM")
    return { code: "no_permission", message, hint: "Run this as the user that runs the bus." };
  return {
    code: code ?? "internal_error",
    message,
    hint: "Set SPOOLWAY_DEBUG=1 to see where it comes from.",
  };
}

const oneLine = (text: string): string => printable(text).replaceAll("\n", " ");
