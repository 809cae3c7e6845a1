// The log: one JSON line per event on stdout, or a readable line where stdout is a terminal.
//
//   {"time":"2026-11-20T23:52:01.123Z","level":"info","event":"connector.started","connector":"irc-main","pid":4711}
//
// Event names are noun.verbed; fixed keys: connector, id, event, code, fate, message. Secrets are replaced on the way (redact.ts).
//
// Lines are written asynchronously, in order, from a bounded buffer: a reader that has stopped reading (`spoolway run | less`) does not stop the
// bus; what no longer fits is counted and reported when the reader goes on. A reader that is gone (`spoolway run | head`) ends the log, not the bus.
import { createRequire } from "node:module";
import { stripVTControlCharacters, styleText } from "node:util";
import pino from "pino";
import type PinoPretty from "pino-pretty";
import { Redactor } from "./redact.ts";
import type { Logger } from "./sdk.ts";

export const levels = ["debug", "info", "warn", "error"] as const;
export type Level = (typeof levels)[number];

export interface Log extends Logger {
  /** As the four methods; `cut` says that the fields hold the beginning of a longer text. */
  write(level: Level, event: string, fields?: Record<string, unknown>): void;
  /** Values that must never be logged. */
  hide(secrets: readonly string[]): void;
  /** Text for a person, as it is (the banner). */
  print(text: string): void;
  /** Resolves when everything was written, or the reader is gone. A reader that has merely stopped is waited for. */
  flush(): Promise<void>;
}

export interface LogOptions {
  format: "json" | "readable";
  color?: boolean;
  /** Default "info"; "debug" when SPOOLWAY_DEBUG is set. */
  level?: Level;
  /** Default: stdout. */
  destination?: { write(text: string): unknown };
}

const bufferBytes = 8 * 1024 * 1024;

/** A log on stdout (or `destination`). One per process: it takes part in the process's exit. */
export function createLog(options: LogOptions): Log {
  const redactor = new Redactor();
  const stdout = options.destination === undefined ? openStdout(() => log) : undefined;
  const destination = options.destination ?? stdout ?? process.stdout;
  const format = options.format === "readable" ? readable(options.color ?? false) : undefined;
  const logger = pino(
    {
      level: options.level ?? (process.env.SPOOLWAY_DEBUG === undefined ? "info" : "debug"),
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => void destination.write(format === undefined ? line : format(line)) },
  );

  function write(level: Level, event: string, fields: Record<string, unknown> = {}): void {
    if (!logger.isLevelEnabled(level)) return;
    const entry = redactor.fields(fields);
    // A text that was cut may end in the middle of a secret.
    if (fields.cut === true && typeof fields.text === "string") entry.text = redactor.cutText(fields.text);
    // A connector's fields cannot pose as ours.
    for (const key of ["time", "level", "event"]) delete entry[key];
    logger[level]({ event: redactor.text(event), ...entry });
  }

  const log: Log = {
    write,
    debug: (event, fields) => write("debug", event, fields),
    info: (event, fields) => write("info", event, fields),
    warn: (event, fields) => write("warn", event, fields),
    error: (event, fields) => write("error", event, fields),
    hide: (secrets) => redactor.add(secrets),
    print: (text) => void destination.write(redactor.text(text)),
    flush: async () => stdout?.flushed(),
  };
  return log;
}

/** stdout through a thread of the pool, so that a slow reader never blocks the event loop. */
function openStdout(log: () => Log): {
  write(text: string): void;
  flushed(): Promise<void>;
} {
  const stream = pino.destination({ dest: 1, sync: false, minLength: 0, maxLength: bufferBytes });
  let pending = false;
  let gone = false;
  let dropped = 0;
  const waiting: Array<() => void> = [];
  const settle = () => {
    pending = false;
    for (const done of waiting.splice(0)) done();
  };
  stream.on("drop", () => (dropped += 1));
  stream.on("drain", () => {
    settle();
    if (dropped === 0) return;
    const lines = dropped;
    dropped = 0;
    log().warn("log.dropped", { lines, message: "nobody read the log" });
  });
  // EPIPE: nobody will read any more. Anything else (a full disk, a closed terminal) may pass: the buffer is kept and tried with the next line.
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") gone = true;
    settle();
  });
  return {
    write(text) {
      if (gone) return;
      pending = true;
      stream.write(text);
    },
    async flushed() {
      if (pending && !gone) await new Promise<void>((resolve) => waiting.push(resolve));
    },
  };
}

/** `12:03:01 irc-main  session.opened  server=irc.example.org`; what a connector prints itself as `cli │ text`. */
function readable(color: boolean): (line: string) => string {
  // Loaded only for a terminal: a service does without its memory.
  const { prettyFactory } = createRequire(import.meta.url)("pino-pretty") as typeof PinoPretty;
  const paint = (style: Parameters<typeof styleText>[0], text: string) =>
    color ? styleText(style, text, { validateStream: false }) : text;
  return prettyFactory({
    colorize: false, // it would colour the line as a whole
    hideObject: true,
    ignore: "time,level,pid,name,hostname,caller",
    messageFormat: (entry) => line(entry, paint),
  }) as (line: string) => string;
}

function line(
  entry: Record<string, unknown>,
  paint: (style: "cyan" | "gray" | "red" | "yellow", text: string) => string,
) {
  const { time, level, event, connector, stream, text, message, ...rest } = entry;
  const name = clean(String(connector ?? "spoolway"));
  const printed = event === "connector.output";
  if (printed && stream === "stdout") return `${paint("cyan", name)} │ ${clean(String(text))}`;
  const clock = new Date(String(time)).toTimeString().slice(0, 8);
  const words = printed ? `stderr: ${clean(String(text))}` : eventWords(String(event));
  const color = level === "error" ? "red" : level === "warn" ? "yellow" : undefined;
  const parts = [
    `${paint("gray", clock)} ${paint("cyan", name.padEnd(10))}`,
    color ? paint(color, words) : words,
  ];
  if (message !== undefined) parts.push(clean(show(message)));
  const details = Object.entries(rest).map(([key, value]) => `${key}=${clean(show(value))}`);
  if (details.length > 0) parts.push(paint("gray", details.join(" ")));
  return parts.join("  ");
}

/** "connector.started" of irc-main reads "started": the name stands before it. */
const eventWords = (event: string): string =>
  clean(event.replace(/^(connector|supervisor)\./, "").replaceAll("_", " "));

const show = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""));

/** Nothing that a connector logs may control the terminal. */
function clean(text: string): string {
  // The C0 and C1 controls without tab.
  return stripVTControlCharacters(text)
    .replace(/\r?\n/g, " ⏎ ")
    .replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g, "�");
}
