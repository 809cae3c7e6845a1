// The program's stdout, line by line. A line that says nothing that can be understood is refused visibly, and the next one is read.
import type { Readable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { type Logger, SpoolwayError, toSpoolwayError } from "spoolway/sdk";
import { forEachChunk, type Line, LineSplitter } from "./lines.ts";
import { readLine, type Said } from "./protocol.ts";
import { RateCap } from "./rate-cap.ts";

const warningsPerSecond = 20;
const linesPerTurn = 500;

export class StdoutReader {
  /** The end of stdout was read, and everything before it was taken. */
  readonly done: Promise<void>;
  /** performance.now() of the last bytes. */
  activeAt = performance.now();
  lines = 0;
  invalidLines = 0;
  readonly #stdout: Readable;
  readonly #maxLineBytes: number;
  readonly #log: Logger;
  readonly #take: (said: Said, bytes: number) => Promise<void> | void;
  readonly #warnings: RateCap;

  /** `take` is called for one line after the other; while it waits, nothing is read. */
  constructor(
    stdout: Readable,
    maxLineBytes: number,
    log: Logger,
    take: (said: Said, bytes: number) => Promise<void> | void,
  ) {
    this.#stdout = stdout;
    this.#maxLineBytes = maxLineBytes;
    this.#log = log;
    this.#take = take;
    this.#warnings = new RateCap(warningsPerSecond, (suppressed) => log.warn("line.invalid", { suppressed }));
    this.done = this.#read();
  }

  /** A warning about the current line, unless there were too many in this second. */
  warn(event: string, fields: Record<string, unknown>): void {
    if (this.#warnings.allows()) this.#log.warn(event, { line: this.lines, ...fields });
  }

  /** Gives up the rest. */
  destroy(): void {
    this.#stdout.destroy();
  }

  async #read(): Promise<void> {
    const splitter = new LineSplitter(this.#maxLineBytes);
    await forEachChunk(this.#stdout, async (chunk) => {
      for (const line of splitter.push(chunk)) {
        await this.#line(line);
        // Thousands of short lines in one chunk must not hold up the heartbeat.
        if (this.lines % linesPerTurn === 0) await setImmediate();
      }
      this.activeAt = performance.now();
    });
    // A last line without a newline: whole, if it parses, because no strict prefix of a JSON object does.
    const rest = splitter.end();
    if (rest !== undefined) await this.#line(rest);
    this.#warnings.flush();
  }

  async #line({ bytes, cut }: Line): Promise<void> {
    this.lines += 1;
    let said: Said | undefined;
    try {
      if (cut > 0) {
        const words = `${bytes.length + cut} bytes, at most ${this.#maxLineBytes} (max_line_bytes) are allowed`;
        throw new SpoolwayError("line_too_long", words);
      }
      said = readLine(bytes);
    } catch (thrown) {
      const error = toSpoolwayError(thrown);
      this.invalidLines += 1;
      this.warn("line.invalid", { code: error.code, error: withoutBody(error) });
      return;
    }
    if (said !== undefined) await this.#take(said, bytes.length);
  }
}

/** JSON.parse quotes what it could not read; message bodies do not belong in logs. */
function withoutBody(error: SpoolwayError): string {
  if (error.code !== "invalid_json") return error.message.slice(0, 200);
  const position = /position (\d+)/.exec(error.message)?.[1];
  return position === undefined
    ? "not a line of JSON"
    : `not a line of JSON: mistake at character ${position}`;
}
