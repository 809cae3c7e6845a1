// docs/recipes.md: the programs as they are, with the entries of the page, on real servers.
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { type Bus, projectRoot, startBus } from "../../helpers/bus.ts";
import { atEnd } from "../../helpers/children.ts";
import { blocks, page } from "../../helpers/docs.ts";
import { freePort } from "../../helpers/ports.ts";
import { startProxy } from "../../helpers/proxy.ts";
import { defaultBus, post, Program } from "../../helpers/reader.ts";
import { missingServer } from "../../helpers/servers/daemon.ts";
import { mailPassword, makeDovecot } from "../../helpers/servers/dovecot.ts";
import { IrcUser } from "../../helpers/servers/ircUser.ts";
import { makeRelay } from "../../helpers/servers/mailRelay.ts";
import { deliverMail, MailUser, type Seen } from "../../helpers/servers/mailUser.ts";
import { makeNgircd } from "../../helpers/servers/ngircd.ts";
import { makeProsody, password, rooms } from "../../helpers/servers/prosody.ts";
import { Telegram } from "../../helpers/servers/telegram.ts";
import { TelegramServer } from "../../helpers/servers/telegramServer.ts";
import { XmppUser } from "../../helpers/servers/xmppUser.ts";
import { waitFor } from "../../helpers/wait.ts";

const recipe = (file: string): string => join(projectRoot, "docs/recipes", file);

/** A temporary folder, gone at the end. */
function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), "spoolway-recipe-"));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The entries that the page shows, with what is different here. */
async function busOf(name: string, changes: Record<string, Record<string, unknown>>): Promise<Bus> {
  const shown = blocks(page("docs/recipes.md")).find(({ info }) => info === `yaml recipe=${name}`);
  const { connectors } = parse(shown?.text ?? "") as { connectors: Array<{ name: string }> };
  return startBus({ connectors: connectors.map((entry) => ({ ...entry, ...changes[entry.name] })) });
}

describe.skipIf(missingServer("ngircd") ?? missingServer("prosody"))("bridge.sh", () => {
  const channel = "#dev";
  const room = `dev@${rooms}`;

  test("says in one what is said in the other, in order, once, and loses nothing while a side is away", async () => {
    const irc = await makeNgircd({ folder: join(temporary(), "irc") });
    await irc.start();
    const xmpp = await makeProsody({ folder: temporary(), users: ["ada", "bridge"] });
    await xmpp.start();
    atEnd(() => Promise.all([irc.kill(), xmpp.kill()]).then(() => undefined));
    const bob = await IrcUser.connect(irc.port, "bob", [channel]);
    const ada = await XmppUser.connect(xmpp.port, "ada", password, [room]);
    atEnd(() => [bob, ada].forEach((user) => user.close()));
    const network = await startProxy(xmpp.port);

    const bus = await busOf("bridge", {
      irc: { server: "127.0.0.1", port: irc.port, tls: false, flood: { burst: 20, per_second: 50 } },
      xmpp: {
        jid: "bridge@localhost",
        password,
        rooms: [room],
        server: "127.0.0.1",
        port: network.port,
        tls: false,
      },
    });
    const env = { IRC_CHANNEL: channel, XMPP_ROOM: room };
    const bridge = new Program(bus, recipe("bridge.sh"), [], env);
    const inRoom = (): string[] => ada.messages(room).flatMap((one) => one.getChildText("body") ?? []);
    const inChannel = (): string[] => bob.heard(channel);

    bob.say(channel, "hello “room” 🌱");
    await waitFor(() => inRoom().includes("<bob> hello “room” 🌱"), { message: () => bridge.out });
    await ada.say(room, "hello channel; $(rm -rf /)", { type: "groupchat" });
    await waitFor(() => inChannel().includes("<ada> hello channel; $(rm -rf /)"), {
      message: () => bridge.out,
    });

    // The way to XMPP is cut, people on IRC go on, and the bridge dies as well.
    network.mode = "refuse";
    network.reset();
    const missed = ["one", "two", "three"];
    for (const text of missed) bob.say(channel, text);
    await waitFor(() => bus.list("outbox/xmpp").length + bus.list("sending/xmpp").length >= 3);
    await bridge.end();
    const again = new Program(bus, recipe("bridge.sh"), [], env);
    network.mode = "pass";
    await waitFor(() => inRoom().includes("<bob> three"), { timeoutMs: 60_000, message: () => again.out });
    await ada.say(room, "the last", { type: "groupchat" });
    await waitFor(() => inChannel().includes("<ada> the last"), { message: () => again.out });
    const bridged = inRoom().filter((text) => text.startsWith("<bob>"));
    expect(bridged).toEqual(["hello “room” 🌱", ...missed].map((text) => `<bob> ${text}`));
    expect(inChannel()).toEqual(["<ada> hello channel; $(rm -rf /)", "<ada> the last"]);
  });
});

