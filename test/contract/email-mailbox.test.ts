// What only mail has: numbers that change, several folders, mail read elsewhere, HTML, bounces, servers that put a mail off or find it too large. On a real dovecot.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Bus, startBus } from "../helpers/bus.ts";
import { atEnd } from "../helpers/children.ts";
import { missingServer } from "../helpers/servers/daemon.ts";
import { type Dovecot, mailPassword, makeDovecot } from "../helpers/servers/dovecot.ts";
import { type MailRelay, makeRelay, type RelayOptions } from "../helpers/servers/mailRelay.ts";
import { deliverMail, MailUser } from "../helpers/servers/mailUser.ts";
import { waitFor } from "../helpers/wait.ts";

const bot = "bot@example.test";
const ada = "ada@example.test";

interface World {
  bus: Bus;
  dovecot: Dovecot;
  relay: MailRelay;
  /** A mail to us. */
  say: (mail: Record<string, unknown>) => Promise<void>;
  as: <T>(who: string, what: (user: MailUser) => Promise<T>) => Promise<T>;
}

async function open(
  entry: Record<string, unknown> = {},
  { before, ...options }: Partial<RelayOptions> & { before?: (user: MailUser) => Promise<unknown> } = {},
): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "spoolway-email-"));
  const dovecot = await makeDovecot(folder);
  const relay = await makeRelay({ lmtpPort: dovecot.lmtpPort, account: bot, ...options });
  atEnd(async () => {
    await Promise.all([dovecot.stop(), relay.stop()]);
    rmSync(folder, { recursive: true, force: true });
  });
  await Promise.all([dovecot.start(), relay.start()]);
  const as: World["as"] = async (who, what) => {
    const user = await MailUser.connect(who, dovecot.port);
    try {
      return await what(user);
    } finally {
      user.close();
    }
  };
  if (before) await as(bot, before);
  const servers = {
    imap: { server: "127.0.0.1", port: dovecot.port, security: "none" },
    smtp: { server: "127.0.0.1", port: relay.port, security: "none" },
  };
  const bus = await startBus({
    connectors: [{ name: "mail", type: "email", address: bot, password: mailPassword, ...servers, ...entry }],
    defaults: {
      connector: { settle: "300ms", probe_every: "2s", retry: { attempts: 8, base: "200ms", max: "2s" } },
    },
    until: "live",
  });
  return {
    bus,
    dovecot,
    relay,
    say: (mail) => deliverMail(dovecot.lmtpPort, { from: ada, to: bot }, mail),
    as,
  };
}

const missing = missingServer("dovecot");

