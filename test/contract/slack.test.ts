// The contract for Slack, on a fake of its Web API and Socket Mode, behind a proxy that can fall silent.
import { createHash, randomBytes } from "node:crypto";
import { freePort } from "../helpers/ports.ts";
import { type Proxy, startProxy } from "../helpers/proxy.ts";
import { appToken, botToken, SlackServer } from "../helpers/servers/slack.ts";
import { shown, type StoredMessage, withNames } from "../helpers/servers/slackStore.ts";
import type { Said, Sent } from "./platform.ts";
import { contract } from "./suite.ts";

const general = "C0GENERAL";

let slack: SlackServer;
let proxy: Proxy;
let port = 0;
/** What each text was, for another delivery, an edit, an answer. */
let payloads = new Map<string, object>();

const message = (text: string, channel = general): StoredMessage | undefined =>
  slack.channel(channel).messages.find((one) => shown(one) === text);

function found({ text, conversation }: Said): StoredMessage {
  const one = message(text, conversation);
  if (one === undefined) throw new Error(`nobody said ${text}`);
  return one;
}

contract({
  type: "slack",
  conversation: general,
  otherConversation: "C0RANDOM",
  keepsWhileAway: true,
  offlineWithoutServer: true,

  async open() {
    slack = new SlackServer();
    port = await freePort();
    await slack.listen(port);
    proxy = await startProxy(port);
    slack.publicHost = `127.0.0.1:${proxy.port}`;
    payloads = new Map();
    return { app_token: appToken, bot_token: botToken, api_url: `http://${slack.publicHost}/api` };
  },
  close: () => slack.close(),

  async say({ conversation, text }) {
    const one = slack.say(conversation, text);
    payloads.set(text, slack.inRoom(slack.channel(conversation), one));
    return { conversation, text };
  },
  async sayAgain({ text }) {
    slack.sockets.emit("events_api", { token: "t", event_id: "Ev-again", event: payloads.get(text) }, 1);
  },
  async saySelf({ conversation, text }) {
    slack.post(slack.channel(conversation), { ...slack.byBot(), ...withNames(text) });
  },
  async sayFile({ conversation, name, bytes }) {
    const file = slack.files.put(`http://${slack.publicHost}`, name, bytes.length, () => [bytes]);
    slack.say(conversation, "", { subtype: "file_share", files: [file] });
  },
  async sayBigFile(size) {
    const chunk = randomBytes(1 << 20);
    const content = function* (): Generator<Uint8Array> {
      for (let left = size; left > 0; left -= chunk.length) yield chunk.subarray(0, left);
    };
    const hash = createHash("sha256");
    for (const one of content()) hash.update(one);
    const file = slack.files.put(`http://${slack.publicHost}`, "big.bin", size, content);
    slack.say(general, "", { subtype: "file_share", files: [file] });
    return hash.digest("hex");
  },

  heard: async (conversation) => slack.texts(conversation),
  async heardFiles(conversation) {
    const files = slack.channel(conversation).messages.flatMap((one) => one.files ?? []);
    return files.map(({ id, name = "" }) => ({
      name,
      bytes: slack.files.uploads.get(id)?.bytes ?? new Uint8Array(),
    }));
  },
  heardBigFile: async () => slack.files.biggest,
  refused: { message: { conversation_id: "C0FOREIGN", text: "is anybody there?" }, error: /not_in_channel/ },
  oversize: { text: "👩🏽‍🚀👨‍👩‍👧‍👦 สวัสดีชาวโลก السلام عليكم <&> ".repeat(400), becomes: "parts" },

  happens: {
    async edit(said) {
      slack.edit(slack.channel(said.conversation), found(said), withNames("better &amp; longer"));
      return { content: { text: "better & longer" }, sender: { username: "ada" } };
    },
    async delete(said) {
      slack.remove(slack.channel(said.conversation), found(said));
      return { conversation: { id: general } };
    },
    async reaction(said) {
      slack.react(slack.channel(said.conversation), found(said), slack.ada.id, "+1");
      return { content: { reaction: "👍" }, sender: { username: "ada" } };
    },
    async membership() {
      const event = { type: "member_joined_channel", user: slack.ada.id, channel_type: "C", team: "T0FAKE" };
      slack.emit({ ...slack.inRoom(slack.channel(general), event) });
      return { content: { text: "ada joined" }, conversation: { id: general, name: "general" } };
    },
    async event() {
      const command = {
        command: "/weather",
        text: "94070",
        user_id: slack.ada.id,
        channel_id: general,
        trigger_id: "13.7",
      };
      slack.sockets.emit("slash_commands", { token: "verification-secret", ...command });
      return {
        content: { text: "/weather 94070" },
        sender: { username: "ada" },
        conversation: { id: general },
      };
    },
  },
  did: {
    edit: async ({ text }: Sent) => message(`${text}, corrected`)?.edited !== undefined,
    delete: async ({ text }: Sent) => message(text) === undefined,
    react: async ({ text }: Sent) => message(text)?.reactions?.[0]?.name === "+1",
  },
  async sayReply(said, text) {
    slack.say(said.conversation, text, { thread_ts: found(said).ts });
  },
  heardReplyTo: async (text) => message(text)?.thread_ts,
  async sayInThread(text) {
    const root = slack.say(general, "the root");
    slack.say(general, text, { thread_ts: root.ts });
    return { conversation: general, threadId: root.ts };
  },
  heardThread: async (text) => message(text)?.thread_ts,

  rateLimit: { impose: (seconds) => slack.impose(seconds), early: () => slack.early },
  swallowAnswers: (on) => void (slack.swallows = on),
  badCredentials: (entry) => ({ ...entry, bot_token: "xoxb-wrong" }),
  logins: async () => slack.logins,
  server: {
    stop: () => slack.close(),
    async start() {
      if (proxy.mode === "blackhole") proxy.reset();
      else await slack.listen(port);
      proxy.mode = "pass";
    },
    freeze: () => void (proxy.mode = "blackhole"),
  },
});
