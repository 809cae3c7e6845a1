// One connection to the server. irc-framework does CAP, SASL, ISUPPORT, PING and the parsing; what we say is confirmed by the PONG to a PING of ours (sdk/fence).
//
//   connecting ─▶ (presence.ts) ─▶ exchanges ─▶ lost (server, network, or the session's end) ─▶ close
import { Client, type IrcMessage } from "irc-framework";
import { reconnect, within } from "spoolway/sdk";
import { FencedLink } from "spoolway/sdk/fence";
import { LineSocket } from "spoolway/sdk/line-socket";
import type { Pace } from "spoolway/sdk/pacer";
import { portOf, type ServerConfig } from "spoolway/sdk/server";

/** As the manifest's schema lets it through, defaults applied. */
export interface IrcConfig extends ServerConfig {
  nick: string;
  username?: string;
  password?: string;
  sasl?: { mechanism: "PLAIN" | "EXTERNAL"; account?: string; password?: string };
  channels: Array<string | { name: string; key?: string }>;
  flood: Pace;
  max_lines: number;
  membership: boolean;
  retry_s: number;
}

const ports = { plain: 6667, tls: 6697 };
/** 8191 bytes of tags and 512 of message, twice over: whoever sends more speaks no IRC. */
const maxLineBytes = 17_408;

export class Link extends FencedLink<IrcMessage> {
  readonly config: IrcConfig;
  readonly client: Client;
  socket: LineSocket | undefined;
  /** Ours now, as the server says. */
  nick: string;
  /** Why the server ends the connection, in its words. */
  readonly goodbye: string[] = [];
  readonly #closed = Promise.withResolvers<void>();

  /** Begins to connect. `onMessage` gets every message that no listener has dealt with. */
  constructor(config: IrcConfig, onMessage: (message: IrcMessage) => void) {
    const client = new Client();
    const write = (line: string): void => client.connection.write(line);
    super(`${config.server}:${portOf(config, ports)}`, config.flood, write, (token) => ({
      line: `PING ${token}`,
      isBack: ({ command, params }) => command === "PONG" && params.at(-1) === token,
    }));
    const { nick, sasl, password, username = nick } = config;
    const isPlain = sasl?.mechanism === "PLAIN";
    this.config = config;
    this.client = client;
    this.nick = nick;
    const keep = (socket: LineSocket): void => void (this.socket = socket);
    client.use((_client, raw) =>
      raw.use((command, message, _line, _self, next) => {
        const { params } = message;
        if (command === "001") this.nick = params[0] ?? nick;
        if (["463", "465", "ERROR"].includes(command)) this.goodbye.push(params.at(-1) ?? "");
        if (!this.hear(message)) onMessage(message);
        // Last: the listeners compare with the nick that the message was sent under.
        if (command === "NICK" && this.isMe(message.nick)) this.nick = params[0] ?? this.nick;
        next();
      }),
    );
    client.on("socket close", (error) => {
      this.#closed.resolve();
      // What the server said is worth more than the EPIPE that followed.
      const said = this.goodbye.join("; ");
      if (error && !said) this.lose(error);
      else this.lose(reconnect(`${this.who} closed the connection${said && `: ${said}`}`));
    });
    client.connect({
      ...{ nick, username, gecos: nick, password: password?.trimEnd(), enable_echomessage: true },
      sasl_mechanism: sasl?.mechanism ?? "PLAIN",
      account: isPlain ? { account: nick, ...sasl, password: sasl.password?.trimEnd() ?? "" } : {},
      ...{ auto_reconnect: false, ping_interval: 0, ping_timeout: 0 }, // the runtime reconnects and probes
      version: "", // no answer to CTCP VERSION
      transport: class extends LineSocket {
        constructor() {
          super(config, ports, maxLineBytes);
          keep(this);
        }
        setEncoding = () => true;
        disposeSocket = () => this.close(true);
      },
    });
  }

  /** QUIT, a second for the server to hang up, then the socket is destroyed. Safe on a dead link. */
  async close(): Promise<void> {
    this.lose(reconnect("the session is over"));
    this.write("QUIT :bye");
    this.socket?.close(false);
    await within(1000, this.#closed.promise);
    this.socket?.close(true);
  }

  fold(name: string): string {
    return this.client.caseLower(name);
  }

  isMe(nick = ""): boolean {
    return this.fold(nick) === this.fold(this.nick);
  }

  /** A channel, or the operators (@#chan) or voiced members (+#chan) of one. */
  isChannel(target: string): boolean {
    const { network } = this.client;
    return network.isChannelName(network.extractTargetGroup(target)?.target ?? target);
  }
}