describe.skipIf(missing !== undefined)("a mailbox", { timeout: 120_000 }, () => {
  test("that was numbered anew (UIDVALIDITY) gives nothing twice, and what came meanwhile", async () => {
    const { bus, dovecot, say } = await open();
    await say({ text: "before one" });
    await say({ text: "before two" });
    await bus.waitForEvent("before two");
    await bus.stop();
    await say({ text: "while away" });
    await dovecot.stop();
    dovecot.renumber("bot");
    await dovecot.start();
    await bus.start();
    await bus.waitForEvent("while away", { timeoutMs: 30_000 });
    await say({ text: "after" });
    await bus.waitForEvent("after", { timeoutMs: 30_000 });
    expect(bus.logs()).toContain("folder.renumbered");
    expect(bus.events().map((event) => event.content?.text)).toEqual([
      "before one",
      "before two",
      "while away",
      "after",
    ]);
  });

  test("gives what was read elsewhere too, and is left as it is", async () => {
    const { bus, say, as } = await open();
    await bus.stop();
    await say({ text: "read on the phone" });
    await say({ text: "not read" });
    await as(bot, async ({ imap }) => {
      await imap.mailboxOpen("INBOX");
      await imap.messageFlagsAdd("1", ["\\Seen"]);
    });
    await bus.start();
    await bus.waitForEvent("not read", { timeoutMs: 30_000 });
    const event = await bus.waitForEvent("read on the phone");
    expect((event.raw as { flags: string[] }).flags).toContain("\\Seen");
    const flags = await as(bot, async (user) =>
      (await user.mails()).map((mail) => mail.flags.includes("\\Seen")),
    );
    expect(flags).toEqual([true, false]);
  });

  test("of several folders: one mail that is moved between them is one event; mark_seen marks it", async () => {
    const before = ({ imap }: MailUser): Promise<unknown> => imap.mailboxCreate("Work");
    const { bus, say, as } = await open({ folders: ["INBOX", "Work"], mark_seen: true }, { before });
    await say({ text: "moved" });
    await bus.waitForEvent("moved");
    await as(bot, async ({ imap }) => {
      await imap.mailboxOpen("INBOX");
      await imap.messageMove("1", "Work");
    });
    await say({ text: "stays" });
    await bus.waitForEvent("stays");
    await bus.restart();
    await say({ text: "last" });
    await bus.waitForEvent("last", { timeoutMs: 30_000 });
    expect(bus.events("moved")).toHaveLength(1);
    const seen = await as(bot, (user) => user.mails("Work"));
    expect(seen.map((mail) => mail.flags)).toEqual([expect.arrayContaining(["\\Seen"])]);
  });

  test("that was full before gives only what is new, or with start: all everything", async () => {
    const { bus, dovecot, say } = await open({ imap: undefined, folders: ["INBOX"] });
    await say({ text: "old" });
    const imap = { server: "127.0.0.1", port: dovecot.port, security: "none" };
    const entry = { type: "email", address: bot, password: mailPassword, imap };
    bus.configure([
      { name: "new", ...entry },
      { name: "all", ...entry, start: "all" },
    ]);
    await bus.waitForConnector("new", "live");
    await say({ text: "young" });
    const from = (instance: string) => bus.events().filter((one) => one.connector.instance === instance);
    await bus.waitForEvent((one) => one.connector.instance === "new" && one.content?.text === "young");
    await bus.waitForEvent((one) => one.connector.instance === "all" && one.content?.text === "young");
    expect(from("new").map((one) => one.content?.text)).toEqual(["young"]);
    expect(from("all").map((one) => one.content?.text)).toEqual(["old", "young"]);
  });

  test("HTML is text, pictures in it are attachments, Reply-To is whom to answer", async () => {
    const { bus, say } = await open();
    const picture = { filename: "a.png", content: Buffer.from("png"), cid: "a@b" };
    await say({
      html: '<p>Hello <b>Bot</b></p><img src="cid:a@b"><p>Bye</p>',
      attachments: [picture],
      replyTo: "Bob@example.test",
    });
    const event = await bus.waitForEvent((one) => one.content?.text?.includes("Hello") === true);
    expect(event.content?.text).toBe("Hello Bot\n\nBye");
    expect(event.content?.attachments).toEqual([
      expect.objectContaining({ name: "a.png", media_type: "image/png", size: 3 }),
    ]);
    expect(event.reply?.conversation_id).toBe("bob@example.test");
  });

  test("a bounce is an event that names our mail, its recipient and the other server's words", async () => {
    const { bus, say } = await open();
    const id = bus.send("mail", { conversation_id: ada, text: "hello" });
    const { platform_id: original = "" } = await bus.waitForReceipt("mail", id);
    const report = [
      ["text/plain", "It could not be delivered."],
      [
        "message/delivery-status",
        "Reporting-MTA: dns; mx.example.test\r\n\r\nFinal-Recipient: rfc822; ada@example.test\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n",
      ],
      ["message/rfc822", `From: ${bot}\r\nMessage-ID: ${original}\r\nSubject: x\r\n\r\nhello\r\n`],
    ].map(([type, body]) => `--b\r\nContent-Type: ${type}\r\n\r\n${body}\r\n`);
    const head = `From: MAILER-DAEMON@example.test\r\nTo: ${bot}\r\nMessage-ID: <b@example.test>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n`;
    await say({ raw: `${head}${report.join("")}--b--\r\n` });
    const event = await bus.waitForEvent((one) => one.kind === "event");
    expect(event).toMatchObject({ target: { platform_id: original }, sender: { is_bot: true } });
    const statuses = [
      { recipient: ada, action: "failed", status: "5.1.1", diagnostic: "550 5.1.1 no such user" },
    ];
    expect(event.raw).toMatchObject({ report: statuses });
  });
});

