// What went wrong on the way to the server, as an error that a person can act on, and whether trying again can help.
import { reconnect, SpoolwayError, stop } from "spoolway/sdk";
import { address, type IrcConfig } from "./config.ts";
import { FingerprintError } from "./transport.ts";

/** A socket or TLS error while connecting. Always worth another try: a certificate or a name server may be wrong for an hour. */
export function socketProblem(error: Error, config: IrcConfig): SpoolwayError {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  const message = `${address(config)}: ${error.message || code}`; // an AggregateError of several addresses has no message
  if (error instanceof FingerprintError) {
    const hint =
      "If the server's operator has changed the certificate, change tls_fingerprint; if not, somebody listens in.";
    return new SpoolwayError("tls_untrusted", message, { fate: "reconnect", hint, cause: error });
  }
  if (/CERT|UNABLE_TO|ALTNAME|SIGNED/.test(code)) {
    const hint =
      "Give the CA as tls_ca or the certificate's fingerprint as tls_fingerprint; tls_verify: false trusts anyone.";
    return new SpoolwayError("tls_untrusted", `${message} (${code})`, {
      fate: "reconnect",
      hint,
      cause: error,
    });
  }
  if (/SSL|EPROTO/.test(code)) {
    const hint = "This port may speak plain IRC: use the TLS port (often 6697), or set tls: false.";
    return reconnect(message, { hint, cause: error });
  }
  const isItTls = config.tls ? " Is this the TLS port (often 6697)?" : "";
  return reconnect(message, {
    hint: `Check server and port.${isItTls} It is tried again by itself.`,
    cause: error,
  });
}

const busy =
  /throttl|too many|too fast|no more connections|try(?:ing)? (?:again|later)|reconnect|limit|full|overload|timeout|timed out/i;
const password = /pass(?:word|phrase)?\b/i;
const banned =
  /bann?ed|\b[gkzdqxe][: -]?lined?\b|not welcome|blacklist|dnsbl|access denied|not (?:allowed|authori[sz]ed|permitted)|no authori[sz]ation/i;

/** The server's goodbye (ERROR, 464, 465, 463) before or at registration: its own words, and stop where only a person can help. */
export function refusal(words: string, config: IrcConfig): SpoolwayError {
  const message = `${address(config)} refused the connection: ${words}`;
  if (busy.test(words)) return reconnect(message);
  if (password.test(words)) return stop(message, "Set password to the server's password in connectors.yml.");
  if (!banned.test(words)) return reconnect(message);
  const hint =
    config.password === undefined
      ? "It may want a server password (password:), or we are banned"
      : "The server password may be wrong, or we are banned";
  return stop(
    message,
    `${hint}: ask the network's operators, then save connectors.yml to try again.`,
    "banned",
  );
}

/** The SASL login failed; `reason` is irc-framework's. */
export function saslProblem(reason: string, words: string | undefined, config: IrcConfig): SpoolwayError {
  const mechanism = config.sasl?.mechanism ?? "PLAIN";
  if (reason === "capability_missing") {
    const hint =
      "Its login service may be away: it is tried again. If the network has no SASL at all, remove sasl:.";
    return reconnect(`${address(config)} offers no SASL login now`, { hint });
  }
  if (reason === "unsupported_mechanism") {
    return stop(
      `${address(config)} does not offer SASL ${mechanism}`,
      "Set sasl.mechanism to the other of PLAIN and EXTERNAL.",
    );
  }
  const hint =
    mechanism === "PLAIN"
      ? "Check sasl.account and sasl.password in connectors.yml; saving the file starts the connector again."
      : "Register the client certificate's fingerprint with the network (NickServ CERT ADD), or check tls_cert and tls_key.";
  return stop(`SASL login as ${config.sasl?.account ?? config.nick} failed: ${words ?? reason}`, hint);
}
