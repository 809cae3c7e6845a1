// Attachments on their way out of the sandbox: the host pulls one piece after the other, so that nothing is read faster than it is stored.
import { maxChunkBytes, type Channel } from "./frames.ts";
import { packError, type ToHost } from "./protocol.ts";

type Pieces = AsyncIterator<unknown>;

export class GuestStreams {
  readonly #channel: Channel;
  readonly #open = new Map<number, { pieces: Pieces; rest: Uint8Array }>();
  #last = 0;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** Its number, for the draft. */
  add(data: Uint8Array | AsyncIterable<unknown>): number {
    this.#last += 1;
    const whole = data instanceof Uint8Array ? data : new Uint8Array();
    const pieces = data instanceof Uint8Array ? none() : data[Symbol.asyncIterator]();
    this.#open.set(this.#last, { pieces, rest: whole });
    return this.#last;
  }

  /** Sends the next piece, or the end. */
  async pull(stream: number): Promise<void> {
    const found = this.#open.get(stream);
    if (found === undefined) return;
    const end = (error?: unknown): void => {
      this.#open.delete(stream);
      const message: ToHost = {
        t: "end",
        stream,
        ...(error === undefined ? {} : { error: packError(error) }),
      };
      this.#channel.send(message);
    };
    try {
      while (found.rest.length === 0) {
        const { done, value } = await found.pieces.next();
        if (done === true) return end();
        found.rest = typeof value === "string" ? Buffer.from(value) : (value as Uint8Array);
      }
      this.#channel.sendChunk(stream, found.rest.subarray(0, maxChunkBytes));
      found.rest = found.rest.subarray(maxChunkBytes);
    } catch (error) {
      end(error);
    }
  }

  /** The host wants no more of it: it was stored, or it was too large. */
  drop(stream: number): void {
    const found = this.#open.get(stream);
    this.#open.delete(stream);
    void found?.pieces.return?.().catch(() => undefined); // its source ends late: nobody is interested any more
  }
}

async function* none(): AsyncGenerator<never> {}
