// spoolway/sdk/mail/event: who wrote a mail to whom, in which thread, and what kind of mail it is, as the parts of an event that its headers make. A bounce and an answer that a
// program gave are kind `event`, so that nobody takes them for a person's answer.
import type { Draft } from "../../sdk.ts";
import { fingerprint } from "../fingerprint.ts";
import { authorship, type DeliveryStatus, header, type Headers, threadPlace } from "./headers.ts";

export interface MailAddress {
  name?: string | undefined;
  address?: string | undefined;
}

/** As IMAP gives it: decoded. */
export interface MailEnvelope {
  date?: Date | string | undefined;
  subject?: string | undefined;
  from?: MailAddress[] | undefined;
  replyTo?: MailAddress[] | undefined;
  to?: MailAddress[] | undefined;
}

/** What a bounce says. */
export interface MailReport {
  /** Message-ID of the mail that it is about. */
  original: string | undefined;
  statuses: DeliveryStatus[];
}

export interface MailFacts {
  envelope: MailEnvelope;
  headers: Headers;
  /** Of ours, in lower case. */
  own: readonly string[];
  /** When it came into the folder. */
  came: Date | string | undefined;
  report: MailReport | undefined;
}

/** All but `content` and `raw`. The conversation is the other side's address; of our own mail whom it went to. */
export function mailEvent({ envelope, headers, own, came, report }: MailFacts): Draft {
  const { id, thread, answers } = threadPlace(headers);
  const [from] = envelope.from ?? [];
  const sender = lower(from);
  const isSelf = sender !== undefined && own.includes(sender);
  const partner = isSelf ? (envelope.to?.[0] ?? from) : from;
  const address = lower(partner);
  const author = report === undefined ? authorship(headers) : "reply";
  return {
    key: keyOf(headers, came),
    kind: author === "reply" ? "event" : "message",
    platform_id: id,
    thread_id: thread,
    reply_to: answers,
    answer_to: isSelf ? undefined : lower(envelope.replyTo?.[0]),
    occurred_at: [envelope.date, came].map(isoTime).find((time) => time !== undefined),
    sender: sender
      ? {
          id: sender,
          username: sender,
          display_name: from?.name || undefined,
          is_bot: author !== "person",
          is_self: isSelf,
        }
      : undefined,
    conversation: address ? { id: address, type: "direct", name: partner?.name || undefined } : undefined,
    target: report?.original === undefined ? undefined : { platform_id: report.original },
  };
}

/**
 * Not its number in a folder: it is the same mail when the server has numbered anew, when it was moved into another folder of ours, and when it was delivered twice. Not its
 * Message-ID alone: there are programs that use one for all, and somebody else's could hide a mail.
 */
function keyOf(headers: Headers, came: Date | string | undefined): string[] {
  const said = ["message-id", "date", "from", "to", "subject"].map((name) => header(headers, name) ?? "");
  return ["mail", fingerprint(...said, said[0] === "" ? isoTime(came) : "")];
}

const lower = (who: MailAddress | undefined): string | undefined => who?.address?.toLowerCase() || undefined;

function isoTime(date: Date | string | undefined): string | undefined {
  const time = date === undefined ? Number.NaN : new Date(date).getTime();
  return time >= 0 && time < Date.UTC(9999) ? new Date(time).toISOString() : undefined;
}
