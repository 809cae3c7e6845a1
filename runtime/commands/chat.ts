// `spoolway chat`: talks to a `cli` connector. What is typed becomes an event in the inbox, what is dropped in the outbox for this
// conversation is shown.
//
//   in a terminal   a prompt; messages appear above it; ctrl-c or ctrl-d ends; a lost connection is tried again until then
//   without one     every line of the input is said; at its end, when all are delivered and `waitMs` for answers is over, it exits
//
// Exit codes: 0 all was delivered; 1 the connector does not answer, or something was not delivered; 2 there is no such `cli` connector.
import { userInfo } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { loadConfig } from "../config/load.ts";
import { errnoOf, SpoolwayError, toSpoolwayError } from "../errors.ts";
import { printable } from "../printable.ts";
import { ChatLink } from "./chat/link.ts";
import { Screen } from "./chat/screen.ts";

export interface ChatOptions {
  home: string;
  /** Name of the connector. Default "cli". */
  connector?: string;
  /** The sender. Default: the user's name. */
  as?: string;
  /** Default "me". */
  conversation?: string;
  /** Without a terminal: how long to wait for as many answers as lines were said. Default 0. */
  waitMs?: number;
  input: Readable;
  out: Writable;
  err: Writable;
  isTerminal: boolean;
  color: boolean;
  /** Every message and every delivery as one JSON object per line. */
  json: boolean;
}

const maxUndelivered = 64;
/** A restart of the connector, its backoff included. */
const giveUpMs = 30_000;

/** Resolves with the exit code. */
export async function chat(options: ChatOptions): Promise<number> {
  const name = options.connector ?? "cli";
  const screen = new Screen(options, name);
  const received = new Counter();
  const folder = join(resolve(options.home), "spool", "state", name);
  let link: ChatLink;
  try {
    link = await ChatLink.open({
      folder,
      conversation: options.conversation ?? "me",
      sender: options.as ?? userInfo().username,
      giveUpMs: options.isTerminal ? Infinity : giveUpMs,
      onMessage: (message) => {
        screen.message(message);
        received.add();
      },
      onLost: () => screen.note("connection lost; trying again"),
      onBack: () => screen.note("connected again"),
    });
  } catch (error) {
    const { problem, code } = await explain(options.home, name, error);
    screen.error(problem);
    return code;
  }
  try {
    if (options.isTerminal) return await talk(link, screen, options);
    return await pipe(link, screen, received, options);
  } finally {
    link.close();
  }
}

async function talk(link: ChatLink, screen: Screen, options: ChatOptions): Promise<number> {
  const prompt = `${printable(options.conversation ?? "me")}> `;
  const terminal = createInterface({ input: options.input, output: options.out, terminal: true, prompt });
  screen.above(() => terminal.prompt(true));
  screen.note("what you type becomes an event; ctrl-c ends");
  const undelivered = new Set<Promise<void>>();
  terminal.on("line", (line) => {
    if (line.trim() !== "") {
      const said = link.say(line).then(
        (id) => screen.delivered(id),
        (error: unknown) => screen.error(toSpoolwayError(error)),
      );
      undelivered.add(said);
      void said.then(() => undelivered.delete(said));
    }
    terminal.prompt();
  });
  await new Promise<void>((done) => {
    terminal.on("SIGINT", () => terminal.close());
    terminal.on("close", done);
  });
  screen.above(undefined);
  // The last line may be under way; a connection that is gone is not waited for.
  const soon = new Promise<void>((done) => setTimeout(done, 1000).unref());
  await Promise.race([Promise.all(undelivered), soon]);
  return undelivered.size > 0 ? 1 : 0;
}

async function pipe(
  link: ChatLink,
  screen: Screen,
  received: Counter,
  options: ChatOptions,
): Promise<number> {
  const undelivered = new Set<Promise<void>>();
  let said = 0;
  let failed = 0;
  for await (const line of createInterface({ input: options.input, crlfDelay: Infinity })) {
    if (line.trim() === "") continue;
    said++;
    const done = link.say(line).then(
      (id) => screen.delivered(id),
      (error: unknown) => {
        failed++;
        if (failed === 1) screen.error(toSpoolwayError(error));
      },
    );
    undelivered.add(done);
    void done.then(() => undelivered.delete(done));
    if (undelivered.size >= maxUndelivered) await Promise.race(undelivered);
  }
  await Promise.all(undelivered);
  if (failed > 0) {
    screen.note(`${failed} of ${said} lines were not delivered`);
    return 1;
  }
  await received.reaches(said, options.waitMs ?? 0);
  return 0;
}

/** Why nobody answers, with what to do. */
async function explain(
  home: string,
  name: string,
  error: unknown,
): Promise<{ problem: SpoolwayError; code: 1 | 2 }> {
  const usage = (message: string, hint: string) =>
    ({ problem: new SpoolwayError("usage", message, { hint }), code: 2 }) as const;
  const config = await loadConfig(home);
  const all = [...config.connectors, ...config.invalid];
  const known = all.find((one) => one.name === name);
  const consoles = all.filter((one) => one.type === "cli").map((one) => one.name);
  const choice =
    consoles.length === 0
      ? "Add to connectors.yml:  - { name: cli, type: cli }"
      : `These can be talked to: ${consoles.join(", ")}`;
  if (!config.unusable && known === undefined)
    return usage(`there is no connector "${printable(name)}"`, choice);
  if (known !== undefined && known.type !== "cli") {
    return usage(`"${name}" is of type ${known.type}; only connectors of type cli can be talked to`, choice);
  }
  const code = errnoOf(error);
  if (code === "EACCES") {
    const hint = "Run this as the user that runs the bus.";
    return { problem: new SpoolwayError("disconnected", `no access to "${name}"`, { hint }), code: 1 };
  }
  if (code !== "ENOENT" && code !== "ECONNREFUSED" && code !== "ENOTDIR") throw error;
  const message = `"${name}" does not answer: the bus is not running, or this connector is not`;
  const hint = "Start the bus with: spoolway run. If it runs, see: spoolway status";
  return { problem: new SpoolwayError("disconnected", message, { hint }), code: 1 };
}

/** How many answers came. */
class Counter {
  private count = 0;
  private wake: (() => void) | undefined;

  add(): void {
    this.count++;
    this.wake?.();
  }

  /** Resolves when `wanted` have come, or after `withinMs`. */
  async reaches(wanted: number, withinMs: number): Promise<void> {
    if (this.count >= wanted || withinMs <= 0) return;
    await new Promise<void>((done) => {
      const timer = setTimeout(done, withinMs);
      this.wake = () => {
        if (this.count < wanted) return;
        clearTimeout(timer);
        done();
      };
    });
  }
}
