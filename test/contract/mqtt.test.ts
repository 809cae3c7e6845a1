// The contract for MQTT, on a real mosquitto whose own programs are the users. A relay that sees packets stands between the connector and the broker.
import { missingServer } from "../helpers/servers/daemon.ts";
import { makeMosquitto, type Mosquitto } from "../helpers/servers/mosquitto.ts";
import { MqttRelay, packetType, startMqttRelay } from "../helpers/servers/mqttRelay.ts";
import { type Login, Observer, publishAs, type Seen } from "../helpers/servers/mqttUser.ts";
import { contract } from "./suite.ts";

const accounts = {
  ada: { password: "lovelace", rights: ["readwrite #"] },
  bot: { password: "sesame", rights: ["readwrite home/#"] },
};

let broker: Mosquitto;
let relay: MqttRelay;
let observer: Observer;
let ada: Login;
let said = 0;

const seenIn = (conversation: string): Seen[] => observer.seen.filter(({ topic }) => topic === conversation);

async function publish(
  topic: string,
  payload: string | Uint8Array,
  properties: string[][],
  key?: string,
): Promise<string> {
  const id = key ?? `ada-${(said += 1)}`;
  await publishAs(ada, { topic, payload, properties: [["user-property", "message_id", id], ...properties] });
  return id;
}

contract({
  type: "mqtt",
  conversation: "home/kitchen",
  otherConversation: "home/hall",
  missing: missingServer("mosquitto") ?? missingServer("mosquitto_sub"),
  offlineWithoutServer: true,
  keepsWhileAway: true,

  async open({ folder }) {
    broker = await makeMosquitto({ folder, accounts });
    await broker.start();
    relay = await startMqttRelay(broker.port);
    ada = { port: broker.port, username: "ada", password: "lovelace" };
    observer = new Observer(ada);
    await observer.start();
    return {
      server: "127.0.0.1",
      port: relay.port,
      tls: false,
      username: "bot",
      password: "sesame",
      topics: ["home/+"],
    };
  },
  async close() {
    await observer.stop();
    await broker.kill();
  },

  async say({ conversation, text }) {
    return { conversation, text, key: await publish(conversation, text, []) };
  },
  async sayAgain({ conversation, text, key }) {
    await publish(conversation, text, [], key);
  },
  async sayFile({ conversation, name, bytes }) {
    await publish(conversation, bytes, [["user-property", "filename", name]]);
  },
  async sayReply({ conversation, key = "" }, text) {
    await publish(conversation, text, [["correlation-data", key]]);
  },
  async heard(conversation) {
    await observer.catchUp();
    return seenIn(conversation).map(({ bytes }) => bytes.toString());
  },
  async heardFiles(conversation) {
    const files = seenIn(conversation).filter(({ userProperties }) => userProperties.includes("filename:"));
    return files.map(({ bytes, userProperties }) => ({ name: userProperties, bytes }));
  },
  async heardReplyTo(text, conversation) {
    return seenIn(conversation).find(({ bytes }) => bytes.toString() === text)?.correlation;
  },
  refused: {
    message: { conversation_id: "garden/gate", text: "open" },
    error: /garden\/gate: Not authorized/,
  },
  oversize: { text: "schöne Grüße 👋 ".repeat(20_000), becomes: "refused" },
  swallowAnswers(on) {
    // Only with its last packet the broker says that it has it, and will never take it again.
    const { puback, pubcomp } = packetType;
    relay.loses = (from, type) => on && from === "broker" && (type === puback || type === pubcomp);
  },

  server: {
    async stop() {
      relay.mode = "refuse";
      await broker.stop();
    },
    async kill() {
      relay.mode = "refuse";
      await broker.kill();
    },
    freeze() {
      relay.mode = "frozen";
    },
    async start() {
      if (relay.mode === "frozen") relay.reset();
      else await broker.start();
      await observer.catchUp();
      relay.mode = "pass";
    },
  },
  badCredentials: (entry) => ({ ...entry, password: "wrong" }),
  logins: async () => relay.connections,
});
