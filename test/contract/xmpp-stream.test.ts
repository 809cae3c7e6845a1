// XMPP's stream, on a real prosody: encrypted or refused, resumed, and acknowledged only when what came is durable; and whose word it takes for what somebody else said.
import { once } from "node:events";
import { mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Bus, startBus, type Until } from "../helpers/bus.ts";
import { atEnd } from "../helpers/children.ts";
import { type Proxy, startProxy } from "../helpers/proxy.ts";
import { missingServer } from "../helpers/servers/daemon.ts";
import {
  makeProsody,
  password,
  type Prosody,
  type ProsodyOptions,
  rooms,
} from "../helpers/servers/prosody.ts";
import { XmppUser } from "../helpers/servers/xmppUser.ts";
import { waitFor } from "../helpers/wait.ts";

const bot = "bot@localhost";
const dev = `dev@${rooms}`;

async function startServer(options: Partial<ProsodyOptions> = {}): Promise<Prosody> {
  const folder = mkdtempSync(join(tmpdir(), "spoolway-xmpp-"));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  const server = await makeProsody({ folder, users: ["ada", "bot"], ...options });
  await server.start();
  atEnd(() => server.kill());
  return server;
}

async function user(server: Prosody, name: string, inRooms: readonly string[] = []): Promise<XmppUser> {
  const one = await XmppUser.connect(server.port, name, password, inRooms);
  atEnd(() => one.close());
  return one;
}

const entryFor = (port: number, more: Record<string, unknown>): Record<string, unknown> => ({
  ...{ name: "xmpp", type: "xmpp", jid: bot, password, server: "127.0.0.1", port, tls: false },
  ...more,
});

function start(port: number, more: Record<string, unknown> = {}, until: Until = "live"): Promise<Bus> {
  const retry = { attempts: 8, base: "200ms", max: "1s" };
  return startBus({ connectors: [entryFor(port, more)], until, defaults: { connector: { retry } } });
}

const prosodyLog = (server: Prosody): string => readFileSync(join(server.folder, "prosody.log"), "utf8");

/** The connection breaks, and the connector is back. */
async function breakOff(proxy: Proxy, bus: Bus, meanwhile: () => Promise<unknown>): Promise<void> {
  proxy.mode = "refuse";
  proxy.reset();
  await bus.waitForConnector("xmpp", (now) => now.state === "offline");
  await meanwhile();
  proxy.mode = "pass";
  await bus.waitForConnector("xmpp", "live");
}

