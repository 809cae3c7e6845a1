// spoolway/sdk/mail/headers: what the headers of a mail say: the thread it belongs to (RFC 5322, 3.6.4), whether a program wrote it (RFC 3834), and what became of a mail of
// ours (a delivery status notification, RFC 3464).

export type Headers = ReadonlyMap<string, readonly string[]>;

/** Names in lower case, lines unfolded. What is no header line is left out. */
export function parseHeaders(text: string): Headers {
  const headers = new Map<string, string[]>();
  for (const line of text.replaceAll(/\r?\n(?=[ \t])/g, "").split(/\r?\n/)) {
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0)).trim().toLowerCase();
    if (/^[!-9;-~]+$/.test(name))
      headers.set(name, [...(headers.get(name) ?? []), line.slice(colon + 1).trim()]);
  }
  return headers;
}

export const header = (headers: Headers, name: string): string | undefined => headers.get(name)?.[0];

/** The ids in a header, with their angle brackets, in its order. */
export function messageIds(headers: Headers, name: string): string[] {
  return (header(headers, name) ?? "").match(/<[^<>\s]{1,900}>/g) ?? [];
}

export interface ThreadPlace {
  id: string | undefined;
  /** The first mail of the conversation, as far as this one knows it; itself where it answers none. */
  thread: string | undefined;
  answers: string | undefined;
}

export function threadPlace(headers: Headers): ThreadPlace {
  const [id] = messageIds(headers, "message-id");
  const references = messageIds(headers, "references");
  const answers = messageIds(headers, "in-reply-to")[0] ?? references.at(-1);
  return { id, thread: references[0] ?? answers ?? id, answers };
}

/**
 * Who wrote it. `reply`: a program, as an answer to a mail (out of office): never answer it. `program`: a program of its own accord (a notification).
 */
export function authorship(headers: Headers): "person" | "program" | "reply" {
  const submitted = (header(headers, "auto-submitted") ?? "no").toLowerCase();
  const isOld = ["x-autoreply", "x-autorespond"].some((name) => headers.has(name));
  if (
    submitted.startsWith("auto-replied") ||
    isOld ||
    /auto[_-]?reply/i.test(header(headers, "precedence") ?? "")
  )
    return "reply";
  return /^no\b/.test(submitted) ? "person" : "program";
}

export interface DeliveryStatus {
  recipient: string;
  /** failed, delayed, delivered, relayed or expanded. */
  action: string;
  /** 5.1.1 */
  status?: string | undefined;
  /** The other server's words. */
  diagnostic?: string | undefined;
}

/** The recipients of a message/delivery-status part. */
export function deliveryStatuses(text: string): DeliveryStatus[] {
  return text.split(/\r?\n[ \t]*\r?\n/).flatMap((block) => {
    const fields = parseHeaders(block);
    const value = (name: string): string | undefined => header(fields, name)?.replace(/^[\w-]+;\s*/, "");
    const recipient = value("final-recipient") ?? value("original-recipient");
    if (recipient === undefined) return [];
    const action = (value("action") ?? "unknown").toLowerCase();
    return [{ recipient, action, status: value("status"), diagnostic: value("diagnostic-code") }];
  });
}
