// Runs `spoolway …` to its end, as a program with pipes: no terminal.
import { spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { track } from "./children.ts";

export const projectRoot = resolve(import.meta.dirname, "../..");

export interface CommandResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Resolves when the command has ended and its output is read. */
export async function runCommand(
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; input?: string; cwd?: string } = {},
): Promise<CommandResult> {
  const child = spawn(process.execPath, [join(projectRoot, "runtime/main.ts"), ...args], {
    cwd: options.cwd ?? tmpdir(),
    env: options.env ?? process.env,
    stdio: ["pipe", "pipe", "pipe"],
  });
  track(child.pid, `spoolway ${args.join(" ")}`);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdin.on("error", () => undefined); // a command that does not read its input closes it: EPIPE
  child.stdin.end(options.input ?? "");
  await new Promise<void>((done) => child.once("close", () => done()));
  return { code: child.exitCode, stdout, stderr };
}
