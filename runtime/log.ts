// The log: one JSON line per event on stdout, or a readable line where stdout is a terminal.
//
//   {"time":"2026-11-20T23:52:01.123Z","level":"info","event":"connector.started","connector":"irc-main","pid":4711}
//
// Event names are noun.verbed; fixed keys: connector, id, event, code, fate, message. Secrets are replaced on the way (redact.ts).
//
// Lines are written asynchronously, in order, from a bounded buffer: a reader that has stopped reading (`spoolway run | less`) does not stop the
// bus; what no longer fits is counted and reported when the reader goes on. A reader that is gone (`spoolway run | head`) ends the log, not the bus.
import { stripVTControlCharacters } from "node:util";
import pino from "pino";
import pinoPretty from "pino-pretty";
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
  /** Resolves when everything was written, or after `timeoutMs` when nobody reads. */
  flush(timeoutMs: number): Promise<void>;
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
    flush: async (timeoutMs) => stdout?.flushed(timeoutMs),
  };
  return log;
}

/** stdout through a thread of the pool, so that a slow reader never blocks the event loop. */
function openStdout(log: () => Log): {
  write(text: string): void;
  flushed(timeoutMs: number): Promise<void>;
} {
  const stream = pino.destination({ dest: 1, sync: false, minLength: 0, maxLength: bufferBytes });
  let pending = false;
  let gone = false;
  let dropped = 0;
  const waiting = new Set<() => void>();
  const settle = () => {
    pending = false;
    for (const done of waiting) done();
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
    async flushed(timeoutMs) {
      if (!pending || gone) return;
      const inTime = await new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => resolve(false), timeoutMs);
        waiting.add(() => {
          clearTimeout(timer);
          resolve(true);
        });
      });
      waiting.clear();
      // Else the flush that pino does at exit would wait for this reader forever.
      if (!inTime) stream.destroy();
      gone ||= !inTime;
    },
  };
}

/** `12:03:01 irc-main  session.opened  server=irc.example.org`; what a connector prints itself as `cli │ text`. */
function readable(color: boolean): (line: string) => string {
  return pinoPretty.prettyFactory({
    colorize: color,
    hideObject: true,
    ignore: "time,level",
    messageFormat: (log, _messageKey, _label, { colors }) => {
      const { time, level, event, connector, stream, text, message, ...rest } = log;
      const name = clean(String(connector ?? "spoolway"));
      if (event === "connector.output" && stream === "stdout")
        return `${colors.cyan(name)} │ ${clean(String(text))}`;
      const paint =
        level === "error" ? colors.red : level === "warn" ? colors.yellow : (part: string) => part;
      const clock = new Date(String(time)).toTimeString().slice(0, 8);
      const parts = [
        `${colors.gray(clock)} ${colors.cyan(name.padEnd(10))}`,
        paint(eventWords(String(event))),
      ];
      if (event === "connector.output") parts.splice(1, 1, `stderr: ${clean(String(text))}`);
      if (message !== undefined) parts.push(clean(String(message)));
      const details = Object.entries(rest).map(([key, value]) => `${key}=${clean(show(value))}`);
      if (details.length > 0) parts.push(colors.gray(details.join(" ")));
      return parts.join("  ");
    },
  }) as (line: string) => string;
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
