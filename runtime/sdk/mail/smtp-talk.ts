// spoolway/sdk/mail/smtp-talk: a login at an SMTP server (nodemailer's connection), with a mail or without, done when the server says yes; any failure has the fate that it asks for:
// of the way there sdk/mail/server, and then sdk/mail/smtp-fate.
import type { Readable } from "node:stream";
import { mailProblem, type MailServer } from "./server.ts";
import { type SmtpError, smtpFate } from "./smtp-fate.ts";

type Done = (error?: Error | null) => void;
type Auth = { user: string; pass: string };

export interface SmtpMail {
  envelope: { from: string; to: string[]; size: number };
  source: Readable;
}

export interface SmtpConnection {
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "end", listener: () => void): unknown;
  connect(done: Done): void;
  login(auth: { user: string; credentials: Auth }, done: Done): void;
  send(envelope: SmtpMail["envelope"], source: Readable, done: Done): void;
  quit(): void;
  close(): void;
}

/** Until the mail was read to its end, nothing can have been taken. */
export async function smtpTalk(
  connection: SmtpConnection,
  server: MailServer,
  auth: Auth,
  signal: AbortSignal,
  mail?: SmtpMail,
): Promise<void> {
  const { promise: lost, reject: lose } = Promise.withResolvers<never>();
  lost.catch(() => undefined); // raced in each step; after the last one nobody asks
  const end = (): void => lose(new Error("there was no answer in time"));
  signal.addEventListener("abort", end, { once: true });
  connection.on("error", lose);
  connection.on("end", () => lose(new Error("the connection was closed")));
  let isThere = false;
  let wasWritten = false;
  mail?.source.once("end", () => (wasWritten = true));
  const step = (start: (done: Done) => void): Promise<void> =>
    Promise.race([lost, new Promise<void>((yes, no) => start((error) => (error ? no(error) : yes())))]);
  try {
    signal.throwIfAborted();
    await step((done) => connection.connect(done));
    isThere = true;
    await step((done) => connection.login({ user: auth.user, credentials: auth }, done));
    if (mail) await step((done) => connection.send(mail.envelope, mail.source, done));
    connection.quit();
  } catch (error) {
    throw isThere ? smtpFate(error as SmtpError, wasWritten) : mailProblem(error as Error, server);
  } finally {
    signal.removeEventListener("abort", end);
    connection.close();
  }
}