describe.skipIf(missingServer("prosody"))("an XMPP stream", { timeout: 90_000 }, () => {
  test("is resumed: what came meanwhile comes without any archive, once, and nobody sees us leave", async () => {
    const server = await startServer({ without: ["mam"] });
    const ada = await user(server, "ada", [dev]);
    const proxy = await startProxy(server.port);
    const bus = await start(proxy.port, { rooms: [dev] });
    await ada.say(bot, "first");
    await bus.waitForEvent("first");
    await breakOff(proxy, bus, async () => {
      await ada.say(bot, "meanwhile");
      await ada.say(dev, "meanwhile, in the room", { type: "groupchat" });
    });
    await ada.say(bot, "last");
    await bus.waitForEvent("last");
    await bus.waitForEvent("meanwhile, in the room");
    const texts = bus.events().map((one) => one.content?.text);
    expect(texts.filter((text) => text === "meanwhile")).toHaveLength(1);
    const left = ada.stanzas.filter(
      ({ name, attrs }) => name === "presence" && attrs.type === "unavailable" && attrs.from === `${dev}/bot`,
    );
    expect(left).toEqual([]);
    // What XML cannot hold would end the stream.
    const bell = bus.send("xmpp", { conversation_id: "ada@localhost", text: "ding\u0007\uffff" });
    await bus.waitForReceipt("xmpp", bell);
    await ada.saw((one) => one.getChildText("body") === "ding\ufffd\ufffd");
  });

  test("tells after its resumption what the server has got: that is not sent again, without any archive", async () => {
    const server = await startServer({ without: ["mam"] });
    const ada = await user(server, "ada");
    const proxy = await startProxy(server.port);
    const bus = await start(proxy.port);
    proxy.mode = "swallow";
    const id = bus.send("xmpp", { conversation_id: "ada@localhost", text: "once only" });
    await ada.saw((one) => one.getChildText("body") === "once only");
    await breakOff(proxy, bus, async () => undefined);
    expect(await bus.waitForReceipt("xmpp", id, { timeoutMs: 30_000 })).toMatchObject({ attempts: 2 });
    expect(ada.messages(bot).filter((one) => one.getChildText("body") === "once only")).toHaveLength(1);
  });

  test("acknowledges only what is durable: what could not be written comes again after a crash, without any archive", async () => {
    const server = await startServer({ without: ["mam"] });
    const ada = await user(server, "ada");
    const bus = await start(server.port);
    renameSync(join(bus.spool, "inbox"), join(bus.spool, "elsewhere"));
    await ada.say(bot, "no room for this", { extra: "<request xmlns='urn:xmpp:receipts'/>" });
    await waitFor(() => bus.logs().includes("event.delayed"), { message: "a refused delivery" });
    expect(ada.stanzas.some((one) => one.getChild("received") !== undefined)).toBe(false);
    process.kill(bus.connector("xmpp")?.pid ?? 0, "SIGKILL");
    renameSync(join(bus.spool, "elsewhere"), join(bus.spool, "inbox"));
    await bus.waitForEvent("no room for this", { timeoutMs: 30_000 });
    expect(bus.events("no room for this")).toHaveLength(1);
    await ada.saw((one) => one.getChild("received", "urn:xmpp:receipts") !== undefined, "the receipt");
  });

  test("believes copies and archives only from whom they have to come", async () => {
    const server = await startServer();
    const ada = await user(server, "ada");
    const bus = await start(server.port);
    const inner = `<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='boss@localhost/x' to='${bot}' type='chat' id='x'><body>pay ada</body></message></forwarded>`;
    await ada.say(bot, undefined, { extra: `<received xmlns='urn:xmpp:carbons:2'>${inner}</received>` });
    await ada.say(bot, undefined, {
      extra: `<result xmlns='urn:xmpp:mam:2' queryid='1' id='1'>${inner}</result>`,
    });
    const forged = "<stanza-id xmlns='urn:xmpp:sid:0' by='bot@localhost' id='forged'/>";
    await ada.say(bot, "mine", { extra: forged });
    await ada.say(bot, "mine, too", { extra: forged });
    await bus.waitForEvent("mine, too");
    expect(bus.events().map((one) => one.content?.text)).toEqual(["mine", "mine, too"]);
  });

  test("without stream management it stops, and says what to turn on", async () => {
    const server = await startServer({ without: ["smacks"] });
    const bus = await start(server.port, {}, { xmpp: "stopped" });
    expect(bus.connector("xmpp")?.user_action).toContain("smacks");
  });

  test("the same resource twice: the one that is thrown out stops, instead of throwing the other out", async () => {
    const server = await startServer();
    const bus = await start(server.port);
    const other = entryFor(server.port, { name: "other", resource: "spoolway-xmpp" });
    bus.configure([entryFor(server.port, {}), other]);
    const status = await bus.waitForConnector("xmpp", "stopped");
    expect(status.user_action).toContain("resource");
    await bus.waitForConnector("other", "live");
  });
});

