// The channel between a connector's process and its guest: frames over one inherited socket, bounded in both directions, because the other end may be hostile.
//
//   [length of the rest, 4 bytes][kind, 1 byte]   kind 1: JSON in UTF-8   kind 2: [stream, 4 bytes][bytes of an attachment]
//
// Whatever breaks these rules ends the channel. Nothing is ever evaluated, and no descriptor can travel over it.
import type { Duplex } from "node:stream";

export const maxMessageBytes = 16 * 1024 * 1024;
export const maxChunkBytes = 256 * 1024;
/** What may wait for an other end that does not read. */
const maxUnsentBytes = 64 * 1024 * 1024;

const headerBytes = 5;
const streamBytes = 4;
const kinds = { message: 1, chunk: 2 } as const;

export interface ChannelEvents {
  /** The text of a message. A throw ends the channel. */
  message(text: Buffer): void;
  chunk(stream: number, bytes: Buffer): void;
  /** Once. `violation` when it was ended for what the other end did. */
  closed(violation: string | undefined): void;
}

/** What the other end did wrong. */
export class ChannelError extends Error {}

export class Channel {
  readonly #socket: Duplex;
  readonly #events: ChannelEvents;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #closed = false;

  constructor(socket: Duplex, events: ChannelEvents) {
    this.#socket = socket;
    this.#events = events;
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    socket.on("error", () => this.close(undefined)); // EPIPE, ECONNRESET: the other end is gone
    socket.on("close", () => this.close(undefined));
    socket.on("end", () => this.close(undefined));
  }

  send(message: object): void {
    const text = Buffer.from(JSON.stringify(message));
    if (text.length > maxMessageBytes) {
      throw new ChannelError(`a message of ${text.length} bytes, at most ${maxMessageBytes} are allowed`);
    }
    this.#write(header(kinds.message, text.length), text);
  }

  sendChunk(stream: number, bytes: Uint8Array): void {
    const head = Buffer.alloc(headerBytes + streamBytes);
    header(kinds.chunk, streamBytes + bytes.length).copy(head);
    head.writeUInt32BE(stream, headerBytes);
    this.#write(head, bytes);
  }

  close(violation: string | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#held = [];
    this.#socket.destroy();
    this.#events.closed(violation);
  }

  #write(head: Buffer, body: Uint8Array): void {
    if (this.#closed) return;
    this.#socket.cork();
    this.#socket.write(head);
    this.#socket.write(body);
    this.#socket.uncork();
    if (this.#socket.writableLength > maxUnsentBytes) this.close("it does not read what is sent to it");
  }

  #take(bytes: Buffer): void {
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    try {
      while (!this.#closed && this.#frame());
    } catch (error) {
      if (!(error instanceof ChannelError)) throw error;
      this.close(error.message);
    }
  }

  /** Takes one whole frame off what is held; false when there is none yet. */
  #frame(): boolean {
    if (this.#heldBytes < headerBytes) return false;
    // The header may lie across two pieces; a frame is joined once, when the last of it is there.
    if ((this.#held[0]?.length ?? 0) < headerBytes) this.#join();
    const [first = Buffer.alloc(0)] = this.#held;
    const length = first.readUInt32BE(0);
    const kind = first[4];
    check(kind, length);
    if (this.#heldBytes < headerBytes + length - 1) return false;
    this.#join();
    const [whole = Buffer.alloc(0)] = this.#held;
    const body = whole.subarray(headerBytes, headerBytes + length - 1);
    const rest = whole.subarray(headerBytes + length - 1);
    this.#held = rest.length === 0 ? [] : [rest];
    this.#heldBytes = rest.length;
    if (kind === kinds.message) this.#events.message(body);
    else this.#events.chunk(body.readUInt32BE(0), body.subarray(streamBytes));
    return true;
  }

  #join(): void {
    if (this.#held.length > 1) this.#held = [Buffer.concat(this.#held)];
  }
}

function header(kind: number, bodyBytes: number): Buffer {
  const head = Buffer.alloc(headerBytes);
  head.writeUInt32BE(bodyBytes + 1, 0);
  head[4] = kind;
  return head;
}

/** `length` counts the byte of the kind. */
function check(kind: number | undefined, length: number): void {
  const bytes = length - 1;
  if (kind === kinds.message && bytes >= 2 && bytes <= maxMessageBytes) return;
  if (kind === kinds.chunk && bytes > streamBytes && bytes <= streamBytes + maxChunkBytes) return;
  throw new ChannelError(`a frame of kind ${kind} and ${bytes} bytes, which is none of the protocol`);
}
