// spoolway/sdk/mail/parts: which parts of a mail are its text and which are files, by its MIME structure alone, so that nothing has to be fetched to know it.
//
//   multipart/alternative   the plain text of it, else the last one that is text; what is neither (an invitation, pictures) are files
//   message/rfc822          a file: a mail in a mail is not taken apart
//   text without a name     text, all of them one below the other; one above `textMaxBytes` is a file
import { mediaType } from "../media-type.ts";

/** A node of BODYSTRUCTURE. */
export interface MailPart {
  /** "1.2"; a mail of one part has none. */
  part?: string | undefined;
  /** Lower case: text/plain. */
  type: string;
  size?: number | undefined;
  encoding?: string | undefined;
  parameters?: Record<string, string> | undefined;
  disposition?: string | undefined;
  dispositionParameters?: Record<string, string> | undefined;
  childNodes?: MailPart[] | undefined;
}

export interface MailParts {
  texts: MailPart[];
  files: MailPart[];
}

export function mailParts(node: MailPart, textMaxBytes: number): MailParts {
  if (!node.type.startsWith("multipart/")) {
    const isText = /^text\/(?:plain|html)$/.test(node.type) && node.disposition !== "attachment";
    const fits = isText && nameOf(node) === undefined && (node.size ?? 0) <= textMaxBytes;
    return fits ? { texts: [node], files: [] } : { texts: [], files: [node] };
  }
  const children = (node.childNodes ?? []).map((child) => mailParts(child, textMaxBytes));
  const files = children.flatMap((one) => one.files);
  if (node.type !== "multipart/alternative") return { texts: children.flatMap((one) => one.texts), files };
  const isPlain = ({ texts }: MailParts): boolean => texts.some(({ type }) => type === "text/plain");
  const chosen = children.find(isPlain) ?? children.findLast(({ texts }) => texts.length > 0);
  return { texts: chosen?.texts ?? [], files };
}

/** Every node of this type, from the top down. */
export function partsOfType(node: MailPart, type: RegExp): MailPart[] {
  const below = (node.childNodes ?? []).flatMap((child) => partsOfType(child, type));
  return type.test(node.type) ? [node, ...below] : below;
}

const nameOf = ({ parameters, dispositionParameters }: MailPart): string | undefined =>
  dispositionParameters?.filename || parameters?.name || undefined;

/** What people see of it: its own name, without a path; else one that tells its type. */
export function fileNameOf(node: MailPart): string {
  const name = nameOf(node)?.replaceAll(/^.*[/\\]|[\x00-\x1f\x7f]/gs, "");
  if (name) return name;
  const ending = ["eml", "ics", "txt", "html", "png", "jpg", "gif", "pdf"].find(
    (one) => mediaType(`x.${one}`) === node.type,
  );
  return `part-${node.part ?? "1"}.${ending ?? "bin"}`;
}

/** How many bytes it has once it is decoded, where that can be told beforehand. */
export function decodedSize({ size, encoding }: MailPart): { size?: number } {
  if (size === undefined) return {};
  // Lines of 76 characters and CRLF.
  return { size: encoding?.toLowerCase() === "base64" ? Math.floor((size * 57) / 78) : size };
}
