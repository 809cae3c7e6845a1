// The irc connector on a real ngircd: plain IRC without message ids or echoes.
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { type AddressInfo, createConnection, createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { atEnd } from "../../helpers/children.ts";
import { missingServer } from "../../helpers/servers/daemon.ts";
import { IrcUser } from "../../helpers/servers/ircUser.ts";
import { makeNgircd, type Ngircd } from "../../helpers/servers/ngircd.ts";
import { startProxy } from "../../helpers/proxy.ts";
import { waitFor } from "../../helpers/wait.ts";
import { openSession, prepareSession, sees, temporaryFolder } from "./session.ts";

describe.skipIf(missingServer("ngircd"))("on ngircd", { timeout: 60_000 }, () => {
  let server: Ngircd;
  let ada: IrcUser;

  beforeEach(async () => {
    server = await makeNgircd({ folder: temporaryFolder() });
    await server.start();
    ada = await IrcUser.connect(server.port, "ada", ["#dev"]);
  });
  afterEach(async () => {
    ada.close();
    await server.kill();
  });

  const open = (entry: Record<string, unknown> = {}) =>
    openSession({ port: server.port, channels: ["#dev"], ...entry });

  test("a channel message becomes an event with sender, conversation and raw line", async () => {
    const session = await open();
    ada.say("#dev", "hello bot, how are you?");
    const draft = await session.heard("hello bot, how are you?");
    expect(draft).toMatchObject({
      sender: { id: "ada", username: "ada", is_self: false },
      conversation: { id: "#dev", type: "channel", name: "#dev" },
      mentions_me: true,
      content: { format: "plain" },
      raw: { command: "PRIVMSG", params: ["#dev", "hello bot, how are you?"] },
    });
    expect(draft.key).toBeUndefined();
  });

  test("private messages, notices and actions are events; formatting codes stay in raw", async () => {
    const session = await open();
    ada.say("bot", "psst");
    ada.send("NOTICE #dev :careful");
    ada.say("#dev", "\u0001ACTION waves\u0001");
    ada.say("#dev", "\u0002bold\u0002 \u000304,01red\u0003 plain");
    expect(await session.heard("psst")).toMatchObject({ conversation: { id: "ada", type: "direct" } });
    expect(await session.heard("careful")).toMatchObject({ raw: { command: "NOTICE" } });
    expect(await session.heard("/me waves")).toMatchObject({ mentions_me: false });
    expect(await session.heard("bold red plain")).toMatchObject({
      raw: { params: ["#dev", expect.stringContaining("\u0002")] },
    });
  });

  test("a message to ourselves is an event, and marked as our own", async () => {
    const session = await open();
    await session.send({ conversation_id: "bot", text: "note to self" });
    expect(await session.heard("note to self")).toMatchObject({ sender: { is_self: true } });
  });

  test("messages go to channels and people, one line each; /me is an action", async () => {
    const session = await open();
    await session.send({ conversation_id: "#dev", text: "one\n\ntwo\r\nthree" });
    await session.send({ conversation_id: "Ada", text: "just for you" });
    await session.send({ conversation_id: "#dev", text: "/me waves" });
    await sees(() => ada.heard("#dev"), ["one", "two", "three", "\u0001ACTION waves\u0001"]);
    await sees(() => ada.heard("ada"), ["just for you"]);
  });

  test("no text can smuggle in a command", async () => {
    const session = await open();
    await session.send({ conversation_id: "#dev", text: "x\r\nQUIT :gone\u0000\nJOIN #elsewhere" });
    await expect(session.send({ conversation_id: "#dev\r\nQUIT :x", text: "x" })).rejects.toMatchObject({
      fate: "reject",
      code: "invalid_target",
    });
    await expect(session.send({ conversation_id: "#dev,ada", text: "x" })).rejects.toMatchObject({
      code: "invalid_target",
    });
    await expect(session.send({ conversation_id: "", text: "x" })).rejects.toMatchObject({
      code: "invalid_target",
    });
    await sees(() => ada.heard("#dev"), ["x", "QUIT :gone\ufffd", "JOIN #elsewhere"]);
    await session.probe();
  });

  test("2000 characters of every script arrive complete", async () => {
    const session = await open();
    const texts = ["👩🏽‍🚀👨‍👩‍👧‍👦".repeat(180), "สวัสดีชาวโลกที่น่ารัก".repeat(95), "السلام عليكم ورحمة الله ".repeat(84)];
    for (const text of texts) {
      const before = ada.heard("#dev").length;
      await session.send({ conversation_id: "#dev", text });
      const parts = () => ada.heard("#dev").slice(before);
      await sees(() => parts().join("").replaceAll(" ", ""), text.replaceAll(" ", ""));
      expect(parts().length).toBeGreaterThan(5);
    }
  });

  test("what the server refuses is rejected with its own words", async () => {
    const session = await open();
    ada.send("MODE #dev +m");
    await ada.saw((line) => line.command === "MODE");
    await expect(session.send({ conversation_id: "#dev", text: "x" })).rejects.toMatchObject({
      fate: "reject",
      message: expect.stringMatching(/cannot send to channel/i),
    });
    await expect(session.send({ conversation_id: "nobody", text: "x" })).rejects.toMatchObject({
      fate: "reject",
      code: "no_such_nick",
      message: expect.stringMatching(/no such nick/i),
    });
    await expect(session.send({ conversation_id: "#elsewhere", text: "x" })).rejects.toMatchObject({
      fate: "reject",
    });
  });

  test("what IRC cannot do is rejected, not dropped", async () => {
    const session = await open();
    const refused = { fate: "reject", code: "not_supported" };
    const to = { conversation_id: "#dev", text: "x" };
    await expect(session.send({ ...to, attachments: [{ path: "a" }] })).rejects.toMatchObject(refused);
    await expect(session.send({ ...to, action: "edit" })).rejects.toMatchObject(refused);
    await expect(session.send({ ...to, action: "typing" })).rejects.toMatchObject(refused);
    await expect(session.send({ conversation_id: "#dev", text: " \n " })).rejects.toMatchObject({
      code: "invalid_message",
    });
    await expect(session.send({ conversation_id: "#dev", text: "x\n".repeat(51) })).rejects.toMatchObject({
      code: "too_large",
    });
  });

  test("kicked, it joins again; a message waits for that", async () => {
    const session = await open({ retry_s: 2 });
    ada.send("KICK #dev bot :out");
    await session.logged("irc.channel_left");
    await session.send({ conversation_id: "#dev", text: "back already" });
    await waitFor(() => ada.heard("#dev").includes("back already"));
    ada.send("KICK #dev bot :out again");
    const joins = () =>
      ada.lines.filter((line) => line.command === "JOIN" && line.from.startsWith("bot!")).length;
    await waitFor(() => joins() === 3);
    ada.say("#dev", "welcome");
    await session.heard("welcome");
  });

  test("a channel that cannot be joined takes no other down, says why, and is tried again", async () => {
    await ada.join("#secret");
    ada.send("MODE #secret +k sesame");
    await ada.saw((line) => line.command === "MODE" && line.params[0] === "#secret");
    const session = await open({ channels: ["dev", "#secret"] });
    const { fields } = await session.logged("irc.join_failed");
    expect(fields).toMatchObject({ channel: "#secret", reason: expect.stringMatching(/key|\+k/i) });
    await expect(session.send({ conversation_id: "#secret", text: "x" })).rejects.toMatchObject({
      fate: "retry",
      message: expect.stringMatching(/\+k/),
    });
    ada.say("#dev", "here");
    await session.heard("here");
    ada.send("MODE #secret -k sesame");
    await ada.saw(
      (line) => line.command === "JOIN" && line.params[0] === "#secret" && line.from.startsWith("bot!"),
    );
    await session.send({ conversation_id: "#secret", text: "in" });
    await sees(() => ada.heard("#secret"), ["in"]);
  });

  test("a channel with a key is joined", async () => {
    await ada.join("#secret");
    ada.send("MODE #secret +k sesame");
    await ada.saw((line) => line.command === "MODE" && line.params[0] === "#secret");
    const session = await open({ channels: ["#dev", { name: "#secret", key: "sesame" }] });
    await session.send({ conversation_id: "#secret", text: "in" });
    await session.send({ conversation_id: "#dev", text: "in" });
    await sees(() => ada.heard("#secret"), ["in"]);
  });

  test("a taken nick: another one at first, the wanted one when it is free", async () => {
    const ghost = await IrcUser.connect(server.port, "bot", ["#dev"]);
    const session = await open();
    expect((await session.logged("irc.nick_taken")).fields).toMatchObject({ wanted: "bot", nick: "bot_" });
    await session.send({ conversation_id: "#dev", text: "as bot_" });
    ghost.send("QUIT :bye");
    await session.logged("irc.nick_recovered");
    ada.say("bot", "is it you?");
    await session.heard("is it you?");
    ghost.close();
  });

  test("several conversations at once keep their order", async () => {
    const bea = await IrcUser.connect(server.port, "bea", ["#ops"]);
    const session = await open({ channels: ["#dev", "#ops"] });
    const lane = async (conversation_id: string) => {
      for (let n = 0; n < 10; n++) await session.send({ conversation_id, text: `${conversation_id} ${n}` });
    };
    await Promise.all([lane("#dev"), lane("#ops"), lane("ada")]);
    const numbers = (who: string) => Array.from({ length: 10 }, (_, n) => `${who} ${n}`);
    await sees(() => ada.heard("#dev"), numbers("#dev"));
    await sees(() => bea.heard("#ops"), numbers("#ops"));
    await sees(() => ada.heard("ada"), numbers("ada"));
    bea.close();
  });

  test("the flood control spreads lines, however many conversations there are", async () => {
    const session = await open({ flood: { burst: 2, per_second: 10 } });
    const started = performance.now();
    await Promise.all([
      session.send({ conversation_id: "#dev", text: "1\n2\n3\n4" }),
      session.send({ conversation_id: "ada", text: "1\n2\n3\n4" }),
    ]);
    // 8 lines and 2 pings, 2 of them at once
    expect(performance.now() - started).toBeGreaterThan(750);
    await sees(() => ada.heard("#dev"), ["1", "2", "3", "4"]);
  });

  test("a wrong server password stops it with what to do; the right one works", async () => {
    const locked = await makeNgircd({ folder: temporaryFolder(), password: "sesame" });
    await locked.start();
    atEnd(() => locked.kill());
    const session = prepareSession({ port: locked.port, password: "wrong" });
    await expect(session.connect()).rejects.toMatchObject({
      fate: "stop",
      hint: expect.stringContaining("password"),
    });
    await openSession({ port: locked.port, password: "sesame\n" });
  });

  test("TLS: an unknown certificate is refused, a trusted or pinned one works, a wrong pin does not", async () => {
    const secure = await makeNgircd({ folder: temporaryFolder(), tls: true });
    await secure.start();
    atEnd(() => secure.kill());
    const pem = readFileSync(secure.certFile ?? "", "utf8");
    const entry = { port: secure.tlsPort, tls: true };
    const untrusted = { code: "tls_untrusted", fate: "reconnect", hint: expect.stringContaining("tls_ca") };
    await expect(prepareSession(entry).connect()).rejects.toMatchObject(untrusted);
    const wrong = { ...entry, tls_fingerprint: "00".repeat(32) };
    await expect(prepareSession(wrong).connect()).rejects.toMatchObject({
      code: "tls_untrusted",
      message: expect.stringContaining("fingerprint"),
    });
    await openSession({ ...entry, tls_ca: pem });
    await openSession({ ...entry, nick: "bot2", tls_fingerprint: new X509Certificate(pem).fingerprint256 });
  });

  test("TLS spoken to a port without it is named as such", async () => {
    const plain = createServer((socket) => socket.end("NOTICE AUTH :*** Looking up your hostname\r\n"));
    await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
    atEnd(() => void plain.close());
    const session = prepareSession({ port: (plain.address() as AddressInfo).port, tls: true });
    await expect(session.connect()).rejects.toMatchObject({
      fate: "reconnect",
      hint: expect.stringContaining("tls: false"),
    });
  });

  test("the server gone ends receive with a reason; nothing that was heard is lost", async () => {
    const session = await open();
    session.deliverError = Object.assign(new Error("no space"), { fate: "reconnect" });
    ada.say("#dev", "while the disk was full");
    await session.logged("event.delayed");
    await server.kill();
    session.deliverError = undefined;
    expect(await session.ended).toMatchObject({
      fate: "reconnect",
      message: expect.stringContaining("127.0.0.1"),
    });
    await session.heard("while the disk was full");
    await expect(session.send({ conversation_id: "#dev", text: "x" })).rejects.toMatchObject({
      fate: "reconnect",
    });
    await session.close();
    await expect(session.connect()).rejects.toMatchObject({ fate: "reconnect" });
    await server.start();
    await session.connect();
  });

  test("a half-open link is noticed by the probe, and a message sent into it is uncertain", async () => {
    const proxy = await startProxy(server.port);
    const session = await open({ port: proxy.port });
    await session.probe();
    proxy.mode = "blackhole";
    const sending = session.send({ conversation_id: "#dev", text: "x" }).catch((error: unknown) => error);
    await expect(session.probe()).rejects.toThrow(/did not answer within 10 s/);
    const closing = performance.now();
    await session.close();
    expect(performance.now() - closing).toBeLessThan(3000);
    expect(await sending).toMatchObject({ fate: "uncertain" });
  });

  test("membership is an event where it is asked for", async () => {
    const session = await open({ membership: true });
    const bea = await IrcUser.connect(server.port, "bea", ["#dev"]);
    expect(await session.heard("bea joined")).toMatchObject({
      kind: "membership",
      conversation: { id: "#dev" },
      sender: { id: "bea" },
    });
    bea.send("QUIT :so long");
    expect((await session.heard('bea quit: "so long"')).conversation).toBeUndefined();
    bea.close();
  });

  test("a line that is no UTF-8 is read as Windows-1252", async () => {
    const session = await open();
    const old = createConnection(server.port, "127.0.0.1");
    old.write("NICK old\r\nUSER old 0 * :old\r\n");
    await waitFor(() => {
      ada.send("ISON old");
      return ada.lines.some((line) => line.command === "303" && line.params[1]?.includes("old"));
    });
    old.write(
      Buffer.concat([
        Buffer.from("PRIVMSG bot :caf"),
        Buffer.from([0xe9]),
        Buffer.from(" 5"),
        Buffer.from([0x80]),
        Buffer.from("\r\n"),
      ]),
    );
    await session.heard("café 5€");
    old.destroy();
  });
});
