// spoolway/sdk/kept-session: a session that both sides keep beyond its connection, so that what was under way goes on where it was (MQTT, AMQP): a PacketLink, what
// arrives over it (Redelivered), what is handed over (Handover). Our half is in ctx.state.
import { randomUUID } from "node:crypto";
import { type Context, reconnect, type SpoolwayError } from "../sdk.ts";
import { Handover, type Limits } from "./handover.ts";
import { PacketLink, type PacketProtocol } from "./socket/packet-link.ts";
import { type Arrival, Redelivered } from "./redelivered.ts";
import { type ServerConfig, warnInClear } from "./socket/server.ts";

export interface KeptProtocol<Packet> extends PacketProtocol<Packet> {
  /** The name of the answer to our hello. */
  welcome: string;
  /** What the server worked off in order after all that we wrote before it, and the name of its answer. */
  ping: Packet;
  pong: string;
  /** Throws what a welcome that is none calls for. `isKept`: the server still has its half. `beatMs`: how often we have to say something. */
  enter(welcome: Packet, hello: Packet, who: string): Limits & { isKept: boolean; beatMs: number };
}

interface Opened<Packet> {
  link: PacketLink<Packet>;
  hello: Packet;
  welcome: Packet;
  id: string;
  beatMs: number;
}

const key = "session";

export class KeptSession<Packet> {
  readonly link: PacketLink<Packet>;
  readonly hello: Packet;
  readonly welcome: Packet;
  /** The server's half; another one when it had forgotten it. */
  readonly id: string;
  readonly inbound: Redelivered;
  readonly outbound: Handover;
  readonly #protocol: KeptProtocol<Packet>;
  readonly #beatMs: number;

  private constructor(
    protocol: KeptProtocol<Packet>,
    { link, hello, welcome, id, beatMs }: Opened<Packet>,
    inbound: Redelivered,
    outbound: Handover,
  ) {
    this.#protocol = protocol;
    this.link = link;
    this.hello = hello;
    this.welcome = welcome;
    this.id = id;
    this.#beatMs = beatMs;
    this.inbound = inbound;
    this.outbound = outbound;
  }

  /**
   * For `connect`. `settle` is done before the session is there; where that fails the link is closed, since nobody else will.
   */
  static async open<Packet>(
    ctx: Context<ServerConfig & { password?: string }>,
    protocol: KeptProtocol<Packet>,
    hello: Packet,
    settle: (session: KeptSession<Packet>) => Promise<void>,
  ): Promise<KeptSession<Packet>> {
    const { config, state } = ctx;
    warnInClear(ctx, config.password);
    const before = await state.get<string>(key);
    const link = new PacketLink<Packet>(ctx, protocol, hello);
    try {
      const welcome = await link.answer(protocol.welcome);
      const { isKept, beatMs, ...limits } = protocol.enter(welcome, hello, link.who);
      const id = (isKept ? before : undefined) ?? randomUUID();
      const inbound = await Redelivered.open(state, id === before);
      const outbound = await Handover.open(state, id === before, limits);
      await state.set(key, id); // last: half of it is none
      const session = new KeptSession(protocol, { link, hello, welcome, id, beatMs }, inbound, outbound);
      await settle(session);
      return session;
    } catch (error) {
      await link.close();
      throw error;
    }
  }

  /** For `receive`: takes what arrives, and says something in time, until the link is lost. Rejects with the reason. */
  async run(ctx: Context, arrivalOf: (packet: Packet) => Arrival): Promise<void> {
    const beating = this.link.repeat(this.#beatMs, () => this.ping());
    await this.#takeAll(ctx, arrivalOf).finally(() => beating);
  }

  /** Resolves when the server has dealt with all that was written before. */
  async ping(): Promise<void> {
    await this.link.ask(this.#protocol.ping, this.#protocol.pong);
  }

  /** Writes a packet that has no answer, and resolves when the server has dealt with it. */
  async tell(packet: Packet): Promise<void> {
    this.link.write(packet);
    await this.ping();
  }

  /** For `send`: when its signal aborts nobody knows what the server will still answer, and to which try. So the link ends; the next one goes on. */
  endWith(signal: AbortSignal): void {
    const giveUp = (): void => this.link.lose(reconnect(`${this.link.who} did not answer in time`));
    signal.addEventListener("abort", giveUp, { once: true });
  }

  async #takeAll(ctx: Context, arrivalOf: (packet: Packet) => Arrival): Promise<never> {
    for (;;) {
      const taken = await this.inbound.take(ctx, (await this.link.arrivals()).map(arrivalOf));
      // With the answer to a ping the server has our acknowledgements.
      const confirmed = taken.size > 0 ? this.ping().then(() => this.inbound.confirm(taken)) : undefined;
      confirmed?.catch((error: SpoolwayError) => this.link.lose(error));
    }
  }
}
