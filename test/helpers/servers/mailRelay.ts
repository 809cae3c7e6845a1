// The SMTP server of a mail provider (RFC 5321, 6409): takes mail from whoever logs in, for addresses that exist, up to a size, and hands it to the mailboxes over LMTP.
import type { AddressInfo } from "node:net";
import { createTransport } from "nodemailer";
import { SMTPServer } from "smtp-server";
import { freePort } from "../ports.ts";
import { mailPassword } from "./dovecot.ts";

export interface MailRelay {
  port: number;
  /** Logins that were tried. */
  logins: number;
  /** Mails are taken, and nobody is told. */
  isMute: boolean;
  /** Each recipient is answered with it instead, as long as there are any. */
  deferrals: string[];
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface RelayOptions {
  lmtpPort: number;
  account: string;
  maxBytes?: number;
  /** STARTTLS, without which it takes no login; or with `secure` TLS from the first byte. */
  tls?: { cert: string; key: string; secure?: boolean };
}

const answer = (responseCode: number, words: string): Error =>
  Object.assign(new Error(words), { responseCode });

export async function makeRelay({
  lmtpPort,
  account,
  maxBytes = 200_000_000,
  tls,
}: RelayOptions): Promise<MailRelay> {
  let server: SMTPServer | undefined;
  const relay: MailRelay = {
    port: await freePort(),
    logins: 0,
    isMute: false,
    deferrals: [],
    async start() {
      server = new SMTPServer({
        size: maxBytes,
        ...(tls ?? { disabledCommands: ["STARTTLS"], allowInsecureAuth: true }),
        authMethods: ["PLAIN", "LOGIN"],
        disableReverseLookup: true,
        closeTimeout: 100,
        onAuth({ username, password }, _session, done) {
          relay.logins += 1;
          if (username === account && password === mailPassword) done(null, { user: username });
          else done(answer(535, "5.7.8 Username and Password not accepted"));
        },
        onMailFrom({ address }, _session, done) {
          if (address === account) done();
          else done(answer(553, `5.7.1 ${address}: Sender address rejected: not owned by user`));
        },
        onRcptTo({ address }, _session, done) {
          const deferral = relay.deferrals.shift();
          if (deferral !== undefined) done(answer(Number(deferral.slice(0, 3)), deferral.slice(4)));
          else if (address.startsWith("nobody@"))
            done(answer(550, `5.1.1 <${address}>: Recipient address rejected: User unknown`));
          else done();
        },
        onData(stream, { envelope }, done) {
          const to = envelope.rcptTo.map(({ address }) => address);
          const from = envelope.mailFrom === false ? "" : envelope.mailFrom.address;
          const transport = createTransport({
            host: "127.0.0.1",
            port: lmtpPort,
            lmtp: true,
            ignoreTLS: true,
          } as object);
          transport.sendMail({ envelope: { from, to }, raw: stream }).then(
            () => {
              if (stream.sizeExceeded) done(answer(552, "5.3.4 Message size exceeds fixed limit"));
              else if (!relay.isMute) done();
            },
            (error: Error) => done(answer(451, `4.3.0 ${error.message}`)),
          );
        },
      });
      server.on("error", () => undefined); // a client that went away
      await new Promise<void>((resolve, reject) => {
        server?.server.once("error", reject);
        server?.listen(relay.port, "127.0.0.1", resolve);
      });
      relay.port = (server.server.address() as AddressInfo).port;
    },
    async stop() {
      const { promise, resolve } = Promise.withResolvers<void>();
      if (server) server.close(() => resolve());
      else resolve();
      server = undefined;
      await promise;
    },
  };
  return relay;
}
