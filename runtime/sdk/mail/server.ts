// spoolway/sdk/mail/server: how to reach an IMAP or SMTP server as a config names it, for imapflow and nodemailer, which take the same options; what is wrong with the way there.
import { type Context, SpoolwayError } from "../../sdk.ts";
import { serverProblem } from "../socket/server.ts";

export interface MailServer {
  /** Host name, without port. */
  server: string;
  port: number;
  /** starttls is never left out. */
  security: "tls" | "starttls" | "none";
}

export interface MailAccount {
  address: string;
  /** Default: address. */
  user?: string;
  password: string;
  /** false trusts anyone who answers. */
  tls_verify: boolean;
  /** PEM of the CA, or of the self-signed certificate, to trust. */
  tls_ca?: string;
}

const timeoutMs = 20_000;

export function mailOptions(
  { server, port, security }: MailServer,
  { address, user = address, password: pass, tls_verify, tls_ca }: MailAccount,
) {
  return {
    host: server,
    port,
    secure: security === "tls",
    // Each library has keys of its own for it, and passes over the other's.
    ...{ doSTARTTLS: security === "starttls" },
    ...{ requireTLS: security === "starttls", ignoreTLS: security === "none" },
    auth: { user, pass },
    tls: { rejectUnauthorized: tls_verify, ...(tls_ca !== undefined && { ca: tls_ca }) },
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
  };
}

/** Warns where the password goes to another machine over a connection that everybody on the way can read. */
export function warnMailInClear(
  { config, log, type }: Context<{ imap?: MailServer; smtp?: MailServer }>,
  hint = "Use security: tls or starttls. Everybody on the way reads the password.",
): void {
  for (const { server, port, security } of [config.imap, config.smtp].filter((one) => one !== undefined))
    if (security === "none" && !isLoopback(server))
      log.warn(`${type}.password_in_clear`, { server, port, hint });
}

export const isLoopback = (host: string): boolean =>
  /^(?:(?:[\w-]+\.)*localhost\.?|127(?:\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);

/** Why there is no connection, with the keys that a mailbox has. Always worth another try. */
export function mailProblem(error: Error, { server, port, security }: MailServer): SpoolwayError {
  const place = { server, port, tls: security !== "none", tls_verify: true };
  const problem = serverProblem(error, place, { plain: port, tls: port });
  const { message } = problem;
  const isUntrusted = problem.code === "tls_untrusted" || /certificate|altnames/i.test(message);
  const [code, hint] = isUntrusted
    ? ["tls_untrusted", "Give the CA or the certificate as tls_ca; tls_verify: false trusts anyone."]
    : /SSL|EPROTO|wrong version|TLS/i.test(message)
      ? ["disconnected", "Does this port speak TLS from the first byte (tls), or later (starttls)?"]
      : ["disconnected", "Check server, port and security. It is tried again by itself."];
  return new SpoolwayError(code, message, { fate: "reconnect", hint, cause: error });
}