describe.skipIf(missingServer("dovecot"))("agent.py", () => {
  const [agent, ada] = ["agent@example.test", "ada@example.test"];
  const token = "7000000001:AAF-fake_token_of_the_recipe";

  test("answers mail and Telegram alike, in place, once, also when it is killed", async () => {
    const dovecot = await makeDovecot(temporary());
    await dovecot.start();
    const relay = await makeRelay({ lmtpPort: dovecot.lmtpPort, account: agent });
    await relay.start();
    const telegram = new Telegram();
    const forum = telegram.open({ id: -1002, type: "supergroup", title: "Topics", is_forum: true });
    forum.topics.add(17);
    const server = new TelegramServer(telegram, { token, port: await freePort() });
    await server.start();
    atEnd(() => Promise.all([dovecot.stop(), relay.stop(), server.stop()]).then(() => undefined));
    const at = (port: number) => ({ server: "127.0.0.1", port, security: "none" });
    const bus = await busOf("agent", {
      mail: { address: agent, password: mailPassword, imap: at(dovecot.port), smtp: at(relay.port) },
      telegram: { token, api_url: server.url },
    });
    const env = { SPOOLWAY_HOME: bus.home };
    const first = new Program(bus, "python3", [recipe("agent.py")], env);

    const question = { subject: "Milk?", messageId: "<1@example.test>", text: "note milk" };
    await deliverMail(dovecot.lmtpPort, { from: ada, to: agent }, question);
    const mails = async (): Promise<Seen[]> => {
      const user = await MailUser.connect(ada, dovecot.port);
      return user.mails().finally(() => user.close());
    };
    const answers = async (): Promise<Seen[]> =>
      (await mails()).filter(({ text }) => text.startsWith("Noted"));
    await waitFor(async () => (await answers()).length > 0, { timeoutMs: 30_000, message: () => first.out });
    const [answer] = await answers();
    expect(answer?.headers.get("in-reply-to")).toBe("<1@example.test>");
    expect(answer?.headers.get("references")).toContain("<1@example.test>");
    expect(answer?.headers.get("subject")).toBe("Re: Milk?");

    telegram.say(-1002, { text: "note bread", message_thread_id: 17, is_topic_message: true });
    const sent = () => telegram.sent(-1002);
    await waitFor(() => sent().length > 0, { message: () => first.out });
    expect(sent()[0]).toMatchObject({ text: expect.stringContaining("Noted"), message_thread_id: 17 });

    // Killed before it had put the event away: the answer is the same message.
    await first.end();
    const done = join(bus.home, "done");
    for (const name of readdirSync(done)) renameSync(join(done, name), join(bus.spool, "inbox", name));
    const second = new Program(bus, "python3", [recipe("agent.py")], env);
    telegram.say(-1002, { text: "notes", message_thread_id: 17, is_topic_message: true });
    await waitFor(() => sent().some(({ text }) => text === "bread"), { message: () => second.out });
    expect(sent().map(({ text }) => text)).toEqual([expect.stringContaining("Noted"), "bread"]);
    expect(await answers()).toHaveLength(1);
  });
});

describe("replay.sh", () => {
  test("gives a program a day's events in order, those that were put away as well, and takes nothing", async () => {
    const { bus, port } = await defaultBus();
    for (const text of ["one", "zwei “ü”", "three"]) await post(port, { text });
    const [first = "", second = ""] = bus.list("inbox");
    mkdirSync(join(bus.home, "done"));
    renameSync(join(bus.spool, "inbox", second), join(bus.home, "done", second));
    const before = [bus.list("inbox"), readdirSync(join(bus.home, "done"))];
    const today = first.slice(0, 8);
    const replay = new Program(bus, recipe("replay.sh"), ["-d", today, "jq", "-r", ".content.text"]);
    expect({ code: await replay.code(), out: replay.out }).toEqual({
      code: 0,
      out: "one\nzwei “ü”\nthree\n",
    });
    expect([bus.list("inbox"), readdirSync(join(bus.home, "done"))]).toEqual(before);
  });

  test("without a day it is yesterday", async () => {
    const { bus, port } = await defaultBus();
    for (const text of ["now", "then"]) await post(port, { text });
    const [, then = ""] = bus.list("inbox");
    const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10).replaceAll("-", "");
    renameSync(join(bus.spool, "inbox", then), join(bus.spool, "inbox", yesterday + then.slice(8)));
    const replay = new Program(bus, recipe("replay.sh"), ["jq", "-r", ".content.text"]);
    expect({ code: await replay.code(), out: replay.out }).toEqual({ code: 0, out: "then\n" });
  });
});
