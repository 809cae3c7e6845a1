// The irc connector on a real inspircd: IRCv3 message ids, server-time, echoes and labels, TLS, and SASL through a linked services server.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { missingServer } from "../../helpers/servers/daemon.ts";
import { type Inspircd, makeInspircd } from "../../helpers/servers/inspircd.ts";
import { IrcServices } from "../../helpers/servers/ircServices.ts";
import { IrcUser } from "../../helpers/servers/ircUser.ts";
import { waitFor } from "../../helpers/wait.ts";
import { openSession, prepareSession, sees, temporaryFolder } from "./session.ts";

const modules = ["botmode", "callerid"];
const extra = [
  ...modules.map((name) => `<module name="${name}">`),
  `<badip ipmask="127.0.0.9" reason="Spam &quot;bot&quot;">`,
];

describe.skipIf(missingServer("inspircd"))("on inspircd", { timeout: 60_000 }, () => {
  let server: Inspircd;
  let ada: IrcUser;

  async function start(options: Partial<Parameters<typeof makeInspircd>[0]> = {}): Promise<void> {
    server = await makeInspircd({ folder: temporaryFolder(), extra, ...options });
    await server.start();
    ada = await IrcUser.connect(server.port, "ada", ["#dev"], options.password);
  }
  const open = (entry: Record<string, unknown> = {}) =>
    openSession({ port: server.port, channels: ["#dev"], ...entry });

  /** Gone from the server, too: the next test wants the nick. */
  async function leave(): Promise<void> {
    ada.send("QUIT");
    await waitFor(() => !ada.connected);
    ada.close();
  }

  describe("with IRCv3", () => {
    // A registration costs inspircd a second: one server for all of these.
    beforeAll(async () => {
      await start();
      await leave();
    });
    beforeEach(async () => {
      ada = await IrcUser.connect(server.port, "ada", ["#dev"]);
    });
    afterEach(leave);
    afterAll(() => server.kill());

    test("a server that ends the connection for flooding is named in the loss", async () => {
      const session = await open();
      const lines = Array.from({ length: 50 }, (_, n) => `${n}`).join("\n");
      const error = await session
        .send({ conversation_id: "#dev", text: lines })
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ fate: "uncertain", message: expect.stringMatching(/flood/i) });
    });

    test("an event has the message id as its key and the server's time", async () => {
      const session = await open();
      ada.say("#dev", "hello");
      const draft = await session.heard("hello");
      expect(draft.platform_id).toMatch(/\S+/);
      expect(draft.key).toEqual(["#dev", draft.platform_id]);
      expect(Math.abs(Date.parse(draft.occurred_at ?? "") - Date.now())).toBeLessThan(60_000);
      expect(draft.raw).toMatchObject({ tags: { msgid: draft.platform_id } });
    });

    test("a receipt has the ids of all its lines, and our echoes are no events", async () => {
      const session = await open();
      const one = await session.send({ conversation_id: "#dev", text: "one" });
      expect(one.platform_id).toMatch(/\S+/);
      expect(one.platform_ids).toBeUndefined();
      const two = await session.send({ conversation_id: "#dev", text: "two\nthree" });
      expect(new Set(two.platform_ids).size).toBe(2);
      expect(two.platform_id).toBe(two.platform_ids?.[0]);
      const direct = await session.send({ conversation_id: "ada", text: "psst" });
      expect(direct.platform_id).toMatch(/\S+/);
      ada.say("#dev", "after");
      await session.heard("after");
      expect(session.drafts.map((draft) => draft.content?.text)).toEqual(["after"]);
    });

    test("a message to ourselves is an event once, and marked as our own", async () => {
      const session = await open();
      await session.send({ conversation_id: "bot", text: "note to self" });
      const draft = await session.heard("note to self");
      expect(draft).toMatchObject({ sender: { is_self: true }, conversation: { id: "bot" } });
      await session.probe();
      expect(session.drafts).toHaveLength(1);
    });

    test("an answer names the message that it answers, both ways", async () => {
      const session = await open();
      ada.send("CAP REQ :message-tags");
      ada.say("#dev", "question");
      const question = await session.heard("question");
      await session.send({ conversation_id: "#dev", text: "answer", reply_to: question.platform_id ?? "" });
      const answer = await ada.saw((line) => line.params[1] === "answer");
      expect(answer.tags).toContain(`+draft/reply=${question.platform_id}`);
      ada.send(`@+draft/reply=${question.platform_id} PRIVMSG #dev :another`);
      expect(await session.heard("another")).toMatchObject({ reply_to: question.platform_id });
    });

    test("lines are cut so that the server cuts nothing, whatever our prefix is", async () => {
      const session = await open({
        nick: "n".repeat(30),
        username: "u".repeat(10),
        flood: { burst: 4, per_second: 10 },
      });
      const text = "👩🏽‍🚀👨‍👩‍👧‍👦ສະບາຍດີ".repeat(120);
      const { platform_ids = [] } = await session.send({ conversation_id: "#dev", text });
      await sees(() => ada.heard("#dev").join(""), text);
      expect(platform_ids).toHaveLength(ada.heard("#dev").length);
      // The server shows our user and host before the text, and never more than it allows.
      const prefix = `:${session.config.nick}!~${session.config.username}@127.0.0.1 PRIVMSG #dev :`;
      const longest = Math.max(...ada.heard("#dev").map((part) => Buffer.byteLength(`${prefix}${part}\r\n`)));
      expect(longest).toBeLessThanOrEqual(512);
      expect(longest).toBeGreaterThan(400);
    });

    test("refusals come with the server's words, also those without an error of their own number", async () => {
      const session = await open();
      ada.send("MODE #dev +m");
      await ada.saw((line) => line.command === "MODE");
      const moderated = {
        fate: "reject",
        message: expect.stringMatching(/cannot send/i),
        hint: expect.stringMatching(/#dev/),
      };
      await expect(session.send({ conversation_id: "#dev", text: "x" })).rejects.toMatchObject(moderated);
      await expect(session.send({ conversation_id: "nobody", text: "x" })).rejects.toMatchObject({
        code: "no_such_nick",
      });
      ada.send("MODE ada +g");
      await ada.saw((line) => line.command === "MODE" && line.params[0] === "ada");
      await expect(session.send({ conversation_id: "ada", text: "x" })).rejects.toMatchObject({
        fate: "reject",
        message: expect.stringMatching(/\+g/),
      });
      await session.send({ conversation_id: "bot", text: "still alive" });
    });

    test("what was said to a channel's operators is answered to the operators", async () => {
      const session = await open();
      ada.send("MODE #dev +o bot");
      ada.say("@#dev", "between us");
      const draft = await session.heard("between us");
      expect(draft.conversation).toMatchObject({ id: "@#dev", type: "channel" });
      await session.send({ conversation_id: "@#dev", text: "of course" });
      await sees(() => ada.heard("@#dev"), ["of course"]);
    });

    test("names are folded as the server folds them", async () => {
      const session = await open({ nick: "Bot[x]", channels: ["#Dev[1]"] });
      await ada.join("#Dev[1]");
      ada.say("#dEV[1]", "hey bot{X}!");
      expect(await session.heard("hey bot{X}!")).toMatchObject({
        conversation: { id: "#dev{1}" },
        mentions_me: true,
      });
      ada.say("BOT{X}", "hi");
      expect(await session.heard("hi")).toMatchObject({ conversation: { id: "ada", type: "direct" } });
      await session.send({ conversation_id: "#DEV{1}", text: "there" });
      await sees(() => ada.heard("#Dev[1]"), ["there"]);
    });

    test("a nick that the server does not accept stops it", async () => {
      const session = prepareSession({ port: server.port, nick: "no.dots" });
      await expect(session.connect()).rejects.toMatchObject({ fate: "stop", code: "bad_nick" });
    });

    test("a bot that says so is marked", async () => {
      const session = await open();
      ada.send("MODE ada +B");
      ada.say("#dev", "beep");
      expect(await session.heard("beep")).toMatchObject({ sender: { id: "ada", is_bot: true } });
    });
  });

  describe("with a server of its own", () => {
    afterEach(async () => {
      ada.close();
      await server.kill();
    });

    test("a wrong password and a ban stop it, and say what to do", async () => {
      await start({ password: "sesame", extra: [`<badhost host="*banned@*" reason="No bots here">`] });
      const wrong = prepareSession({ port: server.port, password: "wrong" });
      await expect(wrong.connect()).rejects.toMatchObject({
        fate: "stop",
        hint: expect.stringContaining("password"),
      });
      const banned = prepareSession({ port: server.port, password: "sesame", username: "banned" });
      await expect(banned.connect()).rejects.toMatchObject({
        fate: "stop",
        message: expect.stringContaining("No bots here"),
      });
      const session = await open({ password: "sesame" });
      await session.probe();
    });

    test("TLS: verified with a CA, refused without", async () => {
      await start({ tls: true });
      const tls_ca = readFileSync(server.certFile ?? "", "utf8");
      const session = await open({ port: server.tlsPort, tls: true, tls_ca });
      ada.say("#dev", "in secret");
      await session.heard("in secret");
      const untrusted = prepareSession({ port: server.tlsPort, tls: true });
      await expect(untrusted.connect()).rejects.toMatchObject({ code: "tls_untrusted" });
    });
  });

  describe("with services", () => {
    let services: IrcServices;

    beforeEach(async () => {
      await start({ services: true, tls: true });
      const accounts = { botaccount: { password: "pässword", fingerprint: "*" }, ada: { password: "x" } };
      services = await IrcServices.link(server.servicesPort ?? 0, accounts);
    });
    afterEach(async () => {
      services.close();
      ada.close();
      await server.kill();
    });

    const sasl = { account: "botaccount", password: "pässword" };

    test("SASL PLAIN logs in; the account of others is their id", async () => {
      const session = await open({ sasl });
      ada.send("WHOIS bot");
      const whois = await ada.saw((line) => line.command === "330");
      expect(whois.params[2]).toBe("botaccount");
      ada.say("#dev", "who am I?");
      expect(await session.heard("who am I?")).toMatchObject({ sender: { id: "ada" } });
      const other = await openSession({
        port: server.port,
        nick: "ada2",
        channels: ["#dev"],
        sasl: { account: "ada", password: "x" },
      });
      await other.send({ conversation_id: "#dev", text: "and now?" });
      expect(await session.heard("and now?")).toMatchObject({
        sender: { id: "account:ada", username: "ada2" },
      });
    });

    test("SASL EXTERNAL logs in with the client certificate", async () => {
      const folder = temporaryFolder();
      const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
      execFileSync(
        "openssl",
        [
          "req",
          "-x509",
          "-newkey",
          "rsa:2048",
          "-nodes",
          "-keyout",
          key,
          "-out",
          cert,
          "-days",
          "2",
          "-subj",
          "/CN=bot",
        ],
        { stdio: "ignore" },
      );
      const session = await open({
        port: server.tlsPort,
        tls: true,
        tls_ca: readFileSync(server.certFile ?? "", "utf8"),
        tls_cert: readFileSync(cert, "utf8"),
        tls_key: readFileSync(key, "utf8"),
        sasl: { mechanism: "EXTERNAL" },
      });
      await session.probe();
      expect(services.logins).toBe(1);
    });

    test("a wrong SASL password stops it, is tried once, and is in no message", async () => {
      const session = prepareSession({ port: server.port, sasl: { ...sasl, password: "wrong-secret" } });
      const error = await session.connect().catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ fate: "stop", hint: expect.stringContaining("sasl.password") });
      expect(JSON.stringify([String(error), error, session.logs])).not.toContain("wrong-secret");
      expect(services.logins).toBe(1);
      expect((await session.logged("irc.password_in_clear")).fields).toMatchObject({
        hint: expect.stringContaining("TLS"),
      });
    });

    test("services that are away are waited for; it never goes on without its login", async () => {
      services.close();
      const session = prepareSession({ port: server.port, channels: ["#dev"], sasl });
      await expect
        .poll(() => session.connect().catch((error: unknown) => error), { timeout: 45_000 })
        .toMatchObject({
          fate: "reconnect",
          message: expect.stringContaining("SASL"),
        });
      services = await IrcServices.link(server.servicesPort ?? 0, { botaccount: { password: "pässword" } });
      await session.connect();
      await ada.saw((line) => line.command === "JOIN" && line.from.startsWith("bot!"));
    });

    test("a mechanism that is not offered stops it", async () => {
      services.close();
      services = await IrcServices.link(server.servicesPort ?? 0, {}, "EXTERNAL");
      await expect
        .poll(
          () =>
            prepareSession({ port: server.port, sasl })
              .connect()
              .catch((error: unknown) => error),
          { timeout: 45_000 },
        )
        .toMatchObject({
          fate: "stop",
          message: expect.stringContaining("PLAIN"),
        });
    });
  });
});