describe.skipIf(missing !== undefined)("a mail of ours", { timeout: 120_000 }, () => {
  test("answers under the thread's subject, says that a program wrote it, and has an id made of the message's", async () => {
    const { bus, say, as } = await open();
    await say({ text: "At noon?", subject: "lunch 🍲" });
    const { reply } = await bus.waitForEvent("At noon?");
    const id = bus.send("mail", {
      ...reply,
      conversation_id: ada,
      text: "**Yes**",
      format: "markdown",
      id: "answer-1",
    });
    const { platform_id: sent } = await bus.waitForReceipt("mail", id);
    const [mail] = await as(ada, (user) => user.mails());
    expect(sent).toBe("<answer-1@mail.example.test>");
    expect(mail?.headers.get("message-id")).toBe(sent);
    expect(mail?.headers.get("auto-submitted")).toBe("auto-generated");
    expect(mail?.headers.get("subject")).toMatch(/^=\?UTF-8\?.\?/i);
    expect(mail?.html).toContain("<b>Yes</b>");
  });

  test("that is put off (4xx) goes later; one that is too large is a dead letter", async () => {
    const { bus, relay } = await open({}, { maxBytes: 50_000 });
    relay.deferrals.push("451 4.7.1 Greylisted, try again later", "450 4.2.1 Busy");
    const later = bus.send("mail", { conversation_id: ada, text: "hello" });
    expect((await bus.waitForReceipt("mail", later, { timeoutMs: 30_000 })).attempts).toBe(3);
    bus.drop("mail", new Uint8Array(60_000), "large.bin");
    const large = bus.send("mail", {
      conversation_id: ada,
      text: "large",
      attachments: [{ path: "large.bin" }],
    });
    expect((await bus.waitForDeadLetter("mail", large)).code).toBe("too_large");
    const long = bus.send("mail", { conversation_id: ada, text: "x".repeat(60_000) });
    expect((await bus.waitForDeadLetter("mail", long)).code).toBe("too_large");
  });

  test("to several addresses, or with a line break in one, is refused", async () => {
    const { bus } = await open();
    for (const to of [`${ada}, bob@example.test`, `${ada}\r\nBcc: bob@example.test`]) {
      const id = bus.send("mail", { conversation_id: to, text: "hello" });
      expect((await bus.waitForDeadLetter("mail", id)).error).toContain("not an address");
    }
  });
});

test.skipIf(missing !== undefined)(
  "over TLS: an unknown certificate is not trusted, its own CA is; the log has no password",
  { timeout: 60_000 },
  async () => {
    const { bus, dovecot } = await open({ smtp: undefined });
    const entry = { name: "tls", type: "email", address: bot, password: mailPassword };
    const imap = { server: "localhost", port: dovecot.tlsPort };
    bus.configure([{ ...entry, imap }]);
    await bus.waitForConnector("tls", "offline");
    await waitFor(() => bus.logs().includes('"code":"tls_untrusted"'), { message: "the log to say why" });
    bus.configure([{ ...entry, imap, tls_ca: `\${file:${dovecot.certFile}}` }]);
    await bus.waitForConnector("tls", "live", { timeoutMs: 30_000 });
    expect(bus.logs()).not.toContain(mailPassword);
  },
);
