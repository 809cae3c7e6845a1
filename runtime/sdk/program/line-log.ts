// spoolway/sdk/program/line-log: somebody else's output (a program's stderr) as log lines: always drained, so that nobody blocks on it; cut in length and in number
// per second.
import type { Readable } from "node:stream";
import type { Logger } from "../../sdk.ts";
import { forEachLine, type Line } from "../lines.ts";
import { RateCap } from "../rate-cap.ts";

const maxLineBytes = 2048;
const linesPerSecond = 100;
const lastWordsChars = 200;

export class LineLog {
  /** The end of the stream is here too. */
  readonly done: Promise<void>;
  readonly #log: Logger;
  readonly #event: string;
  readonly #cap: RateCap;
  #last: Buffer | undefined;

  /** Logs each line as `event`, with { text }. */
  constructor(stream: Readable, log: Logger, event: string) {
    this.#log = log;
    this.#event = event;
    this.#cap = new RateCap(linesPerSecond, (suppressed) => log.info(event, { suppressed }));
    this.done = forEachLine(stream, maxLineBytes, (line) => this.#take(line)).then(() => this.#cap.flush());
  }

  /** The last line: what a program says before it gives up. "" when there was none. */
  get lastWords(): string {
    return this.#last?.subarray(0, lastWordsChars).toString("utf8").trimEnd() ?? "";
  }

  #take({ bytes, cut }: Line): void {
    if (bytes.every((byte) => byte <= 0x20)) return;
    this.#last = bytes;
    if (!this.#cap.allows()) return; // a flood is not even decoded
    this.#log.info(this.#event, { text: bytes.toString("utf8").trimEnd(), ...(cut > 0 ? { cut } : {}) });
  }
}
