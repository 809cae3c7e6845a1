// The contract for XMPP, on a real prosody: a person as the main conversation, a room as the other one. A proxy stands between the connector and the server, so that
// the observers are there before the connector comes back. The server is started once; each case has an account of its own on it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll } from "vitest";
import type { Bus } from "../helpers/bus.ts";
import { atEnd } from "../helpers/children.ts";
import { type Proxy, startProxy } from "../helpers/proxy.ts";
import { missingServer } from "../helpers/servers/daemon.ts";
import { makeProsody, password, type Prosody, rooms } from "../helpers/servers/prosody.ts";
import { type Stanza, XmppUser } from "../helpers/servers/xmppUser.ts";
import { waitFor } from "../helpers/wait.ts";
import type { Said } from "./platform.ts";
import { contract } from "./suite.ts";

const room = `dev@${rooms}`;
const ada = "ada@localhost";

let server: Prosody;
/** The name of the case's account, and its address. */
let nick = "";
let bot = "";
let cases = 0;
let proxy: Proxy;
let bus: Bus | undefined;
let adas: XmppUser[] = [];
let phones: XmppUser[] = [];

let isFrozen = false;

/** A process that stands still keeps its connections, and says nothing. */
function freeze(on: boolean): void {
  process.kill(server.pid ?? 0, on ? "SIGSTOP" : "SIGCONT");
  isFrozen = on;
}

const last = (users: readonly XmppUser[]): XmppUser => {
  const user = users.at(-1);
  if (!user) throw new Error("nobody is there");
  return user;
};

async function enter(): Promise<void> {
  adas.push(await XmppUser.connect(server.port, "ada", password, [room]));
  proxy.mode = "pass";
}

/** Once; what it has stays until the last case is over. */
async function startServer(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "spoolway-xmpp-"));
  server = await makeProsody({ folder, users: ["ada"] });
  atEnd(async () => {
    await server.kill();
    rmSync(folder, { recursive: true, force: true });
  });
}

/** What ada saw of the bot, there or in the room. */
const seen = (conversation: string): Stanza[] =>
  adas.flatMap((user) =>
    conversation === room
      ? user.messages(room).filter(({ attrs }) => attrs.from?.endsWith(`/${nick}`))
      : user.messages(bot),
  );

const seenWith = (text: string, conversation: string): Stanza | undefined =>
  seen(conversation).find((one) => one.getChildText("body") === text);

/** Ada says something about a message. */
async function about({ key = "" }: Said, extra: string, text?: string): Promise<void> {
  await last(adas).say(bot, text, { extra: extra.replace("ID", key) });
}

const names = {
  replace: "urn:xmpp:message-correct:0",
  reactions: "urn:xmpp:reactions:0",
  retract: "urn:xmpp:message-retract:1",
};
const has = (name: keyof typeof names, id: string): boolean =>
  seen(ada).some((one) => one.getChild(name, names[name])?.attrs.id === id);

if (missingServer("prosody") === undefined) beforeAll(startServer);

contract({
  type: "xmpp",
  conversation: ada,
  otherConversation: room,
  missing: missingServer("prosody"),
  offlineWithoutServer: true,
  keepsWhileAway: true,

  async open() {
    cases += 1;
    nick = `bot${cases}`;
    bot = `${nick}@localhost`;
    server.addUser(nick);
    if (!server.running) await server.start();
    proxy = await startProxy(server.port);
    [adas, phones] = [[], []];
    await enter();
    return { jid: bot, password, server: "127.0.0.1", port: proxy.port, tls: false, rooms: [room] };
  },
  async attach(now) {
    bus = now;
  },
  async close() {
    for (const user of [...adas, ...phones]) user.close();
    if (isFrozen) freeze(false);
  },

  async say({ conversation, text }) {
    const isRoom = conversation === room;
    const to = isRoom ? room : bot;
    const key = await last(adas).say(to, text, { type: isRoom ? "groupchat" : "chat" });
    return { conversation, text, key };
  },
  /** The connection breaks; the server's archive is read again from where the last reading had begun. */
  async sayAgain() {
    const before = proxy.connections;
    proxy.reset();
    await waitFor(() => proxy.connections > before);
    await bus?.waitForConnector("xmpp", "live");
  },
  async saySelf({ text }) {
    phones.push(await XmppUser.connect(server.port, nick, password, [], "phone"));
    await last(phones).say(ada, text);
  },
  happens: {
    async edit(said) {
      await about(said, `<replace xmlns='${names.replace}' id='ID'/>`, "corrected");
      return { content: { text: "corrected" } };
    },
    async delete(said) {
      await about(said, `<retract xmlns='${names.retract}' id='ID'/><store xmlns='urn:xmpp:hints'/>`);
      return { sender: { id: ada } };
    },
    async reaction(said) {
      await about(said, `<reactions xmlns='${names.reactions}' id='ID'><reaction>👍</reaction></reactions>`);
      return { content: { reaction: "👍" } };
    },
    async receipt() {
      await about(
        { conversation: ada, text: "", key: "spoolway-xmpp:1" },
        "<received xmlns='urn:xmpp:receipts' id='ID'/>",
      );
      return { target: { platform_id: "spoolway-xmpp:1" }, sender: { id: ada } };
    },
    async event() {
      const extra =
        "<error type='cancel'><recipient-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
      await last(adas).say(`${bot}/spoolway-xmpp`, undefined, {
        type: "error",
        id: "spoolway-xmpp:2",
        extra,
      });
      return { target: { platform_id: "spoolway-xmpp:2" }, content: { text: "recipient-unavailable" } };
    },
  },

  async heard(conversation) {
    return seen(conversation).flatMap((one) => one.getChildText("body") ?? []);
  },
  did: {
    edit: async ({ text, platformId }) =>
      seenWith(`${text}, corrected`, ada) !== undefined && has("replace", platformId),
    delete: async ({ platformId }) => has("retract", platformId),
    react: async ({ platformId }) => has("reactions", platformId),
    typing: async () => seen(ada).some((one) => one.getChild("composing") !== undefined),
  },
  async sayReply(said, text) {
    await about(said, "<reply xmlns='urn:xmpp:reply:0' id='ID'/>", text);
  },
  async heardReplyTo(text, conversation) {
    return seenWith(text, conversation)?.getChild("reply", "urn:xmpp:reply:0")?.attrs.id;
  },
  async sayInThread(text) {
    await last(adas).say(bot, text, { extra: "<thread>t1</thread>" });
    return { conversation: ada, threadId: "t1" };
  },
  async heardThread(text, conversation) {
    return seenWith(text, conversation)?.getChildText("thread") ?? undefined;
  },
  refused: {
    message: { conversation_id: "nobody@localhost", text: "is anybody there?" },
    error: /service-unavailable/,
  },
  oversize: { text: "👩🏽‍🚀👨‍👩‍👧‍👦 สวัสดีชาวโลก السلام عليكم <&> ".repeat(1000), becomes: "parts" },
  swallowAnswers: (on) => {
    proxy.mode = on ? "swallow" : "pass";
  },

  server: {
    async stop() {
      proxy.mode = "refuse";
      await server.stop();
    },
    async kill() {
      proxy.mode = "refuse";
      await server.kill();
    },
    async start() {
      if (isFrozen) return void freeze(false);
      await server.start();
      await enter();
    },
    freeze: () => freeze(true),
  },
  badCredentials: (entry) => ({ ...entry, password: "wrong" }),
  logins: async () => proxy.connections,
});
