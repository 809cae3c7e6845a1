// Mail where something is not as it should be: folders that are missing, servers that fail at one part, mails without an id; and how a password travels. On a real dovecot.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Bus, startBus } from "../helpers/bus.ts";
import { makeCertificate } from "../helpers/certificate.ts";
import { atEnd } from "../helpers/children.ts";
import { missingServer } from "../helpers/servers/daemon.ts";
import { type Dovecot, mailPassword, makeDovecot } from "../helpers/servers/dovecot.ts";
import { startImapFault } from "../helpers/servers/imapFault.ts";
import { makeRelay, type MailRelay, type RelayOptions } from "../helpers/servers/mailRelay.ts";
import { deliverMail, MailUser } from "../helpers/servers/mailUser.ts";
import { waitFor } from "../helpers/wait.ts";

const bot = "bot@example.test";
const ada = "ada@example.test";
const slow = { timeoutMs: 60_000 };
const account = { name: "mail", type: "email", address: bot, password: mailPassword };

async function startDovecot(): Promise<{ dovecot: Dovecot; folder: string }> {
  const folder = mkdtempSync(join(tmpdir(), "spoolway-email-"));
  const dovecot = await makeDovecot(folder);
  atEnd(async () => {
    await dovecot.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  await dovecot.start();
  return { dovecot, folder };
}

async function startRelay(options: RelayOptions): Promise<MailRelay> {
  const relay = await makeRelay(options);
  atEnd(() => relay.stop());
  await relay.start();
  return relay;
}

const bus = (entry: Record<string, unknown>, until: "live" | "offline" | "stopped" = "live"): Promise<Bus> =>
  startBus({
    connectors: [{ ...account, ...entry }],
    defaults: {
      connector: { settle: "300ms", probe_every: "2s", retry: { attempts: 8, base: "200ms", max: "1s" } },
    },
    until: { mail: until },
  });

const plain = (port: number) => ({ server: "127.0.0.1", port, security: "none" });
const say = ({ lmtpPort }: Dovecot, mail: Record<string, unknown>): Promise<void> =>
  deliverMail(lmtpPort, { from: ada, to: bot }, mail);

const missing = missingServer("dovecot");

describe.skipIf(missing !== undefined)("mail in trouble", { timeout: 120_000 }, () => {
  test("a folder that is missing stops it, and it says which there are", async () => {
    const { dovecot } = await startDovecot();
    const user = await MailUser.connect(bot, dovecot.port);
    await user.imap.mailboxCreate("Work");
    user.close();
    const running = await bus({ imap: plain(dovecot.port), folders: ["INBOX", "Wrok"] }, "stopped");
    expect(running.connector("mail")?.user_action).toMatch(
      /There are: .*INBOX.*Work|There are: .*Work.*INBOX/,
    );
    expect(running.logs()).toContain('"code":"no_such_folder"');
  });

  test("mails without a Message-ID are each an event, once, also when they are numbered anew", async () => {
    const { dovecot } = await startDovecot();
    const running = await bus({ imap: plain(dovecot.port) });
    const raw = (text: string) =>
      `From: Ada <${ada}>\r\nTo: ${bot}\r\nDate: Thu, 1 Oct 2026 10:00:00 +0000\r\nSubject: ${text}\r\n\r\n${text}\r\n`;
    await say(dovecot, { raw: raw("one") });
    await say(dovecot, { raw: raw("two") });
    const event = await running.waitForEvent("two");
    expect(event).not.toHaveProperty("platform_id");
    expect(event.reply).toEqual({ connector: "mail", conversation_id: ada });
    await running.stop();
    await dovecot.stop();
    dovecot.renumber("bot");
    await dovecot.start();
    await running.start();
    await say(dovecot, { raw: raw("three") });
    await running.waitForEvent("three", slow);
    expect(running.events().map(({ content }) => content?.text)).toEqual(["one", "two", "three"]);
  });

  test.each(["no", "drop"] as const)(
    "a file that the server does not give out (%s) is omitted, and what comes behind it arrives",
    async (how) => {
      const { dovecot } = await startDovecot();
      const fault = await startImapFault(dovecot.port);
      const running = await bus({ imap: plain(fault.port) });
      fault.fails = { command: /FETCH .*BODY\.PEEK\[2\]/, how };
      const file = (filename: string) => ({ filename, content: Buffer.from(`of ${filename}`) });
      await say(dovecot, { text: "two files", attachments: [file("bad.bin"), file("good.bin")] });
      await say(dovecot, { text: "behind" });
      await running.waitForEvent("behind", slow);
      const event = await running.waitForEvent("two files");
      const [bad, good] = event.content?.attachments ?? [];
      expect(bad).toMatchObject({ name: "bad.bin", omitted: "unavailable" });
      expect(bad).not.toHaveProperty("path");
      expect(good).toMatchObject({ name: "good.bin", size: 11, path: expect.stringContaining("media/") });
      expect(running.events()).toHaveLength(2);
      expect(fault.failures).toBe(how === "no" ? 1 : 5);
    },
  );

  test("a text that the server does not give out is omitted, and what comes behind it arrives", async () => {
    const { dovecot } = await startDovecot();
    const fault = await startImapFault(dovecot.port);
    const running = await bus({ imap: plain(fault.port) });
    fault.fails = { command: /FETCH 1 .*BODY\.PEEK\[TEXT\]/, how: "no" };
    await say(dovecot, { text: "lost", subject: "lost" });
    await say(dovecot, { text: "behind" });
    await running.waitForEvent("behind", slow);
    const event = await running.waitForEvent((one) => one.content?.subject === "lost");
    expect(event.content).toMatchObject({ text: "", attachments: [{ omitted: "unavailable" }] });
  });
});

describe.skipIf(missing !== undefined)("the password", { timeout: 120_000 }, () => {
  test.each(["tls", "starttls"] as const)("goes encrypted with %s, both ways", async (security) => {
    const { dovecot, folder } = await startDovecot();
    const { certFile, keyFile } = makeCertificate(folder);
    const tls = { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
    const secure = security === "tls";
    const relay = await startRelay({ lmtpPort: dovecot.lmtpPort, account: bot, tls: { ...tls, secure } });
    const running = await bus({
      imap: { server: "localhost", port: secure ? dovecot.tlsPort : dovecot.port, security },
      smtp: { server: "localhost", port: relay.port, security },
      tls_ca: readFileSync(dovecot.certFile, "utf8") + tls.cert,
    });
    await say(dovecot, { text: "hello" });
    await running.waitForEvent("hello");
    const id = running.send("mail", { conversation_id: ada, text: "hello to you" });
    await running.waitForReceipt("mail", id);
    expect(running.logs()).not.toContain("password_in_clear");
    running.configure([
      { ...account, smtp: { server: "localhost", port: relay.port, security } }, // without tls_ca
    ]);
    await waitFor(() => running.logs().includes('"code":"tls_untrusted"'), {
      ...slow,
      message: "a log of it",
    });
    expect(running.logs()).not.toContain(mailPassword);
  });

  test("is not said where a server leaves STARTTLS out, and mail waits", async () => {
    const { dovecot } = await startDovecot();
    const relay = await startRelay({ lmtpPort: dovecot.lmtpPort, account: bot });
    const running = await bus({ smtp: { ...plain(relay.port), security: "starttls" } }, "offline");
    running.send("mail", { conversation_id: ada, text: "hello", id: "waits" });
    await waitFor(() => running.logs().includes("upgrading connection with STARTTLS"), {
      ...slow,
      message: "the log to say why",
    });
    expect(relay.logins).toBe(0);
    expect(running.deadLetters("mail")).toEqual([]);
  });

  test("in clear to another machine is warned of, to this one it is not", async () => {
    const { dovecot } = await startDovecot();
    const running = await bus({ imap: plain(dovecot.port) });
    await say(dovecot, { text: "hello" });
    await running.waitForEvent("hello");
    expect(running.logs()).not.toContain("password_in_clear");
    running.configure([{ ...account, imap: { server: "mail.invalid", port: 143, security: "none" } }]);
    await waitFor(() => running.logs().includes("email.password_in_clear"), {
      ...slow,
      message: "the warning",
    });
  });
});
