// XMPP beyond the contract, on a real prosody: rooms with and without an archive, being removed and coming back, what one message says about another there, and private talk.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Bus, startBus } from "../helpers/bus.ts";
import { atEnd } from "../helpers/children.ts";
import { missingServer } from "../helpers/servers/daemon.ts";
import { makeProsody, password, plainRooms, type Prosody, rooms } from "../helpers/servers/prosody.ts";
import { XmppUser } from "../helpers/servers/xmppUser.ts";
import { waitFor } from "../helpers/wait.ts";

const dev = `dev@${rooms}`;
const plain = `talk@${plainRooms}`;
const muc = "http://jabber.org/protocol/muc";

interface Scene {
  server: Prosody;
  ada: XmppUser;
  bus: Bus;
}

/** A server, ada in both rooms, and a bus whose connector is in them, too. */
async function scene(): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), "spoolway-xmpp-"));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  const server = await makeProsody({ folder, users: ["ada", "bob", "bot"] });
  await server.start();
  atEnd(() => server.kill());
  const ada = await XmppUser.connect(server.port, "ada", password, [dev, plain]);
  atEnd(() => ada.close());
  const bus = await startBus({
    connectors: [
      {
        ...{ name: "xmpp", type: "xmpp", jid: "bot@localhost", password, server: "127.0.0.1" },
        ...{ port: server.port, tls: false, rooms: [dev, plain], retry_s: 1 },
        runtime: { probe_every: "500ms" },
      },
    ],
    defaults: { connector: { settle: "300ms", retry: { attempts: 8, base: "200ms", max: "1s" } } },
  });
  return { server, ada, bus };
}

const groupchat = { type: "groupchat" } as const;

