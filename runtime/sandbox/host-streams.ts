// The bytes of attachments that a guest delivers, pulled one piece after the other: at most one piece of each is held here.
import { SpoolwayError } from "../errors.ts";
import { ChannelError } from "./frames.ts";
import type { ToGuest } from "./protocol.ts";

type Piece = Buffer | undefined;

export class HostStreams {
  readonly #say: (message: ToGuest) => void;
  /** Who waits for the next piece; null while nobody does. */
  readonly #open = new Map<number, PromiseWithResolvers<Piece> | null>();

  constructor(say: (message: ToGuest) => void) {
    this.#say = say;
  }

  open(stream: number): AsyncIterable<Buffer> {
    if (this.#open.has(stream)) throw new SpoolwayError("invalid_event", "one stream in two attachments");
    this.#open.set(stream, null);
    return this.#pieces(stream);
  }

  close(stream: number): void {
    if (this.#open.delete(stream)) this.#say({ t: "drop", stream });
  }

  chunk(stream: number, bytes: Buffer): void {
    this.#waiting(stream)?.resolve(bytes);
  }

  end(stream: number, error: Error | undefined): void {
    const waiting = this.#waiting(stream);
    if (error === undefined) waiting?.resolve(undefined);
    else waiting?.reject(error);
  }

  async *#pieces(stream: number): AsyncGenerator<Buffer> {
    for (;;) {
      const next = Promise.withResolvers<Piece>();
      this.#open.set(stream, next);
      this.#say({ t: "pull", stream });
      const piece = await next.promise;
      if (piece === undefined) return;
      yield piece;
    }
  }

  /** Undefined for a stream that was closed meanwhile. Throws for what nobody asked for. */
  #waiting(stream: number): PromiseWithResolvers<Piece> | undefined {
    const waiting = this.#open.get(stream);
    if (waiting === null) throw new ChannelError("bytes that nobody asked for");
    if (waiting !== undefined) this.#open.set(stream, null);
    return waiting;
  }
}
