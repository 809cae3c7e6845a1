// spoolway/sdk/lines: a stream of bytes as lines, in bounded memory however long a line is and in however small pieces it comes, and read no faster than
// its lines are taken.
//
//   await forEachLine(socket, 64 << 10, async ({ bytes, cut }) => { … });
import { setImmediate } from "node:timers/promises";

export interface Line {
  /** Without its end (\n or \r\n); only the first maxBytes of a line that is longer. */
  bytes: Buffer;
  /** How many more bytes the line had; 0 for a whole one. */
  cut: number;
}

const linesPerTurn = 500;
const newline = 0x0a;
const carriageReturn = 0x0d;

/** Makes lines of chunks. forEachLine is what most need. */
export class LineSplitter {
  readonly #maxBytes: number;
  /** The line under way. Copied together, because thousands of one-byte chunks would weigh more than their bytes. */
  #held = Buffer.alloc(0);
  #length = 0;
  #cut = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether the line under way is longer than maxBytes already, for those who will not wait for its end. */
  get isOver(): boolean {
    return this.#cut > 0;
  }

  /** The lines that this chunk completes. */
  *push(chunk: Buffer): Generator<Line> {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(newline, start);
      if (end >= 0 && this.#length === 0 && this.#cut === 0 && end - start <= this.#maxBytes) {
        // Most lines: whole, and in one chunk. No copy.
        yield { bytes: withoutReturn(chunk.subarray(start, end)), cut: 0 };
        start = end + 1;
        continue;
      }
      this.#hold(chunk.subarray(start, end < 0 ? chunk.length : end));
      if (end < 0) return;
      yield this.#take();
      start = end + 1;
    }
  }

  /** What came after the last newline, when the stream has ended. */
  end(): Line | undefined {
    return this.#length === 0 && this.#cut === 0 ? undefined : this.#take();
  }

  #hold(piece: Buffer): void {
    const room = this.#maxBytes - this.#length;
    const taken = piece.length > room ? piece.subarray(0, room) : piece;
    this.#cut += piece.length - taken.length;
    if (this.#length + taken.length > this.#held.length) {
      const larger = Buffer.alloc(
        Math.min(this.#maxBytes, Math.max(4096, 2 * (this.#length + taken.length))),
      );
      this.#held.copy(larger, 0, 0, this.#length);
      this.#held = larger;
    }
    taken.copy(this.#held, this.#length);
    this.#length += taken.length;
  }

  #take(): Line {
    const bytes = this.#held.subarray(0, this.#length);
    const line = { bytes: this.#cut === 0 ? withoutReturn(bytes) : bytes, cut: this.#cut };
    // A new buffer for the next line: the one before is the reader's now.
    this.#held = Buffer.alloc(0);
    this.#length = 0;
    this.#cut = 0;
    return line;
  }
}

const withoutReturn = (bytes: Buffer): Buffer =>
  bytes.at(-1) === carriageReturn ? bytes.subarray(0, -1) : bytes;

/**
 * Calls `take` for each line, one after the other, until the stream ends; while it waits, nothing is read, so that in the end whoever writes has to wait. What
 * stands behind the last newline counts as a line. A pipe that breaks or is closed from this side has ended, like any other. Rejects as `take` does.
 */
export async function forEachLine(
  stream: AsyncIterable<Buffer>,
  maxBytes: number,
  take: (line: Line) => Promise<void> | void,
): Promise<void> {
  const splitter = new LineSplitter(maxBytes);
  const chunks = stream[Symbol.asyncIterator]();
  for (;;) {
    const next = await chunks.next().catch(() => ({ done: true as const, value: undefined }));
    if (next.done === true) break;
    let count = 0;
    for (const line of splitter.push(next.value)) {
      const taken = take(line);
      if (taken !== undefined) await taken; // a flood is not made slower by promises
      count += 1;
      // Thousands of short lines in one chunk must not hold up the heartbeat.
      if (count % linesPerTurn === 0) await setImmediate();
    }
  }
  const rest = splitter.end();
  if (rest !== undefined) await take(rest);
}
