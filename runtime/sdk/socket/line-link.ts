// spoolway/sdk/socket/line-link: a session with a server that is spoken to in lines and confirms nothing (IRC): a LineSocket that lives as long as its FencedLink.
//
//   connecting ─▶ open ─▶ run, exchanges, probes ─▶ lost (server, network, or the session's end) ─▶ close
//                   └─refused, in words: stop where a person has to do something, else reconnect
import { type Context, type Draft, reconnect, type SpoolwayError } from "../../sdk.ts";
import { Deliveries } from "../deliveries.ts";
import { type Fence, FencedLink } from "./fence.ts";
import { refusedConnection } from "./goodbye.ts";
import { LineSocket } from "./line-socket.ts";
import type { Pace } from "./pacer.ts";
import { loginMissing, type SaslConfig } from "./sasl.ts";
import { portOf, type Ports, type ServerConfig, warnInClear } from "./server.ts";

const loginMs = 45_000;
const probeMs = 10_000;
/** About what an event of one line takes in memory. */
const eventBytes = 1024;

/** The keys that connectors with such a link give their users. */
export interface LineLinkConfig extends ServerConfig {
  /** Of the server. */
  password?: string;
  /** Who we are to its services. */
  sasl?: SaslConfig;
  /** How fast lines are written. */
  flood: Pace;
}

export interface LineProtocol<Message> extends Fence<Message> {
  ports: Ports;
  /** Whoever sends a longer line does not speak this protocol: the connection ends. */
  maxLineBytes: number;
  /** The last line that is said. */
  farewell: string;
}

export class LineLink<Message, Config extends LineLinkConfig> extends FencedLink<Message> {
  readonly ctx: Context<Config>;
  readonly config: Config;
  readonly socket: LineSocket;
  /** Why the server ends the connection, in its own words, to be added as they come: they are worth more than the EPIPE that follows. */
  readonly lastWords: string[] = [];
  readonly #farewell: string;
  readonly #deliveries: Deliveries;
  /** Whether we are who `sasl` says; to be set when the server says so. */
  isLoggedIn: boolean;
  #isIn = false;

  /** Does not connect: socket.connect() does. Whoever parses the socket's lines calls hear() with them. */
  constructor(ctx: Context<Config>, protocol: LineProtocol<Message>) {
    const config = ctx.config as Config;
    const socket = new LineSocket(config, protocol.ports, protocol.maxLineBytes);
    const who = `${config.server}:${portOf(config, protocol.ports)}`;
    super(who, config.flood, protocol, (line) => socket.writeLine(line));
    this.config = config;
    this.socket = socket;
    this.isLoggedIn = config.sasl === undefined;
    this.ctx = ctx;
    this.#farewell = protocol.farewell;
    this.#deliveries = new Deliveries(ctx);
    warnInClear(ctx, config.password ?? config.sasl?.password);
    socket.once("close", (error) =>
      this.lose(this.#problem(error || reconnect(`${who} closed the connection`))),
    );
    this.endWith(ctx.signal);
  }

  /**
   * For `connect`: resolves with this link when the server has said the message that `isIn` waits for and `settle` is done; never without the login that the config
   * asks for. Where it fails the link is closed, since nobody else will. Rejects with what the two throw or, where the server ended it, with the fate that its words
   * call for.
   */
  async open(isIn: (message: Message) => boolean, settle: () => Promise<void>): Promise<this> {
    try {
      await this.until(isIn, loginMs);
      if (!this.isLoggedIn) throw loginMissing(this.who);
      // What it has against us it may say even now; and what it says of itself comes in one go with the welcome.
      await this.exchange();
      this.#isIn = true;
      await settle();
      return this;
    } catch (error) {
      const problem = this.#problem(error as SpoolwayError);
      await this.close();
      throw problem;
    }
  }

  /** Delivers an event, if it is one. The server will not say it again: while the disk is behind, the socket is not read. */
  deliver(draft: Draft | undefined): void {
    if (draft !== undefined) this.socket.hold(this.#deliveries.add({ draft, bytes: eventBytes }));
  }

  /** For `receive`: calls the task every `ms` until the link is lost, and rejects with the reason when all that was heard is delivered. */
  async run(ms: number, task: () => Promise<void>): Promise<void> {
    await this.repeat(ms, task).finally(() => this.#deliveries.idle());
  }

  /** For `probe`. */
  async probe(): Promise<void> {
    await this.exchange([], { timeoutMs: probeMs, urgent: true });
    this.ctx.heard();
  }

  /** Safe on a dead link. */
  async close(): Promise<void> {
    this.lose(reconnect("the session is over"));
    await this.socket.leave(this.#farewell);
  }

  /** The error, or what the server has said instead. */
  #problem(error: SpoolwayError): SpoolwayError {
    const said = this.lastWords.join("; ");
    if (said === "" || error.fate === "stop") return error;
    if (this.#isIn) return reconnect(`${this.who} closed the connection: ${said}`);
    return refusedConnection(this.who, said, this.config.password !== undefined);
  }
}
