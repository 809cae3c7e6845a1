// spoolway/sdk/mail-server: how to reach an IMAP or SMTP server as a config names it, for imapflow and nodemailer, which take the same options.
export interface MailServer {
  /** Host name, without port. */
  server: string;
  port: number;
  /** starttls is never left out: say so to the library as well, since each has a key of its own for it. */
  security: "tls" | "starttls" | "none";
}

export interface MailTrust {
  /** false trusts anyone who answers. */
  tls_verify: boolean;
  /** PEM of the CA, or of the self-signed certificate, to trust. */
  tls_ca?: string;
}

const timeoutMs = 20_000;

export function socketOptions({ server, port, security }: MailServer, { tls_verify, tls_ca }: MailTrust) {
  return {
    host: server,
    port,
    secure: security === "tls",
    tls: { rejectUnauthorized: tls_verify, ...(tls_ca !== undefined && { ca: tls_ca }) },
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
  };
}