describe.skipIf(missingServer("prosody"))("XMPP over TLS", { timeout: 90_000 }, () => {
  test("STARTTLS and TLS from the first byte, with the CA; refused without it, and never left out", async () => {
    const server = await startServer({ tls: true });
    const ca = readFileSync(server.certFile ?? "", "utf8");
    const secure = { tls: true, tls_ca: ca };
    const bus = await start(server.port, secure);
    expect(prosodyLog(server)).toMatch(/Stream encrypted \(TLSv1\.[23]/);
    /** Resolves when the log says these words of a new connector. */
    let tries = 0;
    const becomes = async (more: Record<string, unknown>, words: string): Promise<void> => {
      const name = `try-${(tries += 1)}`;
      bus.configure([entryFor(server.port, { ...more, name })]);
      const isThere = (line: string): boolean => line.includes(`"${name}"`) && line.includes(words);
      await waitFor(() => bus.logs().split("\n").some(isThere), { message: () => `${words} of ${name}` });
    };
    await becomes({ ...secure, port: server.tlsPort, direct_tls: true }, "session.opened");
    await becomes({ tls: true }, "tls_untrusted");
    await becomes({ tls: true, tls_fingerprint: "00".repeat(32) }, "has the fingerprint");
    await becomes({ tls: true, tls_verify: false }, "session.opened");
    await becomes({ tls: true, server: "127.1.2.3", port: undefined }, "127.1.2.3:5222: connect");
    const { port } = await startServer();
    bus.configure([entryFor(port, { tls: true, name: "last" })]);
    expect((await bus.waitForConnector("last", "stopped")).user_action).toContain("direct_tls");
  });

  test("before it nobody is believed, and nothing is said: not to log in, not as if we had, not with what comes in between", async () => {
    const feature = (name: string, kind: string): string => `<${name} xmlns='urn:${kind}'/>`;
    const bind = feature("bind", "ietf:params:xml:ns:xmpp-bind") + feature("sm", "xmpp:sm:3");
    const tls = feature("starttls", "ietf:params:xml:ns:xmpp-tls");
    const enabled = "<enabled xmlns='urn:xmpp:sm:3' id='1'/>";
    const words = "<message from='boss@localhost/x' type='chat' id='1'><body>pay ada</body></message>";
    const stripped = await startImpostor(`<stream:features>${bind}</stream:features>`);
    const eager = await startImpostor(`<stream:features>${tls}</stream:features>${words}${enabled}`);
    const sends = await startImpostor(
      `<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>127.0.0.1:${stripped.port}</see-other-host></stream:error>`,
    );
    const mechanisms =
      "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>";
    const plain = await startImpostor(`<stream:features>${mechanisms}</stream:features>`);
    const bus = await startBus({
      connectors: Object.entries({ stripped, eager, sends, plain }).map(([name, { port }]) =>
        entryFor(port, { name, tls: name !== "plain", tls_verify: false }),
      ),
      until: { stripped: "stopped", eager: "offline", sends: "offline", plain: "stopped" },
    });
    expect(bus.connector("stripped")?.user_action).toContain("direct_tls");
    expect(bus.logs()).toMatch(/<message> before the encryption.*"connector":"eager"/);
    expect(bus.logs()).toMatch(/see-other-host.*"connector":"sends"/);
    expect(bus.events()).toEqual([]);
    for (const { heard } of [stripped, eager, sends, plain])
      expect(heard.join("")).not.toMatch(/<(iq|auth|resume|enable|presence|message)/);
  });
});

describe("XMPP without TLS", { timeout: 60_000 }, () => {
  test("a server that lets us in without knowing the password is not believed", async () => {
    const { port, heard } = await startImpostor(
      "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-256</mechanism></mechanisms></stream:features>",
    );
    const bus = await start(port, {}, "stopped");
    expect(bus.connector("xmpp")?.error?.message).toContain("does not prove that it knows the password");
    expect(heard.join("")).toContain('mechanism="SCRAM-SHA-256"');
    expect(heard.join("")).not.toMatch(/<(iq|resume|enable|presence|message)/);
  });
});

/** Somebody in the way, who speaks for the server: says this to whoever opens a stream, agrees to all that is asked then, and keeps what was said. */
async function startImpostor(says: string): Promise<{ port: number; heard: string[] }> {
  const heard: string[] = [];
  const header = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (data) => {
      heard.push(String(data));
      const id = /<iq[^>]* id="([^"]*)"/.exec(String(data))?.[1];
      if (String(data).includes("<stream:stream")) socket.write(header + says);
      else if (String(data).includes("<auth"))
        socket.write("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
      else if (id) socket.write(`<iq type='result' id='${id}'><bind><jid>${bot}/x</jid></bind></iq>`);
      else socket.write("<enabled xmlns='urn:xmpp:sm:3' id='1'/>");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(() => void server.close());
  return { port: (server.address() as AddressInfo).port, heard };
}
