// The contract for Discord, on a Discord of our own (test/helpers/servers/discord.ts). A proxy stands before it for the cases where a connection is open and dead.
import { createHash, randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type Proxy, startProxy } from "../helpers/proxy.ts";
import { Discord } from "../helpers/servers/discord.ts";
import type { Channel, Message } from "../helpers/servers/discordWorld.ts";
import { contract } from "./suite.ts";

const devId = "1162000000000000001";
const opsId = "1162000000000000002";

let discord: Discord;
let proxy: Proxy;
let temporary = "";
let thread: Channel;

const messages = (channel: string): Message[] => discord.world.messages.get(channel) ?? [];
const byText = (text: string, channel: string): Message | undefined =>
  messages(channel).find(({ content }) => content === text);
const bytesOf = (file: { bytes: unknown }): Uint8Array => file.bytes as Uint8Array;

contract({
  type: "discord",
  conversation: devId,
  otherConversation: opsId,
  keepsWhileAway: true,
  offlineWithoutServer: true,

  async open({ folder }) {
    temporary = folder;
    discord = new Discord();
    await discord.start();
    proxy = await startProxy(discord.port);
    discord.publicPort = proxy.port;
    const { world } = discord;
    world.cdn = `http://127.0.0.1:${proxy.port}`;
    world.addChannel({ id: devId, type: 0, name: "dev" });
    world.addChannel({ id: opsId, type: 0, name: "ops" });
    thread = world.addChannel({ type: 11, name: "a thread", parent_id: devId });
    return { token: discord.token, api_url: `http://127.0.0.1:${proxy.port}/api` };
  },
  close: () => discord.stop(),

  async say({ conversation, text }) {
    const { id } = discord.world.add(conversation, discord.world.user("ada"), text);
    return { conversation, text, key: id };
  },
  async sayAgain({ conversation, key = "" }) {
    discord.world.again(conversation, key);
  },
  async saySelf({ conversation, text }) {
    discord.world.add(conversation, discord.world.me, text);
  },
  async sayFile({ conversation, name, bytes }) {
    const file = { name, bytes, mediaType: "application/octet-stream" };
    discord.world.add(conversation, discord.world.user("ada"), "", {}, [file]);
  },
  async sayBigFile(size) {
    const path = join(temporary, "big.bin");
    const hash = createHash("sha256");
    const chunks = function* (): Generator<Buffer> {
      for (let left = size; left > 0; left -= 1 << 20) {
        const chunk = randomBytes(Math.min(left, 1 << 20));
        hash.update(chunk);
        yield chunk;
      }
    };
    await pipeline(chunks, createWriteStream(path));
    const file = { name: "big.bin", bytes: { path, size }, mediaType: "application/octet-stream" };
    discord.world.add(devId, discord.world.user("ada"), "", {}, [file]);
    return hash.digest("hex");
  },

  happens: {
    async edit({ conversation, key = "" }) {
      discord.world.edit(discord.world.message(conversation, key), "corrected");
      return { content: { text: "corrected" }, platform_id: key };
    },
    async delete({ conversation, key = "" }) {
      discord.world.delete(discord.world.message(conversation, key));
      return { conversation: { id: conversation } };
    },
    async reaction({ conversation, key = "" }) {
      const bob = discord.world.user("bob");
      discord.world.react(discord.world.message(conversation, key), bob, "🎉");
      return { content: { reaction: "🎉" }, sender: { id: bob.id, username: "bob" } };
    },
    async event({ conversation }) {
      const { id } = discord.world.add(conversation, discord.world.user("bob"), "", { type: 7 });
      return { platform_id: id, sender: { username: "bob" } };
    },
  },

  async heard(conversation) {
    const inThreads = conversation === devId ? messages(thread.id) : [];
    return [...messages(conversation), ...inThreads].map(({ content }) => content);
  },
  async heardFiles() {
    return [...discord.world.files.values()].map((file) => ({ name: file.name, bytes: bytesOf(file) }));
  },
  async heardBigFile() {
    const [file] = discord.world.files.values();
    if (file === undefined) return undefined;
    const bytes = bytesOf(file);
    return { size: bytes.byteLength, sha256: createHash("sha256").update(bytes).digest("hex") };
  },
  did: {
    edit: async ({ conversation, text, platformId }) =>
      discord.world.message(conversation, platformId).content === `${text}, corrected`,
    delete: async ({ text, conversation }) => byText(text, conversation) === undefined,
    react: async ({ platformId }) =>
      discord.world.reactions.some(({ message, emoji }) => message === platformId && emoji === "👍"),
    typing: async ({ conversation }) => discord.world.typing.includes(conversation),
  },
  async sayReply({ conversation, key = "" }, text) {
    const message_reference = { type: 0, message_id: key, channel_id: conversation };
    discord.world.add(conversation, discord.world.user("bob"), text, { type: 19, message_reference });
  },
  async heardReplyTo(text, conversation) {
    const about = byText(text, conversation)?.message_reference as { message_id?: string } | undefined;
    return about?.message_id;
  },
  async sayInThread(text) {
    discord.world.add(thread.id, discord.world.user("ada"), text);
    return { conversation: devId, threadId: thread.id };
  },
  async heardThread(text) {
    return byText(text, thread.id)?.channel_id;
  },

  refused: { message: { conversation_id: "123456789012345678", text: "hello?" }, error: /Unknown Channel/ },
  oversize: { text: "👩🏽‍🚀👨‍👩‍👧‍👦 สวัสดีชาวโลก السلام عليكم ".repeat(150), becomes: "parts" },
  rateLimit: {
    impose(seconds) {
      discord.waitUntil = Date.now() + seconds * 1000;
    },
    early: () => discord.early,
  },
  swallowAnswers(on) {
    discord.isSwallowing = on;
  },
  server: {
    stop: () => discord.stop(),
    start: async () => {
      if (proxy.mode === "blackhole") proxy.reset();
      else await discord.start();
      proxy.mode = "pass";
    },
    freeze: () => {
      proxy.mode = "blackhole";
    },
  },
  badCredentials: (entry) => ({ ...entry, token: "MTE2.R2FtZQ.d3Jvbmc" }),
  logins: async () => discord.requests.length + discord.gateway.logins.length,
});
