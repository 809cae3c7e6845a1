// The program's stderr as log lines: always drained, so that the program never blocks on it; cut in length and in number per second.
import type { Readable } from "node:stream";
import type { Logger } from "spoolway/sdk";
import { forEachChunk, type Line, LineSplitter } from "./lines.ts";
import { RateCap } from "./rate-cap.ts";

const maxLineBytes = 2048;
const linesPerSecond = 100;
const lastWordsChars = 200;

export class StderrLog {
  /** The end of stderr is here too. */
  readonly done: Promise<void>;
  #last: Buffer | undefined;
  readonly #log: Logger;
  readonly #cap: RateCap;

  constructor(stderr: Readable, log: Logger) {
    this.#log = log;
    this.#cap = new RateCap(linesPerSecond, (suppressed) => log.info("program.stderr", { suppressed }));
    this.done = this.#read(stderr);
  }

  async #read(stderr: Readable): Promise<void> {
    const splitter = new LineSplitter(maxLineBytes);
    await forEachChunk(stderr, (chunk) => {
      for (const line of splitter.push(chunk)) this.#take(line);
    });
    const rest = splitter.end();
    if (rest !== undefined) this.#take(rest);
    this.#cap.flush();
  }

  /** The last line: what a program says before it gives up. */
  get lastWords(): string {
    return this.#last?.subarray(0, lastWordsChars).toString("utf8").trimEnd() ?? "";
  }

  #take({ bytes, cut }: Line): void {
    if (bytes.every((byte) => byte <= 0x20)) return;
    this.#last = bytes;
    if (!this.#cap.allows()) return; // a flood is not even decoded
    this.#log.info("program.stderr", { text: bytes.toString("utf8").trimEnd(), ...(cut > 0 ? { cut } : {}) });
  }
}