describe.skipIf(missingServer("prosody"))("XMPP rooms", { timeout: 90_000 }, () => {
  test("what was said while we were away comes once and in order, from an archive or from the room's history", async () => {
    const { ada, bus } = await scene();
    await ada.say(dev, "before", groupchat);
    await ada.say(plain, "before, too", groupchat);
    await bus.waitForEvent("before");
    await bus.waitForEvent("before, too");
    // Only after a probe it is known since when we are away.
    await waitFor(() => bus.heartbeat("xmpp")?.last_probe_ok_at, { message: "a probe" });
    await bus.stop();
    const texts = Array.from({ length: 60 }, (_, n) => `missed ${n}`);
    for (const text of texts) await ada.say(dev, text, groupchat);
    for (const text of ["plain 1", "plain 2"]) await ada.say(plain, text, groupchat);
    await bus.start();
    await ada.say(dev, "after", groupchat);
    await bus.waitForEvent("after", { timeoutMs: 30_000 });
    await bus.waitForEvent("plain 2", { timeoutMs: 30_000 });
    const said = (room: string): string[] =>
      bus.events().flatMap((one) => (one.conversation?.id === room ? (one.content?.text ?? "") : []));
    expect(said(dev)).toEqual(["before", ...texts, "after"]);
    expect(said(plain)).toEqual(["before, too", "plain 1", "plain 2"]);
  });

  test("banned, it comes back when it may, hears first what was said meanwhile, and sends what waited", async () => {
    const { ada, bus } = await scene();
    // Only after a probe it is known since when we are away.
    await waitFor(() => bus.heartbeat("xmpp")?.last_probe_ok_at, { message: "a probe" });
    const affiliate = (as: string, reason = ""): Promise<unknown> =>
      ada.ask(
        `<query xmlns='${muc}#admin'><item jid='bot@localhost' affiliation='${as}'>${reason}</item></query>`,
        { to: dev },
      );
    await affiliate("outcast", "<reason>lunch</reason>");
    await waitFor(() => bus.logs().includes("banned: lunch"), { message: "the reason in the log" });
    const id = bus.send("xmpp", { conversation_id: dev, text: "back again" });
    await ada.say(dev, "without you", groupchat);
    await affiliate("none");
    await bus.waitForReceipt("xmpp", id, { timeoutMs: 30_000 });
    await ada.saw((one) => one.attrs.from === `${dev}/bot` && one.getChildText("body") === "back again");
    await ada.say(dev, "hello again", groupchat);
    await bus.waitForEvent("hello again");
    // Nothing of it comes a second time when the archive is read.
    expect((await bus.command("sync", "xmpp")).code).toBe(0);
    expect(bus.events().map((one) => one.content?.text)).toEqual(["without you", "hello again"]);
  });

  test("what is said about a message names it as its event does, both ways", async () => {
    const { ada, bus } = await scene();
    const question = await ada.say(dev, "question", groupchat);
    const asked = await bus.waitForEvent("question");
    expect(asked.platform_id).toBe(question);
    expect(asked).toMatchObject({
      sender: { username: "ada", is_self: false },
      conversation: { id: dev, type: "channel" },
    });
    expect(asked.sender?.id).toMatch(/^dev@muc\.localhost#./);

    const own = await ada.saw((one) => one.attrs.id === question && one.attrs.from === `${dev}/ada`);
    const roomsId = own.getChild("stanza-id", "urn:xmpp:sid:0")?.attrs.id ?? "";
    const reply = `<reply xmlns='urn:xmpp:reply:0' id='${roomsId}'/><fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='11'/></fallback>`;
    await ada.say(dev, "> question\nbot: yes", { ...groupchat, extra: reply });
    expect(await bus.waitForEvent("bot: yes")).toMatchObject({ reply_to: question, mentions_me: true });
    const replace = `<replace xmlns='urn:xmpp:message-correct:0' id='${question}'/>`;
    await ada.say(dev, "corrected", { ...groupchat, extra: replace });
    expect(await bus.waitForEvent("corrected")).toMatchObject({
      kind: "edit",
      target: { platform_id: question },
    });

    const target = { platform_id: question };
    const sent = { conversation_id: dev, target };
    const answer = bus.send("xmpp", { ...asked.reply, conversation_id: dev, text: "answer" });
    const reaction = bus.send("xmpp", { ...sent, action: "react", reaction: "👍" });
    for (const id of [answer, reaction]) await bus.waitForReceipt("xmpp", id, { timeoutMs: 30_000 });
    await ada.saw((one) => one.getChild("reply", "urn:xmpp:reply:0")?.attrs.id === roomsId);
    await ada.saw((one) => one.getChild("reactions")?.attrs.id === roomsId);
    const nothing = { ...sent, target: { platform_id: "none" }, action: "delete" };
    const refused = await bus.waitForDeadLetter("xmpp", bus.send("xmpp", nothing));
    expect(refused.code).toBe("unknown_target");
    expect(bus.events("answer")).toEqual([]); // the room's echo
  });

  test("what an occupant says privately is answered privately, and what our account says elsewhere is our own", async () => {
    const { server, ada, bus } = await scene();
    const bob = await XmppUser.connect(server.port, "bob", password, [dev]);
    atEnd(() => bob.close());
    await bob.say(`${dev}/bot`, "psst", { extra: `<x xmlns='${muc}#user'/>` });
    const event = await bus.waitForEvent("psst");
    expect(event.conversation).toMatchObject({ id: `${dev}/bob`, type: "direct" });
    bus.send("xmpp", { ...event.reply, conversation_id: event.reply?.conversation_id ?? "", text: "what?" });
    await bob.saw((one) => one.getChildText("body") === "what?" && one.attrs.from === `${dev}/bot`);
    expect(ada.messages(dev).some((one) => one.getChildText("body") === "what?")).toBe(false);

    const phone = await XmppUser.connect(server.port, "bot", password, [], "phone");
    atEnd(() => phone.close());
    await phone.join(dev, "bot");
    await phone.say(dev, "by hand", groupchat);
    expect((await bus.waitForEvent("by hand")).sender).toMatchObject({ is_self: true });
  });

  test("a room that lets nobody in takes no other down, and says why; one that is not there is made, for everybody", async () => {
    const { server, bus } = await scene();
    const bob = await XmppUser.connect(server.port, "bob", password, [`closed@${rooms}`]);
    atEnd(() => bob.close());
    const field = (name: string, value: string): string =>
      `<field var='${name}'><value>${value}</value></field>`;
    const form = `<x xmlns='jabber:x:data' type='submit'>${field("FORM_TYPE", `${muc}#roomconfig`)}${field("muc#roomconfig_membersonly", "1")}</x>`;
    await bob.ask(`<query xmlns='${muc}#owner'>${form}</query>`, { to: `closed@${rooms}` });
    const entry = { jid: "bot@localhost", password, server: "127.0.0.1", port: server.port, tls: false };
    const runtime = { retry: { attempts: 2, base: "100ms" } };
    bus.configure([
      { name: "two", type: "xmpp", ...entry, rooms: [`closed@${rooms}`, `new@${rooms}`], runtime },
    ]);
    await bus.waitForConnector("two", "live");
    expect(bus.logs()).toMatch(/xmpp\.join_failed.*registration-required/);
    const letter = bus.send("two", { conversation_id: `closed@${rooms}`, text: "let me in" });
    await bob.join(`new@${rooms}`);
    await bus.waitForReceipt("two", bus.send("two", { conversation_id: `new@${rooms}`, text: "here" }));
    await bob.saw((one) => one.getChildText("body") === "here");
    expect((await bus.waitForDeadLetter("two", letter)).error).toContain("registration-required");
  });
});
