// spoolway/sdk/mail/draft: a mail that lies on a server as an event. Its text is fetched at once; its files only when the event is new, as streams. What the server does not give
// out of it is `omitted: "unavailable"`.
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import type { Draft, DraftAttachment, SpoolwayError } from "../../sdk.ts";
import { decodeText } from "../text/charset.ts";
import { htmlToText } from "../text/html-text.ts";
import { type MailEnvelope, mailEvent, type MailReport } from "./event.ts";
import { deliveryStatuses, messageIds, parseHeaders } from "./headers.ts";
import { decodedSize, fileNameOf, type MailPart, mailParts, partsOfType } from "./parts.ts";

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

/** What to ask for. */
export const mailItems = {
  uid: true,
  envelope: true,
  bodyStructure: true,
  headers: true,
  flags: true,
  internalDate: true,
  size: true,
} as const;

/** The bytes of a part: its transfer encoding is undone, and of a text its charset and soft line breaks. Rejects with the fate reject where the server does not give it out. */
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
  const lost: DraftAttachment[] = [];
  for (const part of texts) {
    const text = await textOf(part, read);
    if (text === undefined) lost.push({ ...described(part), omitted: "unavailable" });
    else written.push(text);
  }
  const report = await reportOf(root, read);
  const ours = own.map((one) => one.toLowerCase());
  return {
    ...mailEvent({ envelope, headers: parseHeaders(source), own: ours, came: mail.internalDate, report }),
    content: {
      text: written.join("\n\n"),
      format: "plain",
      subject: envelope.subject || undefined,
      attachments: [
        ...lost,
        ...files.map((part) => ({
          ...described(part),
          data: Readable.from(read(part), { objectMode: false }),
          omitIfTooLarge: true,
        })),
      ],
    },
    raw: { ...place, uid, flags: [...flags], size, headers: source, report: report?.statuses },
  };
}

const described = (part: MailPart) => ({
  name: fileNameOf(part),
  media_type: part.type,
  ...decodedSize(part),
});

/** Undefined where the server does not give it out. */
const bytesOf = (part: MailPart, read: ReadPart, maxBytes?: number): Promise<Buffer | undefined> =>
  buffer(read(part, maxBytes)).catch((error: SpoolwayError) => {
    if (error.fate !== "reject") throw error;
    return undefined;
  });

/** As a person reads it. */
async function textOf(part: MailPart, read: ReadPart): Promise<string | undefined> {
  const bytes = await bytesOf(part, read);
  if (bytes === undefined) return undefined;
  const text = decodeText(bytes);
  return (part.type === "text/html" ? htmlToText(text) : text.replaceAll("\r\n", "\n")).trimEnd();
}

/** What a bounce says, and of which mail; undefined for any other mail. */
async function reportOf(root: MailPart, read: ReadPart): Promise<MailReport | undefined> {
  const [status] = partsOfType(root, /^message\/(?:global-)?delivery-status$/);
  if (root.type !== "multipart/report" || !status) return undefined;
  const textBelow = async (part: MailPart): Promise<string> =>
    decodeText((await bytesOf(part, read, reportMaxBytes)) ?? new Uint8Array());
  const [returned] = partsOfType(root, /^(?:message\/(?:rfc822|global)|text\/rfc822-headers)$/);
  const [head = ""] = returned ? (await textBelow(returned)).split(/\r?\n\r?\n/) : [];
  const [original] = messageIds(parseHeaders(head), "message-id");
  return { original, statuses: deliveryStatuses(await textBelow(status)) };
}
