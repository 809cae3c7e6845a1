// spoolway/sdk/smtp-talk: steps over one SMTP connection (nodemailer's), each done when the server says yes; any failure has the fate that it asks for (sdk/smtp-fate).
import type { Readable } from "node:stream";
import { type SmtpError, smtpFate } from "./smtp-fate.ts";

export interface SmtpConnection {
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "end", listener: () => void): unknown;
  quit(): void;
  close(): void;
}

type Done = (error?: Error | null) => void;

/** One after the other, then QUIT. `source` is the mail that one of them sends: until it was read to its end, nothing can have been taken. */
export async function smtpTalk(
  connection: SmtpConnection,
  signal: AbortSignal,
  steps: ReadonlyArray<(done: Done) => void>,
  source?: Readable,
): Promise<void> {
  const { promise: lost, reject: lose } = Promise.withResolvers<never>();
  lost.catch(() => undefined); // raced in each step; after the last one nobody asks
  const end = (): void => lose(new Error("there was no answer in time"));
  signal.addEventListener("abort", end, { once: true });
  connection.on("error", lose);
  connection.on("end", () => lose(new Error("the connection was closed")));
  let wasWritten = false;
  source?.once("end", () => (wasWritten = true));
  try {
    signal.throwIfAborted();
    for (const step of steps) {
      const done = new Promise<void>((yes, no) => step((error) => (error ? no(error) : yes())));
      await Promise.race([lost, done]);
    }
    connection.quit();
  } catch (error) {
    throw smtpFate(error as SmtpError, wasWritten);
  } finally {
    signal.removeEventListener("abort", end);
    connection.close();
  }
}
