// spoolway/sdk/socket/heartbeat-socket: a WebSocket of JSON messages, some of which are answered at once (a greeting, a heartbeat) and the others taken one after the other (sdk/inflow).
// The heartbeats are the platform's own; one that is not answered before the next is due ends it. It never connects again: the runtime does.
//
//   opening ─▶ open ─▶ lost: closed by the other side, no answer to a heartbeat, the session's end; once, with the reason
import { type Context, reconnect, type SpoolwayError } from "../../sdk.ts";
import { Inflow } from "../inflow.ts";

/** What it needs of a socket of the package `ws`, which connectors bring themselves. */
export interface WebSocketLike {
  on(event: "message", listener: (data: Buffer) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "close", listener: (code: number, reason: Buffer) => void): unknown;
  send(text: string, done: (error?: Error) => void): void;
  pause(): void;
  resume(): void;
  terminate(): void;
}

export interface Protocol<Message, Item> {
  /** Deals with a message; what it returns waits in `items`. */
  take(message: Message, socket: HeartbeatSocket<Message, Item>): Item | undefined;
  /** The next heartbeat. */
  heartbeat(): object;
  /** Why the other side closes, by its code. Default: reconnect. */
  closed?(code: number, words: string): SpoolwayError;
}

export class HeartbeatSocket<Message, Item> {
  readonly items: Inflow<Item>;
  readonly #socket: WebSocketLike;
  readonly #protocol: Protocol<Message, Item>;
  #timer: NodeJS.Timeout | undefined;
  /** Of the heartbeat that is not answered yet. */
  #answer: PromiseWithResolvers<void> | undefined;
  #lost: SpoolwayError | undefined;

  constructor({ signal }: Pick<Context, "signal">, socket: WebSocketLike, protocol: Protocol<Message, Item>) {
    this.#socket = socket;
    this.#protocol = protocol;
    this.items = new Inflow<Item>(socket);
    const { closed = (_code: number, words: string) => reconnect(words) } = protocol;
    socket.on("message", (data) => this.#take(data));
    socket.on("error", (error) => this.lose(reconnect(error.message)));
    socket.on("close", (code, reason) =>
      this.lose(closed(code, `the connection was closed (${code}) ${reason.toString("utf8")}`.trim())),
    );
    signal.addEventListener("abort", () => this.lose(reconnect("the session is over")), { once: true });
  }

  say(message: object): void {
    this.#socket.send(JSON.stringify(message), (error) => {
      if (error) this.lose(reconnect(error.message));
    });
  }

  /** Sends one, and the next after so many ms, and so on. */
  beat(everyMs: number, firstMs = everyMs): void {
    this.#timer = setTimeout(() => {
      // Of a paused connection no answer is read: then it is we who are slow.
      if (this.#answer && !this.items.isPaused) return this.lose(reconnect("a heartbeat was not answered"));
      this.askedToBeat();
      this.beat(everyMs);
    }, firstMs);
  }

  /** Sends one out of turn. */
  askedToBeat(): void {
    if (this.#lost !== undefined) return;
    this.#answer ??= Promise.withResolvers();
    this.#answer.promise.catch(() => undefined); // the timer looks, and nobody else need wait
    this.say(this.#protocol.heartbeat());
  }

  /** The answer to a heartbeat came. */
  answered(): void {
    this.#answer?.resolve();
    this.#answer = undefined;
  }

  /** Sends one and waits for the answer. Rejects when there is none in time, or when it is lost meanwhile. */
  async probe(withinMs: number): Promise<void> {
    if (this.#lost !== undefined) throw this.#lost;
    if (this.items.isPaused) return;
    this.askedToBeat();
    const late = setTimeout(
      () => this.#answer?.reject(reconnect(`no answer within ${withinMs} ms`)),
      withinMs,
    );
    try {
      await this.#answer?.promise;
    } finally {
      clearTimeout(late);
    }
  }

  /** Ends it, without a goodbye. Of several reasons the first one counts. */
  lose(why: SpoolwayError): void {
    this.#lost ??= why;
    clearTimeout(this.#timer);
    this.#answer?.reject(this.#lost);
    this.items.end(this.#lost);
    this.#socket.terminate();
  }

  #take(data: Buffer): void {
    if (this.#lost !== undefined) return; // was on its way: a greeting would start heartbeats that nobody ends
    try {
      const item = this.#protocol.take(JSON.parse(data.toString("utf8")) as Message, this);
      if (item !== undefined) this.items.add(item);
    } catch (error) {
      this.lose(reconnect(`a message that cannot be understood: ${(error as Error).message}`));
    }
  }
}
