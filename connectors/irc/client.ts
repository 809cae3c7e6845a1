// irc-framework set up for us: it does CAP, SASL, ISUPPORT, PING and the parsing; reconnecting, pacing, nick and channels are ours.
import { Client, type ClientOptions } from "irc-framework";
import { type IrcConfig, portOf } from "./config.ts";
import { type Endpoint, LineSocket } from "./transport.ts";

/** What makes us better off besides what irc-framework asks for by itself (message-tags, server-time, account-tag, extended-join, batch). */
const extraCaps = ["labeled-response", "standard-replies", "inspircd.org/standard-replies"];

export function newClient(): Client {
  const client = new Client();
  client.requestCap(extraCaps);
  return client;
}

/** Starts connecting. `onSocket` gets the socket before it connects. */
export function connectClient(
  client: Client,
  config: IrcConfig,
  onSocket: (socket: LineSocket) => void,
): void {
  const endpoint = endpointOf(config);
  client.connect({
    nick: config.nick,
    username: config.username ?? config.nick,
    gecos: config.realname ?? config.nick,
    password: config.password?.trimEnd(),
    ...login(config),
    version: "",
    encoding: "utf8",
    auto_reconnect: false, // the runtime's job
    enable_echomessage: true,
    enable_chghost: true,
    ping_interval: 0, // the runtime probes
    ping_timeout: 0,
    transport: class extends LineSocket {
      constructor() {
        super(endpoint);
        onSocket(this);
      }
    },
  });
}

function login({ sasl, nick }: IrcConfig): Pick<ClientOptions, "account" | "sasl_mechanism"> {
  const isPlain = sasl?.mechanism === "PLAIN";
  return {
    account: isPlain ? { account: sasl.account ?? nick, password: sasl.password?.trimEnd() ?? "" } : {},
    sasl_mechanism: sasl?.mechanism ?? "PLAIN",
  };
}

function endpointOf(config: IrcConfig): Endpoint {
  const { tls_ca: ca, tls_cert: cert, tls_key: key } = config;
  const tls = {
    rejectUnauthorized: config.tls_verify && config.tls_fingerprint === undefined,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert, key: key ?? cert }),
  };
  return {
    host: config.server,
    port: portOf(config),
    tls: config.tls ? tls : undefined,
    fingerprint: config.tls_fingerprint,
  };
}
