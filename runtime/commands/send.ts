// spoolway send: drops a message into a connector's outbox, durably; with --wait it says what became of it.
//
//   checked against the schema ─▶ attachments into media/ ─▶ dropped ─▶ (--wait) receipt 0 │ dead letter 1 │ neither in time 3
import { randomUUID } from "node:crypto";
import type { OutgoingMessage } from "../../schema/types.ts";
import { painter } from "../config/report.ts";
import { SpoolwayError } from "../errors.ts";
import { drop, type Dropped } from "../spool/drop.ts";
import { isInstanceName } from "../spool/names.ts";
import { type Bus, lookAtBus, notRunning } from "./bus.ts";
import { expectConnector } from "./connectors.ts";
import type { CommandContext } from "./context.ts";
import { secondsToMs, toCount, toTime } from "./flags.ts";
import { storeFiles } from "./send/files.ts";
import { awaitOutcome, type Outcome } from "./send/outcome.ts";
import { oneLine } from "./text.ts";

export interface SendFlags {
  to: string;
  file?: string[];
  id?: string;
  action?: string;
  target?: string;
  reaction?: string;
  subject?: string;
  replyTo?: string;
  thread?: string;
  format?: string;
  notBefore?: string;
  expires?: string;
  priority?: string;
  meta?: string[];
  /** Seconds; "" for the default. */
  wait?: string;
  force?: boolean;
}

const defaultWaitMs = 30_000;

/** Resolves with the exit code. */
export async function send(
  context: CommandContext,
  name: string,
  words: readonly string[],
  flags: SendFlags,
): Promise<number> {
  const waitMs = flags.wait === undefined ? undefined : waitOf(flags.wait);
  if (!isInstanceName(name)) {
    throw new SpoolwayError("usage", `${JSON.stringify(name)} cannot be a connector's name`, { hint: "" });
  }
  const bus =
    flags.force === true
      ? lookAtBus(context.spool)
      : await expectConnector(context, name, "(--force drops it all the same.)");
  const text = words.length === 1 && words[0] === "-" ? await readAll(context.input) : words.join(" ");
  if (text === "" && flags.file === undefined && (flags.action ?? "message") === "message") {
    throw new SpoolwayError("usage", "there is nothing to send", {
      hint: 'Give a text, "-" to read it from stdin, or --file.',
    });
  }
  const message = messageOf(flags, text);
  if (flags.file !== undefined) message.attachments = await storeFiles(context.spool, flags.file);
  const dropped = await drop(context.spool, name, message);
  if (waitMs === undefined) return sayDropped(context, name, dropped, bus);
  warn(context, bus);
  return sayOutcome(context, name, dropped, await awaitOutcome(context.spool, name, dropped, waitMs), waitMs);
}

const waitOf = (wait: string): number => (wait === "" ? defaultWaitMs : secondsToMs(wait, "--wait"));

type Message = OutgoingMessage & { id: string };

function messageOf(flags: SendFlags, text: string): Message {
  const iso = (time: number): string => new Date(time).toISOString();
  const given: Partial<Record<keyof OutgoingMessage, unknown>> = {
    action: flags.action,
    text: text === "" ? undefined : text,
    target: flags.target === undefined ? undefined : { platform_id: flags.target },
    reaction: flags.reaction,
    subject: flags.subject,
    reply_to: flags.replyTo,
    thread_id: flags.thread,
    format: flags.format,
    not_before: flags.notBefore === undefined ? undefined : iso(toTime(flags.notBefore, "--not-before", 1)),
    expires_at: flags.expires === undefined ? undefined : iso(toTime(flags.expires, "--expires", 1)),
    priority: flags.priority === undefined ? undefined : toCount(flags.priority, "--priority", -Infinity),
    meta: flags.meta === undefined ? undefined : Object.fromEntries(flags.meta.map(pair)),
  };
  const present = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  // What the values may be is the schema's business: drop() checks.
  return { id: flags.id ?? randomUUID(), conversation_id: flags.to, ...present };
}

function pair(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new SpoolwayError("usage", `--meta is ${JSON.stringify(text)}, expected key=value`, { hint: "" });
}

async function readAll(input: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of input) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks)
    .toString("utf8")
    .replace(/\r?\n$/, "");
}

function sayDropped(context: CommandContext, name: string, { id, file }: Dropped, bus: Bus): number {
  if (context.json) {
    context.out.write(
      `${JSON.stringify({ outcome: "dropped", connector: name, id, file, bus: bus.state })}\n`,
    );
  } else {
    context.out.write(`${id}\n`);
    warn(context, bus);
  }
  return 0;
}

/** That nothing will be sent for now: on stderr, so that stdout stays the answer. */
function warn({ json, err }: CommandContext, bus: Bus): void {
  const message = notRunning(bus);
  if (message !== undefined && !json) err.write(`It waits in the outbox: ${message}\n`);
}

function sayOutcome(
  { json, out, err, color, spool }: CommandContext,
  name: string,
  { id }: Dropped,
  outcome: Outcome,
  waitMs: number,
): number {
  const paint = painter(color);
  const code = { sent: 0, failed: 1, timeout: 3 }[outcome.kind];
  if (json) {
    const { kind, ...record } = outcome;
    out.write(`${JSON.stringify({ outcome: kind, connector: name, id, ...record })}\n`);
  } else if (outcome.kind === "sent") {
    const { platform_id, attempts } = outcome.receipt;
    const details = [
      ...(platform_id === undefined ? [] : [`platform id ${oneLine(platform_id)}`]),
      ...(attempts > 1 ? [`attempt ${attempts}`] : []),
    ];
    out.write(`${paint("green", "sent")} ${id}${details.length > 0 ? ` (${details.join(", ")})` : ""}\n`);
  } else if (outcome.kind === "failed") {
    const { code, error, hint } = outcome.dead_letter;
    out.write(`${paint("red", "failed")} ${id}: ${code}: ${oneLine(error)}\n`);
    if (hint !== undefined && hint !== "") err.write(`hint: ${oneLine(hint)}\n`);
  } else {
    err.write(`neither sent nor failed after ${waitMs / 1000} s; it goes on waiting as ${id}\n`);
    const reason = whyNotYet(lookAtBus(spool), name) ?? outcome.reason;
    if (reason !== undefined) err.write(`hint: ${oneLine(reason)}\n`);
  }
  return code;
}

function whyNotYet(bus: Bus, name: string): string | undefined {
  const state = bus.status?.connectors.find((one) => one.name === name)?.state;
  return (
    notRunning(bus) ?? (state === "live" ? undefined : `${name} is ${state ?? "unknown"}: spoolway status`)
  );
}
