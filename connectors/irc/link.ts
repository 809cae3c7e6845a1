// One connection to the server: logged in, under the wanted nick, in the configured channels. irc-framework does CAP, SASL, ISUPPORT, PING and the parsing;
// what we say is confirmed by the PONG to a PING of ours (sdk/socket/fence). What is refused or lost later (a kick, a taken nick) is asked for again every `retry_s`.
import { Client, type IrcMessage } from "irc-framework";
import { type Context, type Draft, stop } from "spoolway/sdk";
import type { Change } from "spoolway/sdk/chat-event";
import { passwordHint } from "spoolway/sdk/socket/goodbye";
import { LineLink, type LineProtocol } from "spoolway/sdk/socket/line-link";
import { Presence } from "spoolway/sdk/presence";
import { loginRefused, plainLogin } from "spoolway/sdk/socket/sasl";
import type { Config } from "./manifest.d.ts";

const protocol: LineProtocol<IrcMessage> = {
  ports: { plain: 6667, tls: 6697 },
  maxLineBytes: 17_408, // 8191 of tags and 512 of message, twice over: whoever sends more speaks no IRC
  question: (token) => `PING ${token}`,
  isAnswer: ({ command, params }, token) => command === "PONG" && params.at(-1) === token,
  farewell: "QUIT :bye",
};

export class Link extends LineLink<IrcMessage, Config> {
  readonly client = new Client();
  readonly presence = new Presence(this, this.ctx, {
    fold: (name) => this.client.caseLower(name),
    roomName: (name) => (this.isChannel(name) ? name : `#${name}`),
    rename: (nick) => `NICK ${nick}`,
    join: ({ name, key = "" }) => `JOIN ${name} ${key}`,
  });

  /** Begins to connect. `toDraft` makes events of what no exchange has dealt with. */
  constructor(ctx: Context<Config>, toDraft: (message: IrcMessage, link: Link) => Draft | undefined) {
    super(ctx, protocol);
    const { client, socket, who } = this;
    client.connection.on("message", (message) => {
      if (!this.hear(message)) this.deliver(toDraft(message, this));
      this.#follow(message); // last: the others compare with the nick that the message was sent under
    });
    const { nick, username = nick, password, sasl } = ctx.config;
    client.on("sasl failed", ({ reason, message = reason }) => {
      // A server that offers no login just goes on, which `open` does not.
      if (reason !== "capability_missing") this.lose(loginRefused(who, sasl, message));
    });
    const identity = { nick, username, gecos: nick, password: password?.trimEnd() };
    const login = { account: plainLogin(sasl, nick) ?? {}, sasl_mechanism: sasl?.mechanism ?? "PLAIN" };
    const extras = { auto_reconnect: false, ping_interval: 0, ping_timeout: 0 }; // the runtime does that
    client.connect({
      ...identity,
      ...login,
      ...extras,
      version: "", // no answer to CTCP VERSION
      enable_echomessage: true,
      transport: function () {
        return Object.assign(socket, { setEncoding: () => true });
      },
    });
  }

  /** Resolves when we are registered and every channel has been tried. Throws stop when only a person can help. */
  enter(): Promise<this> {
    const isIn = ({ command, params }: IrcMessage): boolean => {
      const words = `${this.who}: ${params.at(-1)}`;
      if (command === "903") this.isLoggedIn = true;
      if (command === "464") throw stop(words, passwordHint);
      if (command === "432") throw stop(words, "Change nick in connectors.yml.", "bad_nick");
      if (/^43[367]$/.test(command)) this.presence.tryAnotherNick();
      return command === "001";
    };
    return this.open(isIn, () => this.presence.restore());
  }

  /** Keeps what we know of ourselves true to the server's word. */
  #follow(message: IrcMessage): void {
    const { command, params } = message;
    const [first = "", second = "", ...more] = params;
    this.presence.follow(changeOf(message));
    if (command === "001") this.presence.nick.now(first);
    if (/^[45]\d\d$/.test(command)) this.presence.rooms.refused(second, more.join(" "));
    if (["463", "465", "ERROR"].includes(command)) this.lastWords.push(params.at(-1) ?? "");
  }

  /** A channel, or the operators (@#chan) or voiced members (+#chan) of one. */
  isChannel(target: string): boolean {
    const { network } = this.client;
    return network.isChannelName(network.extractTargetGroup(target)?.target ?? target);
  }
}

/** Who came, went, or has another name now. */
export function changeOf({ command, nick, params }: IrcMessage): Change | undefined {
  const [first = "", second = "", third] = params;
  if (command === "JOIN") return { deed: "joined", who: nick, room: first };
  if (command === "PART") return { deed: "left", who: nick, room: first, why: second };
  if (command === "KICK") return { deed: "kicked", who: second, room: first, by: nick, why: third };
  if (command === "QUIT") return { deed: "quit", who: nick, why: first };
  return command === "NICK" ? { deed: "renamed", who: nick, now: first } : undefined;
}
