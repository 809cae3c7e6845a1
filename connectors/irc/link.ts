// One connection to the server: what is said on it, what is heard on it, and that it is lost exactly once.
//
//   open ─▶ (register.ts) ─▶ exchanges, one at a time per target ─▶ lost (server, network, or the session's end) ─▶ close
//
// IRC acknowledges nothing, but a server works off one connection's lines in order. So an exchange ends its lines with a PING of its own: when the
// PONG is back, every complaint about those lines has arrived before it, and silence means yes.
import { randomBytes } from "node:crypto";
import type { Client, IrcMessage } from "irc-framework";
import { reconnect, uncertain } from "spoolway/sdk";
import { connectClient, newClient } from "./client.ts";
import { address, type IrcConfig } from "./config.ts";
import { Pacer } from "./pacer.ts";
import { socketProblem } from "./problems.ts";
import type { LineSocket } from "./transport.ts";

const pongMs = 30_000;
const quitMs = 1000;

export interface ExchangeOptions {
  /** How long the server may take for the PONG. */
  timeoutMs?: number;
  /** Past the flood control: for a single PING. */
  urgent?: boolean;
}

export class Link {
  readonly config: IrcConfig;
  readonly client: Client = newClient();
  /** Ours now, as the server says. */
  nick: string;
  /** user@host of ours, as others see it; undefined until the server has shown it. */
  userHost: string | undefined;
  /** The text of the server's ERROR. */
  goodbye = "";
  /** Gets every message that is not the echo of something that an exchange has said. */
  onMessage: (message: IrcMessage) => void = () => undefined;
  readonly #lost = new AbortController();
  readonly #listeners = new Set<(message: IrcMessage) => boolean>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #tails = new Map<string, Promise<unknown>>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #pacer: Pacer;
  #socket: LineSocket | undefined;

  constructor(config: IrcConfig) {
    this.config = config;
    this.nick = config.nick;
    this.#pacer = new Pacer(config.flood);
    this.client.use((_client, raw) =>
      raw.use((_command, message, _line, _self, next) => {
        this.#hear(message);
        next();
      }),
    );
    this.client.on("socket close", (error) => {
      this.#closed.resolve();
      // What the server said is worth more than the EPIPE that followed.
      const said = this.goodbye === "" ? "" : `: ${this.goodbye}`;
      if (error && said === "") this.lose(socketProblem(error, config));
      else this.lose(reconnect(`${address(config)} closed the connection${said}`));
    });
  }

  /** Aborts once, when the connection is gone or the session is over; its reason is the error. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Starts connecting; what comes of it is heard by the listeners, or is the loss. */
  open(): void {
    connectClient(this.client, this.config, (socket) => (this.#socket = socket));
  }

  /** Calls the listener with every message until the returned function is called. It returns whether the message is dealt with. */
  listen(listener: (message: IrcMessage) => boolean): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Runs `task` after `ms`, unless the link is lost before. */
  later(ms: number, task: () => void): void {
    if (this.lost.aborted) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      task();
    }, ms);
    this.#timers.add(timer);
  }

  /** Runs the tasks about one target (channel or nick, folded) one after the other: then an error that names the target is about the current one. */
  async exclusive<T>(target: string, task: () => Promise<T>): Promise<T> {
    const running = (this.#tails.get(target) ?? Promise.resolve()).then(task, task);
    this.#tails.set(target, running);
    try {
      return await running;
    } finally {
      if (this.#tails.get(target) === running) this.#tails.delete(target);
    }
  }

  /**
   * Writes the lines, each in its turn, and resolves with those messages that `isAnswer` chose from all that came until the server had worked off
   * the last line. Throws reconnect when nothing was written, uncertain when the link was lost or silent afterwards.
   */
  async exchange(
    lines: readonly string[],
    isAnswer: (message: IrcMessage) => boolean,
    { timeoutMs = pongMs, urgent = false }: ExchangeOptions = {},
  ): Promise<IrcMessage[]> {
    const answers: IrcMessage[] = [];
    const token = `spoolway-${randomBytes(6).toString("hex")}`;
    const pong = Promise.withResolvers<void>();
    pong.promise.catch(() => undefined); // it may be rejected while a turn is awaited; it is awaited below
    let written = 0;
    const fail = (why: string): void => pong.reject(written === 0 ? reconnect(why) : uncertain(why));
    const onLost = (): void => fail((this.lost.reason as Error).message);
    const unlisten = this.listen((message) => {
      if (message.command === "PONG" && message.params.at(-1) === token) pong.resolve();
      if (!isAnswer(message)) return false;
      answers.push(message);
      return this.isEcho(message);
    });
    let late: NodeJS.Timeout | undefined;
    this.lost.addEventListener("abort", onLost);
    try {
      for (const line of [...lines, `PING ${token}`]) {
        if (!urgent) await this.#pacer.turn(this.lost);
        if (this.lost.aborted) onLost();
        else this.client.connection.write(line);
        if (this.lost.aborted) break;
        written += 1;
      }
      const why = `${address(this.config)} did not answer within ${timeoutMs / 1000} s`;
      late = setTimeout(() => fail(why), timeoutMs);
      await pong.promise;
      return answers;
    } finally {
      clearTimeout(late);
      unlisten();
      this.lost.removeEventListener("abort", onLost);
    }
  }

  /** Writes one line now, past the flood control. Nothing happens when the link is lost. */
  write(line: string): void {
    if (!this.lost.aborted) this.client.connection.write(line);
  }

  fold(name: string): string {
    return this.client.caseLower(name);
  }

  isMe(nick: string): boolean {
    return this.fold(nick) === this.fold(this.nick);
  }

  /** Whether it is something that we said ourselves. */
  isEcho(message: IrcMessage): boolean {
    return ["PRIVMSG", "NOTICE", "TAGMSG"].includes(message.command) && this.isMe(message.nick);
  }

  /** Ends the session with this reason; the socket lives until close(). Later calls change nothing. */
  lose(reason: Error): void {
    this.#lost.abort(reason);
    for (const timer of this.#timers) clearTimeout(timer);
  }

  /** Stops or goes on reading: the server has to keep what is not read. */
  setReading(isOn: boolean): void {
    if (isOn) this.#socket?.resume();
    else this.#socket?.pause();
  }

  /** QUIT, a second for the server to hang up, then the socket is destroyed. Safe on a dead link. */
  async close(): Promise<void> {
    this.lose(reconnect("the session is over"));
    if (this.#socket === undefined) return;
    this.setReading(true); // a paused socket never sees the end
    this.client.connection.write(`QUIT :${this.config.quit_message}`);
    this.#socket.close(false);
    const late = setTimeout(() => this.#socket?.disposeSocket(), quitMs);
    await this.#closed.promise;
    clearTimeout(late);
  }

  #hear(message: IrcMessage): void {
    const { command, params } = message;
    if (command === "001") this.nick = params[0] ?? this.nick;
    if (command === "ERROR") this.goodbye = params.at(-1) ?? "";
    const isOwn = this.isMe(message.nick);
    if (isOwn && message.hostname !== "") this.userHost = `${message.ident}@${message.hostname}`;
    if (isOwn && command === "CHGHOST") this.userHost = params.join("@");
    if (command === "396") this.userHost = this.userHost?.replace(/@.*/, `@${params[1]}`);
    const isTaken = [...this.#listeners].map((listener) => listener(message)).includes(true);
    if (!isTaken) this.onMessage(message);
    // Last: the listeners compare with the nick that the message was sent under.
    if (isOwn && command === "NICK") this.nick = params[0] ?? this.nick;
  }
}
