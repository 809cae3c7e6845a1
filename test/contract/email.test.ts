// The contract for mail, on a real dovecot and an SMTP server that hands to it. Proxies stand before both. dovecot is started once; each case has an account of its own on it.
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { beforeAll } from "vitest";
import { atEnd } from "../helpers/children.ts";
import { type Proxy, startProxy } from "../helpers/proxy.ts";
import { missingServer } from "../helpers/servers/daemon.ts";
import { type Dovecot, mailPassword, makeDovecot } from "../helpers/servers/dovecot.ts";
import { type MailRelay, makeRelay } from "../helpers/servers/mailRelay.ts";
import { deliverMail, MailUser, type Seen } from "../helpers/servers/mailUser.ts";
import { contract } from "./suite.ts";

const ada = "ada@example.test";

let dovecot: Dovecot;
let relay: MailRelay;
let proxies: { imap: Proxy; smtp: Proxy };
let mails = 0;
let cases = 0;
/** The case's account. */
let bot = "";
let isRelaying = false;

const newId = (): string => `<${(mails += 1)}.${process.pid}.${Date.now()}@example.test>`;
const deliver = (from: string, mail: Record<string, unknown>): Promise<void> =>
  deliverMail(dovecot.lmtpPort, { from, to: bot }, mail);

/** What lies in somebody's mailbox. */
async function mailbox(address: string): Promise<Seen[]> {
  const user = await MailUser.connect(address, dovecot.port);
  try {
    return await user.mails();
  } finally {
    user.close();
  }
}
const withText = async (text: string, address: string): Promise<Seen | undefined> =>
  (await mailbox(address)).find((mail) => mail.text === text);

function cut(mode: "refuse" | "pass" | "blackhole"): void {
  for (const proxy of Object.values(proxies)) {
    proxy.mode = mode;
    if (mode !== "blackhole") proxy.reset();
  }
}

async function stop(): Promise<void> {
  cut("refuse");
  await Promise.all([dovecot.stop(), relay.stop()]);
  isRelaying = false;
}

async function start(): Promise<void> {
  if (!dovecot.running) await dovecot.start();
  if (!isRelaying) await relay.start();
  isRelaying = true;
}

/** Once; it stays until the last case is over. */
async function makeServer(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "spoolway-email-"));
  dovecot = await makeDovecot(folder);
  atEnd(async () => {
    await dovecot.stop();
    rmSync(folder, { recursive: true, force: true });
  });
}
if (missingServer("dovecot") === undefined) beforeAll(makeServer);

contract({
  type: "email",
  conversation: ada,
  otherConversation: "bob@example.test",
  missing: missingServer("dovecot"),
  offlineWithoutServer: true,
  keepsWhileAway: true,

  async open() {
    cases += 1;
    bot = `bot${cases}@example.test`;
    for (const user of ["ada", "bob"]) dovecot.empty(user);
    relay = await makeRelay({ lmtpPort: dovecot.lmtpPort, account: bot });
    isRelaying = false;
    await start();
    proxies = { imap: await startProxy(dovecot.port), smtp: await startProxy(relay.port) };
    return {
      address: bot,
      display_name: "Bot",
      password: mailPassword,
      imap: { server: "127.0.0.1", port: proxies.imap.port, security: "none" },
      smtp: { server: "127.0.0.1", port: proxies.smtp.port, security: "none" },
    };
  },
  async close() {
    await relay.stop();
  },

  async say({ conversation, text }) {
    const key = newId();
    await deliver(conversation, { text, subject: "hello", messageId: key, date: new Date(0) });
    return { conversation, text, key };
  },
  // A mail server that got no answer delivers again.
  async sayAgain({ conversation, text, key = "" }) {
    await deliver(conversation, { text, subject: "hello", messageId: key, date: new Date(0) });
  },
  async saySelf({ text }) {
    await deliver(bot, { text, to: ada });
  },
  async sayFile({ conversation, name, bytes }) {
    await deliver(conversation, {
      text: "a file",
      attachments: [{ filename: name, content: Buffer.from(bytes) }],
    });
  },
  async sayBigFile(size) {
    const hash = createHash("sha256");
    const content = Readable.from(
      (function* () {
        for (let left = size; left > 0; left -= 1 << 20) {
          const chunk = randomBytes(Math.min(left, 1 << 20));
          hash.update(chunk);
          yield chunk;
        }
      })(),
    );
    await deliver(ada, { text: "big", attachments: [{ filename: "big.bin", content }] });
    return hash.digest("hex");
  },
  async sayReply({ conversation, key = "" }, text) {
    await deliver(conversation, { text, subject: "Re: hello", inReplyTo: key, references: key });
  },
  async sayInThread(text) {
    const [root, last] = [newId(), newId()];
    await deliver(ada, { text, subject: "Re: a thread", inReplyTo: last, references: [root, last] });
    return { conversation: ada, threadId: root };
  },
  happens: {
    // Out of office (RFC 3834).
    async event({ conversation, key = "" }) {
      const headers = { "Auto-Submitted": "auto-replied (vacation)" };
      await deliver(conversation, { text: "I am away", inReplyTo: key, references: key, headers });
      return { reply_to: key, sender: { id: conversation, is_bot: true } };
    },
  },

  heard: async (conversation) => (await mailbox(conversation)).map(({ text }) => text),
  heardReplyTo: async (text, conversation) =>
    (await withText(text, conversation))?.headers.get("in-reply-to"),
  heardThread: async (text, conversation) =>
    (await withText(text, conversation))?.headers.get("references")?.split(/\s+/)[0],
  async heardFiles(conversation) {
    const files = (await mailbox(conversation)).flatMap((mail) => mail.files);
    return files.map(({ name, bytes = new Uint8Array() }) => ({ name, bytes }));
  },
  async heardBigFile() {
    const files = (await mailbox(ada)).flatMap((mail) => mail.files);
    const [biggest] = files.sort((a, b) => b.size - a.size);
    return biggest && { size: biggest.size, sha256: biggest.sha256 };
  },
  refused: {
    message: { conversation_id: "nobody@example.test", text: "is anybody there?" },
    error: /user unknown/i,
  },

  swallowAnswers(on) {
    relay.isMute = on;
  },
  server: {
    stop,
    kill: stop,
    async start() {
      await start();
      cut("pass");
    },
    freeze: () => cut("blackhole"),
  },
  badCredentials: (entry) => ({ ...entry, password: "wrong" }),
  logins: async () => relay.logins + proxies.imap.connections,
});
