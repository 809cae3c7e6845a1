// What a connector's process prints, as log lines: always drained, never believed.
//
//   per line    logLineBytes are kept, the rest up to the next newline is dropped (`cut: true`)
//   per second  logLinesPerS lines of a connector are logged, more are counted and reported once a second (`output.suppressed`)
//   per second  readBytesPerS are read at all; a flood beyond that waits in the pipe for the rest of the second, so that it slows down its own
//               writer and not the reading of other connectors. A second is far below the watchdog's patience.
//
// A line of our own runtime, {"level", "event", …}, becomes that log entry; anything else is `connector.output` with its stream and text.
import type { Readable } from "node:stream";
import { levels, type Level, type Log } from "../log.ts";

const newline = 0x0a;
const readBytesPerS = 64 * 1024 * 1024;
const windowMs = 1000;

export interface OutputLimits {
  logLineBytes: number;
  logLinesPerS: number;
}

/** Drains the streams of one process. Holds at most one line per stream, whatever is printed. */
export class Output {
  private readonly connector: string;
  private readonly limits: () => OutputLimits;
  private readonly log: Log;
  private readonly streams: Readable[] = [];
  private readonly splitters: LineSplitter[] = [];
  private windowStart = 0;
  private lines = 0;
  private bytes = 0;
  private suppressed = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(connector: string, limits: () => OutputLimits, log: Log) {
    this.connector = connector;
    this.limits = limits;
    this.log = log;
  }

  /** Starts reading. The last line, with or without newline, is logged at the stream's end. */
  attach(stream: Readable, name: "stdout" | "stderr"): void {
    const splitter = new LineSplitter(
      () => this.limits().logLineBytes,
      (line, cut) => this.line(name, line, cut),
    );
    this.streams.push(stream);
    this.splitters.push(splitter);
    stream.on("data", (chunk: Buffer) => {
      this.window();
      this.bytes += chunk.length;
      if (this.lines < this.limits().logLinesPerS) splitter.push(chunk);
      // Above the limit newlines are only counted: a flood of empty lines must not cost a call for each.
      else this.count(splitter.skim(chunk));
      if (this.bytes > readBytesPerS) this.hold();
    });
    stream.on("end", () => splitter.end());
    // A broken pipe ends the reading; what became of the process is seen elsewhere.
    stream.on("error", () => splitter.end());
  }

  /** Ends the reading: reports what was suppressed and closes the pipes, which a grandchild may still hold open. */
  close(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    for (const splitter of this.splitters) splitter.end();
    this.report();
    clearTimeout(this.timer);
    for (const stream of this.streams) stream.destroy();
  }

  private line(stream: "stdout" | "stderr", bytes: Buffer, cut: boolean): void {
    this.window();
    if (this.lines >= this.limits().logLinesPerS) return this.count(1);
    const text = bytes.toString("utf8").replace(/\r$/, "");
    if (text.trim() === "") return;
    this.lines += 1;
    const entry = cut ? undefined : ownEntry(text);
    if (entry) this.log.write(entry.level, entry.event, { ...entry.fields, connector: this.connector });
    else {
      const fields = { connector: this.connector, stream, text, ...(cut ? { cut } : {}) };
      this.log.write("info", "connector.output", fields);
    }
  }

  private count(lines: number): void {
    this.suppressed += lines;
    if (this.suppressed > 0) this.arm();
  }

  private hold(): void {
    for (const stream of this.streams) stream.pause();
    this.arm();
  }

  /** A new second: new budgets. */
  private window(): void {
    const now = performance.now();
    if (now - this.windowStart < windowMs) return;
    this.windowStart = now;
    this.lines = 0;
    this.bytes = 0;
  }

  private arm(): void {
    this.timer ??= setTimeout(
      () => {
        this.timer = undefined;
        this.report();
        this.window();
        for (const stream of this.streams) stream.resume();
      },
      Math.max(1, this.windowStart + windowMs - performance.now()),
    );
  }

  private report(): void {
    if (this.suppressed === 0) return;
    this.log.warn("output.suppressed", { connector: this.connector, lines: this.suppressed });
    this.suppressed = 0;
  }
}

/** Cuts a byte stream into lines of at most maxBytes(). */
export class LineSplitter {
  private readonly maxBytes: () => number;
  private readonly onLine: (line: Buffer, cut: boolean) => void;
  private held: Buffer = Buffer.alloc(0);
  /** The line's beginning was given out; the rest of it is dropped. */
  private skipping = false;

  constructor(maxBytes: () => number, onLine: (line: Buffer, cut: boolean) => void) {
    this.maxBytes = maxBytes;
    this.onLine = onLine;
  }

  push(chunk: Buffer): void {
    let from = 0;
    for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, from)) {
      this.piece(chunk.subarray(from, at), true);
      from = at + 1;
    }
    if (from < chunk.length) this.piece(chunk.subarray(from), false);
  }

  /** Drops the lines that end in this chunk, keeps the beginning of the next. Returns how many were dropped. */
  skim(chunk: Buffer): number {
    let lines = 0;
    for (let at = 0; at < chunk.length; at++) if (chunk[at] === newline) lines += 1;
    if (lines > 0) {
      this.held = Buffer.alloc(0);
      this.skipping = false;
    }
    const rest = chunk.subarray(chunk.lastIndexOf(newline) + 1);
    if (rest.length > 0) this.piece(rest, false);
    return lines;
  }

  end(): void {
    if (this.held.length > 0) this.onLine(this.held, false);
    this.held = Buffer.alloc(0);
    this.skipping = false;
  }

  private piece(bytes: Buffer, ends: boolean): void {
    if (!this.skipping) {
      const max = this.maxBytes();
      const whole =
        this.held.length === 0 && ends ? bytes : Buffer.concat([this.held, bytes.subarray(0, max + 1)]);
      const tooLong = whole.length > max;
      if (tooLong) this.onLine(whole.subarray(0, characterStart(whole, max)), true);
      else if (ends) this.onLine(whole, false);
      this.held = ends || tooLong ? Buffer.alloc(0) : whole;
      this.skipping = tooLong;
    }
    if (ends) this.skipping = false;
  }
}

/** The last position up to `at` that does not cut a UTF-8 character. */
function characterStart(bytes: Buffer, at: number): number {
  let start = at;
  while (start > Math.max(0, at - 3) && ((bytes[start] ?? 0) & 0xc0) === 0x80) start -= 1;
  return start;
}

/** A line that our runtime wrote in the connector's process, or undefined. */
function ownEntry(
  text: string,
): { level: Level; event: string; fields: Record<string, unknown> } | undefined {
  if (!text.startsWith("{")) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined; // somebody else's line that begins with a brace
  }
  const { level, event, ...fields } = value as Record<string, unknown>;
  if (typeof event !== "string" || !(levels as readonly unknown[]).includes(level)) return undefined;
  return { level: level as Level, event, fields };
}
