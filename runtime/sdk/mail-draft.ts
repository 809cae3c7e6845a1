// spoolway/sdk/mail-draft: a mail that lies on a server as an event. Its text is fetched at once; its files only when the event is new, as streams.
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import type { Draft } from "../sdk.ts";
import { decodeText } from "./charset.ts";
import { htmlToText } from "./html-text.ts";
import { type MailEnvelope, mailEvent, type MailReport } from "./mail-event.ts";
import { deliveryStatuses, messageIds, parseHeaders } from "./mail-headers.ts";
import { decodedSize, fileNameOf, type MailPart, mailParts, partsOfType } from "./mail-parts.ts";

/** As IMAP's FETCH gives it. */
export interface StoredMail {
  uid: number;
  envelope?: MailEnvelope | undefined;
  bodyStructure?: MailPart | undefined;
  headers?: Uint8Array | undefined;
  flags?: Set<string> | undefined;
  internalDate?: Date | string | undefined;
  size?: number | undefined;
}

/** The bytes of a part: its transfer encoding is undone, and of a text its charset and soft line breaks. */
export type ReadPart = (part: MailPart, maxBytes?: number) => AsyncIterable<Uint8Array>;

/** A longer one is an attachment. */
const textMaxBytes = 500_000;
const reportMaxBytes = 64_000;

/** `own`: addresses of ours. `place`: where it lies, for `raw`. */
export async function mailDraft(
  mail: StoredMail,
  { own, place, read }: { own: readonly string[]; place: Record<string, unknown>; read: ReadPart },
): Promise<Draft> {
  const { uid, envelope = {}, bodyStructure: root = { type: "text/plain" }, size, flags = [] } = mail;
  const source = decodeText(mail.headers ?? new Uint8Array());
  const { texts, files } = mailParts(root, textMaxBytes);
  const written: string[] = [];
  for (const part of texts) written.push(await textOf(part, read));
  const report = await reportOf(root, read);
  const ours = own.map((one) => one.toLowerCase());
  return {
    ...mailEvent({ envelope, headers: parseHeaders(source), own: ours, came: mail.internalDate, report }),
    content: {
      text: written.join("\n\n"),
      format: "plain",
      subject: envelope.subject || undefined,
      attachments: files.map((part) => ({
        name: fileNameOf(part),
        media_type: part.type,
        ...decodedSize(part),
        data: Readable.from(read(part), { objectMode: false }),
        omitIfTooLarge: true,
      })),
    },
    raw: { ...place, uid, flags: [...flags], size, headers: source, report: report?.statuses },
  };
}

/** As a person reads it. */
async function textOf(part: MailPart, read: ReadPart): Promise<string> {
  const text = decodeText(await buffer(read(part)));
  return (part.type === "text/html" ? htmlToText(text) : text.replaceAll("\r\n", "\n")).trimEnd();
}

/** What a bounce says, and of which mail; undefined for any other mail. */
async function reportOf(root: MailPart, read: ReadPart): Promise<MailReport | undefined> {
  const [status] = partsOfType(root, /^message\/(?:global-)?delivery-status$/);
  if (root.type !== "multipart/report" || !status) return undefined;
  const textBelow = async (part: MailPart): Promise<string> =>
    decodeText(await buffer(read(part, reportMaxBytes)));
  const [returned] = partsOfType(root, /^(?:message\/(?:rfc822|global)|text\/rfc822-headers)$/);
  const [head = ""] = returned ? (await textBelow(returned)).split(/\r?\n\r?\n/) : [];
  const [original] = messageIds(parseHeaders(head), "message-id");
  return { original, statuses: deliveryStatuses(await textBelow(status)) };
}
