// spoolway/sdk/socket/goodbye: what a server says in words when it refuses a connection or a message, where its protocol has no codes for it, as a fate: of the session stop
// only where a person has to do something, and another try where it may be over by itself.
import type { SpoolwayError } from "../../errors.ts";
import { reconnect, retry, stop } from "../../sdk.ts";

const busy =
  /throttl|too many|too fast|no more connections|try(?:ing)? (?:again|later)|reconnect|limit|full|overload|timeout|timed out/i;
const password = /pass(?:word|phrase)?\b/i;
const banned =
  /bann?ed|\b[gkzdqxe][: -]?lined?\b|not welcome|blacklist|dnsbl|access denied|not (?:allowed|authori[sz]ed|permitted)|no authori[sz]ation/i;

export const passwordHint = "Set password to the server's password in connectors.yml.";

/** The error for `words` of the server at `who`, which it quotes. */
export function refusedConnection(who: string, words: string, hasPassword: boolean): SpoolwayError {
  const message = `${who} refused the connection: ${words}`;
  if (busy.test(words)) return reconnect(message);
  if (password.test(words)) return stop(message, passwordHint);
  if (!banned.test(words)) return reconnect(message);
  const guess = `The server password may be ${hasPassword ? "wrong" : "missing"}, or we are banned`;
  return stop(message, `${guess}: ask the network's operators, then save connectors.yml.`, "banned");
}

const defaultWaitS = 60;

/** The error for a message that the server takes later: a retry after the seconds that its words name, or after a minute. */
export function notYet(target: string, words: string): SpoolwayError {
  const seconds = Number(/\d+/.exec(words)?.[0] ?? defaultWaitS);
  return retry(`${target}: ${words}`, { retryAfterMs: 1000 * seconds });
}
