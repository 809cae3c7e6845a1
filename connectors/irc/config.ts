// The connector's own keys in connectors.yml, as the manifest's schema lets them through, defaults applied.

/** What is delivered besides messages and reactions. */
export type ExtraEvent = "membership" | "channel" | "typing" | "ctcp" | "server";

export interface IrcConfig {
  server: string;
  port?: number;
  tls: boolean;
  tls_verify: boolean;
  /** PEM. */
  tls_ca?: string;
  /** SHA-256 of the server's certificate in hex; takes the place of the verification. */
  tls_fingerprint?: string;
  /** PEM; the client certificate for SASL EXTERNAL. */
  tls_cert?: string;
  tls_key?: string;
  nick: string;
  username?: string;
  realname?: string;
  password?: string;
  sasl?: { mechanism: "PLAIN" | "EXTERNAL"; account?: string; password?: string };
  channels: Array<string | { name: string; key?: string }>;
  flood: { burst: number; per_second: number };
  max_lines: number;
  send_as: "message" | "notice";
  events: ExtraEvent[];
  rejoin_s: number;
  nick_retry_s: number;
  quit_message: string;
}

/** host:port, for people. */
export function address(config: IrcConfig): string {
  return `${config.server}:${portOf(config)}`;
}

export function portOf(config: IrcConfig): number {
  return config.port ?? (config.tls ? 6697 : 6667);
}
