// The contract for Telegram, on the fake of its Bot API, run as a server of one's own with --local: there files of any size come in and go out. The limits of Telegram's
// own server are in telegram-files.test.ts, what only its updates have in telegram-updates.test.ts.
import { createHash, randomBytes } from "node:crypto";
import { createWriteStream, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { freePort } from "../helpers/ports.ts";
import { type Message, Telegram } from "../helpers/servers/telegram.ts";
import { TelegramServer } from "../helpers/servers/telegramServer.ts";
import type { Said } from "./platform.ts";
import { contract } from "./suite.ts";

const token = "7000000001:AAF-fake_token_of_the_contract";
const [group, direct, topics] = [-1001, 5_000_000_001, -1002];

let telegram: Telegram;
let server: TelegramServer;
let files: string;

const idOf = ({ key }: Said): number => Number(key);
const textOf = ({ text, caption }: Message): string => text ?? caption ?? "";

/** A file on the server's disk, as --local leaves it there. */
function onDisk(name: string): string {
  const folder = join(files, token, "documents");
  mkdirSync(folder, { recursive: true });
  return join(folder, name);
}

contract({
  type: "telegram",
  conversation: String(group),
  otherConversation: String(direct),
  offlineWithoutServer: true,
  keepsWhileAway: true,

  async open({ folder }) {
    telegram = new Telegram();
    files = join(folder, "bot-api");
    telegram.open({ id: group, type: "supergroup", title: "Dev" });
    telegram.open({ id: direct, type: "private", first_name: "Ada", username: "ada" });
    telegram.open({ id: topics, type: "supergroup", title: "Topics", is_forum: true }).topics.add(17);
    server = new TelegramServer(telegram, { token, port: await freePort(), local: true });
    await server.start();
    return { token, api_url: server.url, files };
  },
  close: () => server.stop(),

  async say({ conversation, text }) {
    return { conversation, text, key: String(telegram.say(conversation, { text }).message_id) };
  },
  async sayAgain({ text }) {
    telegram.repeat(text);
  },
  async sayFile({ conversation, name, bytes }) {
    const path = onDisk("file_1.bin");
    writeFileSync(path, bytes);
    telegram.say(conversation, { document: { ...telegram.upload(path, bytes.length), file_name: name } });
  },
  async sayBigFile(size) {
    const hash = createHash("sha256");
    const path = onDisk("file_2.bin");
    const chunks = function* (): Generator<Buffer> {
      for (let left = size; left > 0; left -= 1 << 20) {
        const chunk = randomBytes(Math.min(left, 1 << 20));
        hash.update(chunk);
        yield chunk;
      }
    };
    await pipeline(chunks, createWriteStream(path));
    telegram.say(group, { document: { ...telegram.upload(path, size), file_name: "large.bin" } });
    return hash.digest("hex");
  },
  // A bot does not see its own messages, but what it does to a group is said there in its name.
  async saySelf({ conversation, text }) {
    telegram.say(conversation, { new_chat_title: text }, telegram.me);
  },
  async sayReply(said, text) {
    const question = telegram.room(said.conversation).messages.find((one) => one.message_id === idOf(said));
    if (!question) throw new Error("there is no such message");
    telegram.say(said.conversation, { text, reply_to_message: question }, telegram.bob);
  },
  async sayInThread(text) {
    const began = { message_id: 17, date: 1, chat: telegram.room(topics).chat };
    telegram.say(topics, { text, message_thread_id: 17, is_topic_message: true, reply_to_message: began });
    return { conversation: String(topics), threadId: "17" };
  },
  happens: {
    async edit(said) {
      telegram.edit(said.conversation, idOf(said), { text: "corrected" });
      return { content: { text: "corrected" }, sender: { username: "ada" } };
    },
    async reaction(said) {
      telegram.react(said.conversation, idOf(said), [], ["👍", "🔥"]);
      return { content: { reaction: "👍 🔥" }, sender: { username: "ada" } };
    },
    async membership() {
      telegram.say(group, { new_chat_members: [telegram.bob] });
      return { sender: { id: String(telegram.bob.id) }, content: { text: "Bob joined" } };
    },
    async event() {
      telegram.say(group, { pinned_message: telegram.room(group).messages[0] });
      return { conversation: { id: String(group) }, sender: { username: "ada" } };
    },
  },

  async heard(conversation) {
    return telegram.sent(conversation).map(textOf);
  },
  async heardFiles(conversation) {
    return sentFiles(conversation).map(({ file_name: name, bytes }) => ({
      name,
      bytes: bytes ?? Buffer.alloc(0),
    }));
  },
  async heardBigFile() {
    const [file] = sentFiles(group);
    return file && { size: file.file_size, sha256: file.sha256 };
  },
  async heardReplyTo(text, conversation) {
    const sent = telegram.sent(conversation).find((one) => textOf(one) === text);
    return sent?.reply_to_message && String(sent.reply_to_message.message_id);
  },
  async heardThread(text, conversation) {
    const sent = telegram.sent(conversation).find((one) => textOf(one) === text);
    return sent?.message_thread_id === undefined ? undefined : String(sent.message_thread_id);
  },
  did: {
    edit: async ({ conversation, text }) =>
      telegram.sent(conversation).some((one) => one.text === `${text}, corrected`),
    delete: async ({ conversation, platformId }) =>
      !telegram.sent(conversation).some((one) => String(one.message_id) === platformId),
    react: async ({ conversation, platformId }) =>
      telegram.room(conversation).reactions.get(Number(platformId)) === "👍",
    typing: async ({ conversation }) => telegram.room(conversation).typing > 0,
  },
  refused: { message: { conversation_id: "-404", text: "is anybody there?" }, error: /chat not found/ },
  oversize: { text: "👩🏽‍🚀👨‍👩‍👧‍👦 สวัสดีชาวโลก السلام عليكم ".repeat(200), becomes: "parts" },

  server: {
    stop: () => server.stop(),
    start: () => server.start(),
    freeze: () => {
      server.silent = "all";
    },
  },
  badCredentials: (entry) => ({ ...entry, token: `${token}x` }),
  logins: async () => server.logins,
  rateLimit: {
    impose: (seconds) => server.limit(seconds),
    early: () => server.early,
  },
  swallowAnswers(on) {
    server.silent = on ? "send" : undefined;
  },
});

interface SentFile {
  file_name: string;
  file_size: number;
  sha256: string;
  bytes: Buffer | undefined;
}

function sentFiles(conversation: string | number): SentFile[] {
  return telegram.sent(conversation).flatMap(({ document }) => (document ? [document as SentFile] : []));
}
