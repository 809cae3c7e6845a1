// spoolway/sdk/socket/packet-link: a session with a server that is spoken to in packets which answer each other (MQTT, AMQP, STOMP): packets out, answers to whoever asked,
// and what comes unasked for in order, to `arrivals`. With bounded memory: while what arrived is not taken, the socket is not read.
//
//   connecting ─▶ hello ─▶ asks and arrivals ─▶ lost (server, network, or the session's end; once, with the reason) ─▶ close
import type { Socket } from "node:net";
import type { SpoolwayError } from "../../errors.ts";
import { type Context, reconnect, uncertain } from "../../sdk.ts";
import { sleep, within } from "../../timing.ts";
import { connectServer, portOf, type Ports, type ServerConfig, serverProblem } from "./server.ts";

export interface PacketProtocol<Packet> {
  name: string;
  ports: Ports;
  encode(packet: Packet): Buffer;
  /** Makes what is to be called with all bytes that come, and calls `take` with each packet in them. */
  decoder(take: (packet: Packet) => void, fail: (error: Error) => void): (bytes: Buffer) => void;
  /** What an answer is waited for by ("pong", "ack 7"); undefined for what comes unasked. */
  answerName(packet: Packet): string | undefined;
  /** Why the server ends the session, where this packet says that it does. */
  ending(packet: Packet, who: string): SpoolwayError | undefined;
  /** The last packet that is said. */
  farewell: Packet;
}

interface Waiter<Packet> {
  name: string;
  resolve: (packet: Packet) => void;
  reject: (error: SpoolwayError) => void;
}

const maxArrived = 256;
const maxArrivedBytes = 4 << 20;
const lingerMs = 1000;

export class PacketLink<Packet> {
  /** The server as errors name it. */
  readonly who: string;
  readonly #protocol: PacketProtocol<Packet>;
  readonly #ended = new AbortController();
  readonly #socket: Socket;
  readonly #waiters: Array<Waiter<Packet>> = [];
  readonly #arrived: Packet[] = [];
  /** Bytes read since the last call of `arrivals`. */
  #readBytes = 0;
  #ring = (): void => {};
  /** Somebody takes what arrives. Before that, answers which the session waits for to begin may come behind it, so all is read. */
  #isTaken = false;
  #lost: SpoolwayError | undefined;

  /** Begins to connect; says `hello` when the connection stands. */
  constructor({ config, signal }: Context<ServerConfig>, protocol: PacketProtocol<Packet>, hello: Packet) {
    const { ports } = protocol;
    this.who = `${config.server}:${portOf(config, ports)}`;
    this.#protocol = protocol;
    const fail = (error: Error): void =>
      this.lose(reconnect(`${this.who}: no ${protocol.name}: ${error.message}`));
    const decode = protocol.decoder((packet) => this.#take(packet), fail);
    this.#socket = connectServer(config, ports, () => this.#lost === undefined && this.write(hello));
    this.#socket.on("data", (bytes: Buffer) => {
      this.#readBytes += bytes.length;
      decode(bytes);
    });
    this.#socket.on("error", (error) => this.lose(serverProblem(error, config, ports)));
    this.#socket.once("close", () => this.lose(reconnect(`${this.who} closed the connection`)));
    signal.addEventListener("abort", () => this.lose(reconnect("the session is over")), { once: true });
  }

  /** Throws reconnect when the link is lost: nothing was written then. */
  write(packet: Packet): void {
    if (this.#lost !== undefined) throw reconnect(this.#lost.message, { cause: this.#lost });
    this.#socket.write(this.#protocol.encode(packet));
  }

  /** Resolves with the next packet of that answer's name. Rejects with the reason when the link is lost. */
  answer(name: string): Promise<Packet> {
    const { promise, resolve, reject } = Promise.withResolvers<Packet>();
    if (this.#lost === undefined) this.#waiters.push({ name, resolve, reject });
    else reject(this.#lost);
    return promise;
  }

  /** Writes a packet and resolves with the answer to it. Throws reconnect when nothing was written, uncertain when the link is lost after that. */
  async ask(packet: Packet, answerName: string): Promise<Packet> {
    this.write(packet);
    return this.answer(answerName).catch((error: SpoolwayError) => {
      throw uncertain(error.message, { hint: error.hint, cause: error });
    });
  }

  /** What came unasked since the last call, in order; waits for something. Throws the reason when the link is lost: what was not taken by then is dropped. */
  async arrivals(): Promise<Packet[]> {
    this.#isTaken = true;
    while (this.#arrived.length === 0 && this.#lost === undefined)
      await new Promise<void>((resolve) => (this.#ring = resolve));
    if (this.#lost !== undefined) throw this.#lost;
    this.#readBytes = 0;
    this.#socket.resume();
    return this.#arrived.splice(0);
  }

  /** Puts a packet among the arrivals, also one of our own. */
  arrive(packet: Packet): void {
    this.#arrived.push(packet);
    const isMuch = this.#arrived.length >= maxArrived || this.#readBytes >= maxArrivedBytes;
    if (this.#isTaken && isMuch) this.#socket.pause();
    this.#ring();
  }

  /** Calls the task every `ms` until the link is lost or the task fails; which ends the link. */
  async repeat(ms: number, task: () => Promise<unknown>): Promise<void> {
    for (;;) {
      await sleep(ms, this.#ended.signal);
      if (this.#lost !== undefined) return;
      await task().catch((error: SpoolwayError) => this.lose(error));
    }
  }

  /** Ends it with this reason; of several the first one counts. */
  lose(error: SpoolwayError): void {
    if (this.#lost !== undefined) return;
    this.#lost = error;
    this.#ended.abort();
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
    this.#ring();
  }

  /** Says goodbye, gives the other side a second to hang up, and ends it. Safe on a dead link. */
  async close(): Promise<void> {
    this.lose(reconnect("the session is over"));
    if (!this.#socket.destroyed) {
      const closed = new Promise((resolve) => this.#socket.once("close", resolve));
      this.#socket.resume(); // a paused socket never sees the end
      if (!this.#socket.connecting) this.#socket.end(this.#protocol.encode(this.#protocol.farewell));
      await within(this.#socket.connecting ? 0 : lingerMs, closed);
    }
    this.#socket.destroy();
  }

  #take(packet: Packet): void {
    const end = this.#protocol.ending(packet, this.who);
    if (end !== undefined) return this.lose(end);
    const name = this.#protocol.answerName(packet);
    if (name === undefined) return this.arrive(packet);
    const index = this.#waiters.findIndex((waiter) => waiter.name === name);
    if (index >= 0) this.#waiters.splice(index, 1)[0]?.resolve(packet);
  }
}
