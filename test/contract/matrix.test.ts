// The contract for Matrix, on a fake homeserver (test/helpers/servers/matrixHomeserver.ts). What only Matrix has is in matrix-rooms.test.ts and matrix-messages.test.ts.
import { contract } from "./suite.ts";
import { type Content, type Stored } from "../helpers/servers/matrixRooms.ts";
import { MatrixHomeserver } from "../helpers/servers/matrixHomeserver.ts";

const dev = "!dev:test";
const ops = "!ops:test";
const bot = "@bot:test";
const ada = "@ada:test";

let server = new MatrixHomeserver();

const textsIn = (room: string): Stored[] =>
  server.rooms
    .room(room)
    .events.filter(({ event }) => event.type === "m.room.message" && event.sender === bot);
const bodyOf = ({ event }: Stored): string => String(event.content.body ?? "");
const find = (room: string, text: string): Stored | undefined =>
  textsIn(room).find((one) => bodyOf(one) === text);
const related = (one: Stored | undefined): Content => (one?.event.content["m.relates_to"] ?? {}) as Content;
const about = (rel_type: string, platformId: string): boolean =>
  server.rooms.room(dev).events.some((one) => {
    const { rel_type: is, event_id: target } = related(one);
    return one.event.sender === bot && is === rel_type && target === platformId;
  });

const say = (room: string, body: string, more: Content = {}): Stored =>
  server.say(ada, room, { msgtype: "m.text", body, ...more });

contract({
  type: "matrix",
  conversation: dev,
  otherConversation: ops,
  keepsWhileAway: true,
  offlineWithoutServer: true,

  async open() {
    server = new MatrixHomeserver();
    await server.start();
    server.rooms.create("dev", [ada, bot], { name: "Development" });
    server.rooms.create("ops", [ada, bot]);
    server.rooms.create("private", [ada]);
    return {
      homeserver: server.url,
      access_token: server.logIn("bot", "BUS"),
      membership: true,
      poll_s: 2,
      runtime: { sync_every: "50ms" },
    };
  },
  async close() {
    server.thaw();
    await server.stop();
  },

  say: ({ conversation, text }) =>
    Promise.resolve({ conversation, text, key: say(conversation, text).event.event_id }),
  sayAgain({ conversation, key = "" }) {
    server.sync.again.add(key);
    say(conversation, "something that brings the next answer");
    return Promise.resolve();
  },
  sayFile({ conversation, name, bytes }) {
    const url = server.media.add(Buffer.from(bytes));
    say(conversation, name, { msgtype: "m.file", url, info: { size: bytes.length } });
    return Promise.resolve();
  },
  sayBigFile(size) {
    const { url, sha256 } = server.media.addBig(size);
    say(dev, "big.bin", { msgtype: "m.file", url, info: { size } });
    return Promise.resolve(sha256);
  },
  saySelf({ conversation, text }) {
    server.say(bot, conversation, { msgtype: "m.text", body: text }); // from another device
    return Promise.resolve();
  },
  happens: {
    edit({ key }) {
      const relates = { "m.relates_to": { rel_type: "m.replace", event_id: key } };
      say(dev, "* corrected", { "m.new_content": { msgtype: "m.text", body: "corrected" }, ...relates });
      return Promise.resolve({ content: { text: "corrected" }, sender: { id: ada } });
    },
    delete({ key = "" }) {
      server.rooms.redact(server.rooms.room(dev), ada, key, { reason: "a slip" });
      return Promise.resolve({ sender: { id: ada } });
    },
    reaction({ key }) {
      const relates = { rel_type: "m.annotation", event_id: key, key: "👍" };
      server.say(ada, dev, { "m.relates_to": relates }, "m.reaction");
      return Promise.resolve({ content: { reaction: "👍" } });
    },
    membership() {
      const room = server.rooms.room(dev);
      server.rooms.setMember(room, ada, "@bob:test", "invite");
      return Promise.resolve({ content: { text: "Bob was invited by Ada" }, sender: { id: ada } });
    },
    event() {
      server.say(ada, dev, { algorithm: "m.megolm.v1.aes-sha2", ciphertext: "…" }, "m.room.encrypted");
      return Promise.resolve({ raw: { type: "m.room.encrypted" } });
    },
  },
  did: {
    edit: ({ platformId }) => Promise.resolve(about("m.replace", platformId)),
    react: ({ platformId }) => Promise.resolve(about("m.annotation", platformId)),
    delete: ({ platformId }) =>
      Promise.resolve(server.rooms.event(server.rooms.room(dev), platformId).redactedBy?.sender === bot),
    typing: () => Promise.resolve(server.typing.get(dev)?.has(bot) === true),
  },
  sayReply({ conversation, key }, text) {
    say(conversation, text, { "m.relates_to": { "m.in_reply_to": { event_id: key } } });
    return Promise.resolve();
  },
  heardReplyTo(text, conversation) {
    const reply = related(find(conversation, text))["m.in_reply_to"] as Content | undefined;
    return Promise.resolve(reply?.event_id as string | undefined);
  },
  sayInThread(text) {
    const root = say(dev, "a thread begins").event.event_id;
    const fallback = { is_falling_back: true, "m.in_reply_to": { event_id: root } };
    say(dev, text, { "m.relates_to": { rel_type: "m.thread", event_id: root, ...fallback } });
    return Promise.resolve({ conversation: dev, threadId: root });
  },
  heardThread(text, conversation) {
    const { rel_type, event_id } = related(find(conversation, text));
    return Promise.resolve(rel_type === "m.thread" ? (event_id as string) : undefined);
  },

  heard: (conversation) =>
    Promise.resolve(
      textsIn(conversation)
        .filter((one) => one.redactedBy === undefined)
        .map(bodyOf),
    ),
  heardFiles(conversation) {
    const files = textsIn(conversation).filter(({ event }) => event.content.msgtype === "m.file");
    return Promise.resolve(
      files.map(({ event }) => {
        const media = server.media.of(String(event.content.url));
        return { name: String(event.content.filename), bytes: media?.bytes ?? new Uint8Array() };
      }),
    );
  },
  heardBigFile() {
    const file = textsIn(dev).findLast(({ event }) => event.content.msgtype === "m.file");
    const media = server.media.of(String(file?.event.content.url));
    return Promise.resolve(media && { size: media.size, sha256: media.sha256 });
  },
  refused: {
    message: { conversation_id: "!private:test", text: "is anybody there?" },
    error: /M_FORBIDDEN: User @bot:test not in room !private:test/,
  },
  oversize: { text: '👩🏽‍🚀 สวัสดีชาวโลก "السلام عليكم" '.repeat(1500), becomes: "parts" },

  rateLimit: {
    impose: (seconds) => server.limit(seconds),
    early: () => server.early,
  },
  swallowAnswers(on) {
    server.swallows = on;
    if (!on) server.thaw();
  },
  server: {
    stop: () => server.stop(),
    start: () => server.start(),
    freeze: () => server.freeze(),
  },
  badCredentials: (entry) => ({ ...entry, access_token: "syt_nobody" }),
  logins: () => Promise.resolve(server.badTokens),
});
