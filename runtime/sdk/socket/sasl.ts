// spoolway/sdk/socket/sasl: a SASL login (IRC, XMPP, mail) as a config names it, and its failure in words that say what to do. Connectors that use it give their users
// the same keys: sasl.mechanism, sasl.account, sasl.password, and tls_cert for EXTERNAL.
import type { SpoolwayError } from "../../errors.ts";
import { reconnect, stop } from "../../sdk.ts";

export interface SaslConfig {
  /** PLAIN: account and password. EXTERNAL: the client certificate. */
  mechanism: "PLAIN" | "EXTERNAL";
  account?: string;
  password?: string;
}

/** Account and password for PLAIN; undefined where there is no such login. A line break at the end is the file's that the password came from. */
export function plainLogin(
  sasl: SaslConfig | undefined,
  defaultAccount: string,
): { account: string; password: string } | undefined {
  if (sasl?.mechanism !== "PLAIN") return undefined;
  return { account: sasl.account ?? defaultAccount, password: sasl.password?.trimEnd() ?? "" };
}

/** The server refused the login: only a person can help. */
export function loginRefused(who: string, sasl: SaslConfig | undefined, words: string): SpoolwayError {
  const hint = "Check sasl.mechanism, sasl.account and sasl.password, or tls_cert.";
  return stop(`SASL ${sasl?.mechanism} login at ${who} failed: ${words}`, hint);
}

/** The server does not offer to log in, for which services that are away may be the reason. Nobody should go on without the login that was asked for. */
export function loginMissing(who: string): SpoolwayError {
  const hint = "It is tried again: services may be away. If the network has no SASL at all, remove sasl:.";
  return reconnect(`${who} offers no SASL login now`, { hint });
}
