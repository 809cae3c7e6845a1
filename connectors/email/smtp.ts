// What goes out: each mail over a connection of its own, sent when the server has answered the last line of it.
import MailComposer from "nodemailer/lib/mail-composer";
import SMTPConnection from "nodemailer/lib/smtp-connection";
import type { Readable } from "node:stream";
import { type Context, type Outgoing, reject, type SendContext, type SendResult } from "spoolway/sdk";
import { mailOut } from "spoolway/sdk/mail/outgoing";
import { mailOptions } from "spoolway/sdk/mail/server";
import type { Recent } from "spoolway/sdk/recent";
import { type SmtpMail, smtpTalk } from "spoolway/sdk/mail/smtp-talk";
import type { Config } from "./manifest.d.ts";

export interface Outbound {
  /** Of threads, by their id: what an answer is called. */
  subjects: Recent<string>;
}

export async function sendMail(
  { subjects }: Outbound,
  message: Outgoing,
  ctx: SendContext<Config>,
): Promise<SendResult> {
  const { thread_id, reply_to = "" } = message;
  const { smtp } = ctx.config;
  if (smtp === undefined)
    throw reject("there is no SMTP server in the entry", "not_supported", { hint: "Add smtp." });
  const known = subjects.get(thread_id ?? reply_to);
  const { options, envelope, messageId } = mailOut(message, ctx.config, known, ctx);
  const source = new MailComposer(options).compile().createReadStream() as Readable;
  try {
    await speak(smtp, ctx, { envelope, source });
  } finally {
    for (const stream of [source, ...options.attachments.map(({ content }) => content)]) stream.destroy();
  }
  return { platform_id: messageId };
}

type Server = NonNullable<Config["smtp"]>;

/** A wrong password shows at once, and not with the first message. */
export const tryLogin = (server: Server, ctx: Context<Config>): Promise<void> => speak(server, ctx);

function speak(server: Server, { config, signal }: Context<Config>, mail?: SmtpMail): Promise<void> {
  const options = mailOptions(server, config);
  return smtpTalk(new SMTPConnection(options), server, options.auth, signal, mail);
}
