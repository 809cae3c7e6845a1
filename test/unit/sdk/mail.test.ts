// The parts of the SDK for mail: headers, MIME structure, who wrote to whom, what SMTP and IMAP answers mean.
import { describe, expect, test } from "vitest";
import { SpoolwayError } from "../../../runtime/errors.ts";
import { imapFate } from "../../../runtime/sdk/mail/imap-fate.ts";
import { mailEvent } from "../../../runtime/sdk/mail/event.ts";
import {
  authorship,
  deliveryStatuses,
  parseHeaders,
  threadPlace,
} from "../../../runtime/sdk/mail/headers.ts";
import {
  answeredSubject,
  messageIdOf,
  needAddress,
  needMessageIds,
} from "../../../runtime/sdk/mail/outgoing.ts";
import { decodedSize, fileNameOf, mailParts } from "../../../runtime/sdk/mail/parts.ts";
import { smtpFate } from "../../../runtime/sdk/mail/smtp-fate.ts";

const headers = (...lines: string[]) => parseHeaders(lines.join("\r\n"));

describe("headers", () => {
  test("are unfolded, and what is none is left out", () => {
    const all = headers("Subject: a", "\tb", "no header", "X-Twice: 1", "x-twice: 2", "");
    expect(all.get("subject")).toEqual(["a\tb"]);
    expect(all.get("x-twice")).toEqual(["1", "2"]);
    expect(all.size).toBe(2);
  });

  test.each([
    ["a mail that answers none is its own thread", ["Message-ID: <1@a>"], "<1@a>", undefined],
    [
      "the first reference is the thread",
      ["Message-ID: <3@a>", "References: <1@a>", " <2@a>"],
      "<1@a>",
      "<2@a>",
    ],
    ["In-Reply-To alone", ["Message-ID: <3@a>", "In-Reply-To: Your mail <2@a>"], "<2@a>", "<2@a>"],
  ])("threads: %s", (_what, lines, thread, answers) => {
    expect(threadPlace(headers(...lines))).toMatchObject({ thread, answers });
  });

  test.each([
    ["Auto-Submitted: auto-replied (vacation)", "reply"],
    ["Auto-Submitted: auto-generated", "program"],
    ["Auto-Submitted: no", "person"],
    ["X-Autoreply: yes", "reply"],
    ["Precedence: auto_reply", "reply"],
    ["Precedence: list", "person"],
  ])("%s is written by: %s", (line, author) => expect(authorship(headers(line))).toBe(author));

  test("a delivery status names each recipient", () => {
    const text =
      "Reporting-MTA: dns; mx.example.org\r\n\r\nFinal-Recipient: rfc822; bob@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n";
    expect(deliveryStatuses(text)).toEqual([
      {
        recipient: "bob@example.org",
        action: "failed",
        status: "5.1.1",
        diagnostic: "550 5.1.1 no such user",
      },
    ]);
  });
});

describe("parts", () => {
  const plain = { part: "1.1", type: "text/plain", size: 10 };
  const html = { part: "1.2", type: "text/html", size: 10 };
  const invitation = { part: "1.3", type: "text/calendar", size: 10 };

  test("of alternatives the plain text is the text, and what is no text is a file", () => {
    const root = { type: "multipart/alternative", childNodes: [plain, html, invitation] };
    expect(mailParts(root, 100)).toEqual({ texts: [plain], files: [invitation] });
  });

  test("without a plain one the HTML is the text", () => {
    const picture = { part: "1.2.2", type: "image/png" };
    const related = { type: "multipart/related", childNodes: [html, picture] };
    expect(mailParts({ type: "multipart/alternative", childNodes: [related] }, 100)).toEqual({
      texts: [html],
      files: [picture],
    });
  });

  test("a text that has a name, is an attachment or is too long, is a file", () => {
    const named = { ...plain, parameters: { name: "a.txt" } };
    const attached = { ...plain, disposition: "attachment" };
    const root = { type: "multipart/mixed", childNodes: [named, attached, { ...plain, size: 101 }] };
    expect(mailParts(root, 100).files).toHaveLength(3);
  });

  test("a name is never a path, and there is always one", () => {
    const named = (filename: string) =>
      fileNameOf({ type: "text/plain", part: "2", dispositionParameters: { filename } });
    expect(named("../../etc/passwd")).toBe("passwd");
    expect(named("C:\\a\\b.txt")).toBe("b.txt");
    expect(named("")).toBe("part-2.txt");
    expect(fileNameOf({ type: "message/rfc822" })).toBe("part-1.eml");
  });

  test("base64 is a quarter smaller than it lies there", () => {
    expect(decodedSize({ type: "x/y", size: 7800, encoding: "BASE64" })).toEqual({ size: 5700 });
    expect(decodedSize({ type: "x/y" })).toEqual({});
  });
});

