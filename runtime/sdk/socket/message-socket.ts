// spoolway/sdk/socket/message-socket: a WebSocket as a session has it: messages of JSON one after the other, in bounded memory; a probe; one end, with its reason. It never
// connects again: the runtime does.
//
//   open ─▶ hello ─▶ next(), next() … ─▶ lost (closed by either side, broken, or the session's end): next() says undefined once all that came is taken
import { reconnect } from "../../sdk.ts";

/** What it needs of a socket of the package `ws`, which connectors bring themselves. */
export interface WebSocketLike {
  on(event: "open" | "pong", listener: () => void): unknown;
  on(event: "message", listener: (data: Buffer, isBinary: boolean) => void): unknown;
  on(event: "close", listener: (code: number, reason: Buffer) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  send(text: string, done: (error?: Error) => void): void;
  ping(): void;
  pause(): void;
  resume(): void;
  close(code: number): void;
  terminate(): void;
}

/** The class WebSocket of `ws`. */
export type WebSocketClass = new (
  url: string,
  options: { handshakeTimeout: number; maxPayload: number },
) => WebSocketLike;

const handshakeMs = 20_000;
const messageMaxBytes = 64 << 20;
/** Beyond this many that nobody took yet, the other side has to wait. */
const waitingMax = 256;

export class MessageSocket<Message extends object> {
  /** Why it is lost. */
  why: string | undefined;
  readonly #socket: WebSocketLike;
  readonly #waiting: string[] = [];
  /** Resolved by whatever happens next. */
  #stir = Promise.withResolvers<void>();
  #pongs = 0;

  /** Connects. The first message has to be the hello; `isHello` may throw what another one means. It is closed when the signal aborts. */
  static async open<Message extends object>(
    Socket: WebSocketClass,
    url: string,
    signal: AbortSignal,
    isHello: (first: Message) => boolean,
  ): Promise<MessageSocket<Message>> {
    const socket = new Socket(url, { handshakeTimeout: handshakeMs, maxPayload: messageMaxBytes });
    const opened = new MessageSocket<Message>(socket);
    signal.addEventListener("abort", () => opened.close(), { once: true });
    if (signal.aborted) opened.close();
    let isOpen = false;
    try {
      const first = await opened.next();
      isOpen = first !== undefined && isHello(first);
      if (isOpen) return opened;
      const why = first === undefined ? opened.why : JSON.stringify(first).slice(0, 300);
      throw reconnect(`there was no hello: ${why}`);
    } finally {
      if (!isOpen) opened.close();
    }
  }

  private constructor(socket: WebSocketLike) {
    this.#socket = socket;
    const lose = (why: string): void => {
      this.why ??= why;
      this.#wake();
    };
    socket.on("message", (data) => {
      if (this.#waiting.push(data.toString("utf8")) >= waitingMax) socket.pause();
      this.#wake();
    });
    socket.on("pong", () => {
      this.#pongs += 1;
      this.#wake();
    });
    socket.on("error", (error) => lose(error.message));
    socket.on("close", (code, reason) =>
      lose(`the connection was closed (${code}) ${reason.toString()}`.trim()),
    );
  }

  /** The next message; undefined: there is none any more. Throws reconnect for what is no JSON. */
  async next(): Promise<Message | undefined> {
    while (this.#waiting.length === 0 && this.why === undefined) await this.#stir.promise;
    const text = this.#waiting.shift();
    if (this.#waiting.length === 0) this.#socket.resume();
    if (text === undefined) return undefined;
    try {
      return JSON.parse(text) as Message;
    } catch (error) {
      throw reconnect(`a message was no JSON: ${(error as Error).message}`, { cause: error });
    }
  }

  /** Every message; when there is none any more it throws reconnect with the reason. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Message, never> {
    for (;;) {
      const message = await this.next();
      if (message === undefined) throw reconnect(this.why ?? "the connection is closed");
      yield message;
    }
  }

  /** Resolves when the bytes are with the system; rejects when the connection is gone. */
  send(message: object): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.send(JSON.stringify(message), (error) => (error ? reject(error) : resolve()));
    });
  }

  /** A ping, answered within the time; rejects otherwise. */
  async probe(withinMs: number): Promise<void> {
    const before = this.#pongs;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#wake();
    }, withinMs);
    try {
      if (this.why === undefined) this.#socket.ping();
      while (this.#pongs === before && this.why === undefined && !isLate) await this.#stir.promise;
    } finally {
      clearTimeout(timer);
    }
    if (this.#pongs === before) throw new Error(this.why ?? `no answer to a ping within ${withinMs} ms`);
  }

  /** Says goodbye and is gone at once, also where the other side does not answer. */
  close(): void {
    this.why ??= "closed by us";
    this.#socket.close(1000);
    this.#socket.terminate();
    this.#wake();
  }

  /** Whoever waits looks again. */
  #wake(): void {
    this.#stir.resolve();
    this.#stir = Promise.withResolvers();
  }
}
