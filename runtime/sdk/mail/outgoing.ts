// spoolway/sdk/mail/outgoing: a message as what nodemailer composes a mail of. Its Message-ID is made of the message's id, so that one that is sent again can be recognised.
import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import { type Context, type Outgoing, reject } from "../../sdk.ts";
import { mediaType } from "../media-type.ts";
import { richTexts } from "../text/rich-text.ts";
import { fileName } from "../http/upload.ts";

export interface Writer {
  address: string;
  display_name?: string;
  /** Says that a program wrote it. */
  auto_submitted: boolean;
  /** Of mail that names none and answers nothing that we know. */
  subject: string;
}

export interface MailOut {
  /** With its angle brackets. */
  messageId: string;
  /** For a MailComposer. */
  options: {
    from: { name: string; address: string };
    to: { name: string; address: string };
    subject: string;
    text: string;
    html?: string;
    messageId: string;
    inReplyTo?: string;
    references: string[];
    headers: Record<string, string>;
    disableFileAccess: true;
    disableUrlAccess: true;
    attachments: Array<{ filename: string; content: Readable; contentType: string }>;
  };
  envelope: { from: string; to: string[]; size: number };
}

/** `answered`: the subject of the thread. Throws for what cannot be a mail. */
export function mailOut(
  message: Outgoing,
  { address, display_name: name = "", auto_submitted, subject }: Writer,
  answered: string | undefined,
  { name: instance, openAttachment }: Pick<Context, "name" | "openAttachment">,
): MailOut {
  const { action, conversation_id: to, thread_id = "", reply_to = "", attachments = [] } = message;
  if (action !== "message") throw reject(`mail cannot do ${action}`, "not_supported");
  needAddress(to);
  const references = needMessageIds([thread_id, reply_to]);
  const inReplyTo = references.at(-1);
  const [{ text = "", html } = {}] = richTexts({ ...message, subject: "" }, Infinity);
  if (text.trim() === "" && attachments.length === 0)
    throw reject("the message has no text", "invalid_message");
  const messageId = messageIdOf(message.id, `${instance}.${address.replace(/^.*@/, "")}`);
  // Smaller than it becomes: what the server refuses for its size is refused before it is sent.
  const size = attachments.reduce((sum, file) => sum + Math.ceil((file.size ?? 0) / 3) * 4, text.length);
  return {
    messageId,
    envelope: { from: address, to: [to], size },
    options: {
      from: { name, address },
      to: { name: "", address: to },
      subject: message.subject ?? answeredSubject(answered) ?? subject,
      text,
      ...(html !== undefined && { html }),
      messageId,
      ...(inReplyTo !== undefined && { inReplyTo }),
      references,
      headers: auto_submitted ? { "Auto-Submitted": "auto-generated" } : {},
      disableFileAccess: true,
      disableUrlAccess: true,
      attachments: attachments.map((file) => {
        const filename = fileName(file);
        const contentType = file.media_type ?? mediaType(filename) ?? "application/octet-stream";
        return { filename, content: openAttachment(file), contentType };
      }),
    },
  };
}

/** A Message-ID that is the same for each try of the same message, with its angle brackets. `right` is the domain. */
export function messageIdOf(id: string, right: string): string {
  const isAtom = /^[\w+=-]+(?:\.[\w+=-]+)*$/.test(id);
  const left = isAtom ? id : createHash("sha256").update(id).digest("hex").slice(0, 40);
  return `<${left}@${right}>`;
}

/** Those that are there, each once. Throws invalid_message for what is no Message-ID. */
export function needMessageIds(ids: readonly string[]): string[] {
  const given = [...new Set(ids.filter((id) => id !== ""))];
  const wrong = given.find((id) => !/^<[^<>\s]+>$/.test(id));
  if (wrong !== undefined)
    throw reject(`${wrong} is no Message-ID`, "invalid_message", { hint: "Copy it from an event: <…@…>" });
  return given;
}

/** Throws for what is not one address, which could be several, or a header of its own. */
export function needAddress(text: string): void {
  if (/^[^\s@<>,;:"()]+@[^\s@<>,;:"()]+$/.test(text)) return;
  throw reject(`${text} is not an address`, "rejected", {
    hint: "conversation_id is one address: ada@example.org",
  });
}

/** `Re: `, once. */
export const answeredSubject = (subject: string | undefined): string | undefined =>
  subject === undefined ? undefined : `Re: ${subject.replace(/^(?:re:\s*)+/i, "")}`;