describe("an event", () => {
  const envelope = {
    from: [{ address: "Ada@Example.org", name: "Ada" }],
    to: [{ address: "bob@example.org" }],
  };
  const facts = { envelope, own: [], came: new Date(0), report: undefined };
  const keyOf = (...lines: string[]) => mailEvent({ ...facts, headers: headers(...lines) }).key;

  test("of our own account is marked, and its conversation is whom it went to", () => {
    const event = mailEvent({ ...facts, headers: headers("Message-ID: <1@a>"), own: ["ada@example.org"] });
    expect(event).toMatchObject({ sender: { is_self: true }, conversation: { id: "bob@example.org" } });
  });

  test("has a key of what the mail says, so that another mail under the same id is another event", () => {
    expect(keyOf("Message-ID: <1@a>", "Date: x")).toEqual(
      keyOf("Received: again", "Message-ID: <1@a>", "Date: x"),
    );
    expect(keyOf("Message-ID: <1@a>", "Subject: a")).not.toEqual(keyOf("Message-ID: <1@a>", "Subject: b"));
  });

  test("has no time where the mail's is none", () => {
    const event = mailEvent({
      ...facts,
      headers: headers(),
      came: undefined,
      envelope: { ...envelope, date: "nonsense" },
    });
    expect(event.occurred_at).toBeUndefined();
  });
});

test("what goes out: one address, ids that are ids, a Message-ID that is always the same", () => {
  expect(() => needAddress("a@b.org\r\nBcc: c@d.org")).toThrow(SpoolwayError);
  expect(() => needAddress("a@b.org, c@d.org")).toThrow(SpoolwayError);
  expect(() => needMessageIds(["<a@b>\r\nX: y"])).toThrow(SpoolwayError);
  expect(needMessageIds(["", "<a@b>", "<a@b>"])).toEqual(["<a@b>"]);
  expect(messageIdOf("a-1", "m.example.org")).toBe("<a-1@m.example.org>");
  expect(messageIdOf("a:1@x", "m.example.org")).toMatch(/^<[0-9a-f]{40}@m\.example\.org>$/);
  expect(answeredSubject("RE: re: lunch")).toBe("Re: lunch");
});

describe("an SMTP server that", () => {
  const error = (fields: object) => Object.assign(new Error("words"), fields);
  test.each([
    ["refuses the login", { code: "EAUTH", responseCode: 535 }, false, "stop", "unauthorized"],
    ["cannot check it now", { code: "EAUTH", responseCode: 454 }, false, "retry", "send_failed"],
    ["refuses the recipient", { code: "EENVELOPE", responseCode: 550 }, false, "reject", "rejected"],
    ["defers", { code: "EENVELOPE", responseCode: 451 }, false, "retry", "send_failed"],
    ["finds it too large", { code: "EMESSAGE", responseCode: 552 }, true, "reject", "too_large"],
    ["is gone before the end", { code: "ECONNECTION" }, false, "reconnect", "disconnected"],
    ["is gone after the end", { code: "ECONNECTION" }, true, "uncertain", "timed_out"],
  ])("%s", (_what, fields, wasWritten, fate, code) => {
    expect(smtpFate(error(fields), wasWritten)).toMatchObject({ fate, code });
  });
});

test("an IMAP server that refuses the login stops it; one that cannot check it now does not", () => {
  const place = { server: "imap.example.org", port: 993, security: "tls" } as const;
  const refused = (serverResponseCode: string) =>
    imapFate(
      Object.assign(new Error("no"), { authenticationFailed: true, serverResponseCode }),
      "INBOX",
      place,
    ).fate;
  expect(refused("AUTHENTICATIONFAILED")).toBe("stop");
  expect(refused("UNAVAILABLE")).toBe("reconnect");
  const broken = Object.assign(new Error("Command failed"), { responseText: "Internal error" });
  expect(imapFate(broken, "INBOX", place)).toMatchObject({
    fate: "reconnect",
    message: "the IMAP server says: Internal error",
  });
});
