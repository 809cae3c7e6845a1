// What only MQTT has: two halves of a session, which together make that nothing is lost or doubled; retained messages; requests and answers; rights by topic.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Bus, startBus } from "../helpers/bus.ts";
import { atEnd } from "../helpers/children.ts";
import { missingServer } from "../helpers/servers/daemon.ts";
import { makeMosquitto, type Mosquitto } from "../helpers/servers/mosquitto.ts";
import { type MqttRelay, packetType, startMqttRelay } from "../helpers/servers/mqttRelay.ts";
import { type Login, Observer, type Publish, publishAs, type Seen } from "../helpers/servers/mqttUser.ts";
import { staysTrue, waitFor } from "../helpers/wait.ts";

const missing = missingServer("mosquitto") ?? missingServer("mosquitto_sub");
const accounts = {
  ada: { password: "lovelace", rights: ["readwrite #"] },
  bot: { password: "sesame", rights: ["readwrite home/#", "read weather/#"] },
};
const defaults = {
  connector: { settle: "200ms", probe_every: "2s", retry: { attempts: 8, base: "200ms", max: "1s" } },
};

interface World {
  broker: Mosquitto;
  relay: MqttRelay;
  ada: Login;
  entry: Record<string, unknown>;
  folder: string;
}

async function openBroker(lines: string[] = []): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "spoolway-mqtt-"));
  const broker = await makeMosquitto({ folder, accounts, lines, tls: true });
  atEnd(async () => {
    await broker.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  await broker.start();
  const relay = await startMqttRelay(broker.port);
  const login = { username: "bot", password: "sesame" };
  const entry = { name: "mqtt", type: "mqtt", server: "127.0.0.1", port: relay.port, tls: false, ...login };
  const ada = { port: broker.port, username: "ada", password: "lovelace" };
  return { broker, relay, ada, entry: { ...entry, topics: ["home/#"] }, folder };
}

const startWith = (entry: Record<string, unknown>): Promise<Bus> =>
  startBus({ connectors: [entry], defaults });
const say = (ada: Login, payload: string, more: Partial<Publish> = {}): Promise<void> =>
  publishAs(ada, { topic: "home/door", payload, ...more });

async function watch(ada: Login): Promise<(text: string) => Promise<Seen[]>> {
  const observer = new Observer(ada);
  atEnd(() => observer.stop());
  await observer.start();
  return async (text) => {
    await observer.catchUp();
    return observer.seen.filter(({ bytes }) => bytes.toString() === text);
  };
}

/** Loses one packet and all after it of these types, then the connection; the next one is whole. */
async function cutAt(
  relay: MqttRelay,
  from: "client" | "broker",
  types: number[],
  act: () => Promise<unknown>,
) {
  let lost = 0;
  relay.loses = (side, type) => side === from && (lost > 0 || types.includes(type)) && (lost += 1) > 0;
  await act();
  await waitFor(() => lost > 0, { message: "the packet to be lost" });
  return () => {
    relay.loses = () => false;
    relay.reset();
  };
}

/** mosquitto grants every subscription, and then gives nothing: this no takes the place of the last yes in its SUBACK. */
const refusesLast =
  (code: number): MqttRelay["alter"] =>
  (packet, type) =>
    type === packetType.suback ? Buffer.concat([packet.subarray(0, -1), Buffer.of(code)]) : packet;

const { publish, puback, pubrec, pubrel, pubcomp } = packetType;

describe.skipIf(missing !== undefined)("mqtt, what is published to us", { timeout: 60_000 }, () => {
  for (const [qos, lost, end] of [
    [1, puback, "its connection breaks"],
    [1, puback, "it is killed"],
    [2, pubrec, "its connection breaks"],
    [2, pubrec, "it is killed"],
    [2, pubcomp, "it is killed"],
  ] as const)
    test(`QoS ${qos} is one event although ${end} before packet ${lost} is through`, async () => {
      const { relay, ada, entry } = await openBroker();
      const bus = await startWith(entry);
      const heal = await cutAt(relay, "client", [lost], () => say(ada, "open", { qos }));
      await bus.waitForEvent("open");
      if (end === "it is killed") process.kill(bus.connector("mqtt")?.pid ?? 0, "SIGKILL");
      heal();
      const finished = qos === 1 ? puback : pubcomp;
      await waitFor(() => relay.passed.some(({ from, type }) => from === "client" && type === finished));
      const isAgain = relay.passed.filter(({ from, type }) => from === "broker" && type === publish).at(-1);
      if (lost !== pubcomp) expect((isAgain?.flags ?? 0) & 8, "the broker's mark for once more").toBe(8);
      // The same words once more, on purpose, are another event; also where the packet's id is the same.
      await say(ada, "open", { qos });
      await waitFor(() => bus.events("open").length >= 2);
      await say(ada, "after", { qos });
      await bus.waitForEvent("after");
      expect(bus.events("open")).toHaveLength(2);
    });

  test("what is retained comes once, and again when the broker has forgotten us", async () => {
    const { broker, ada, entry, folder } = await openBroker();
    await say(ada, "closed", { retain: true });
    const bus = await startWith(entry);
    expect((await bus.waitForEvent("closed")).raw).toMatchObject({ retain: true });
    await bus.restart();
    await say(ada, "after");
    await bus.waitForEvent("after");
    expect(bus.events("closed")).toHaveLength(1);
    await bus.stop();
    await broker.kill();
    rmSync(join(folder, "mosquitto.db"), { force: true });
    await broker.start();
    await say(ada, "closed", { retain: true });
    await bus.start();
    await waitFor(() => bus.events("closed").length === 2);
  });

  test("requests name where their answer goes, and answers what they answer", async () => {
    const { ada, entry } = await openBroker();
    const seen = await watch(ada);
    const bus = await startWith(entry);
    const properties = [
      ["response-topic", "home/answers"],
      ["correlation-data", "q-7"],
    ];
    await say(ada, "how warm?", { properties });
    const { reply } = await bus.waitForEvent("how warm?");
    expect(reply).toEqual({ connector: "mqtt", conversation_id: "home/answers", reply_to: "q-7" });
    await bus.waitForReceipt("mqtt", bus.send("mqtt", { conversation_id: "", ...reply, text: "21 °C" }));
    expect(await seen("21 °C")).toMatchObject([{ topic: "home/answers", correlation: "q-7" }]);
    const mqtt = {
      response_topic: "home/answers",
      content_type: "text/plain",
      user_properties: { unit: "C" },
    };
    const id = bus.send("mqtt", {
      conversation_id: "home/heater",
      text: "how warm are you?",
      meta: { mqtt },
    });
    const { platform_id: asked = "" } = await bus.waitForReceipt("mqtt", id);
    const [question] = await seen("how warm are you?");
    expect(question).toMatchObject({
      correlation: asked,
      responseTopic: "home/answers",
      contentType: "text/plain",
    });
    expect(question?.userProperties).toContain("unit:C");
    await say(ada, "60 °C", { topic: "home/answers", properties: [["correlation-data", asked]] });
    expect((await bus.waitForEvent("60 °C")).reply_to).toBe(asked);
  });

  test("bytes that are no text are a file", async () => {
    const { ada, entry } = await openBroker();
    const bus = await startWith(entry);
    const payload = Uint8Array.from([0xff, 0, 1, 2]);
    await publishAs(ada, { topic: "home/cam", payload, properties: [["content-type", "image/png"]] });
    const event = await bus.waitForEvent(({ content }) => content?.attachments !== undefined);
    const [file] = event.content?.attachments ?? [];
    expect(file).toMatchObject({ name: "cam", media_type: "image/png", size: 4 });
    expect([...readFileSync(join(bus.spool, file?.path ?? ""))]).toEqual([...payload]);
  });

  test("files and texts that come at once keep their order", async () => {
    const { ada, entry } = await openBroker();
    const bus = await startWith(entry);
    await bus.stop();
    const texts = ["one", "two", "three"];
    for (const text of texts) {
      await say(ada, "", { payload: new Uint8Array(50_000).fill(0xff) });
      await say(ada, text);
    }
    await bus.start();
    await bus.waitForEvent("three");
    const seen = bus.events().map(({ content }) => content?.text ?? "file");
    expect(seen).toEqual(texts.flatMap((text) => ["file", text]));
  });

  test("what is kept for us is taken however much it is", async () => {
    const { ada, entry } = await openBroker();
    const bus = await startWith(entry);
    await bus.stop();
    // More than is held for later while nobody takes it; and all of it comes before the topics are granted once more.
    for (let n = 1; n <= 30; n += 1) await say(ada, "", { payload: new Uint8Array(180_000).fill(0xff) });
    await say(ada, "last");
    await bus.start();
    await bus.waitForEvent("last");
    expect(bus.events()).toHaveLength(31);
  });

  test("what we retained ourselves is marked as our own when it comes back with a new subscription", async () => {
    const { ada, entry } = await openBroker();
    await say(ada, "open", { topic: "home/window", retain: true });
    const bus = await startWith({ ...entry, topics: ["weather/#"] });
    const meta = { mqtt: { retain: true } };
    await bus.waitForReceipt("mqtt", bus.send("mqtt", { conversation_id: "home/door", text: "shut", meta }));
    bus.configure([entry]);
    expect((await bus.waitForEvent("shut")).sender).toMatchObject({ is_self: true });
    expect(await bus.waitForEvent("open")).not.toHaveProperty("sender");
  });

  test("a property that is empty is none: no two messages are the same by it", async () => {
    const { ada, entry } = await openBroker();
    const bus = await startWith(entry);
    const properties = [
      ["user-property", "message_id", ""],
      ["user-property", "filename", ""],
      ["correlation-data", ""],
    ];
    for (const text of ["one", "two"]) await say(ada, text, { properties });
    await say(ada, "", { payload: Uint8Array.of(0xff), properties });
    const event = await bus.waitForEvent(({ content }) => content?.attachments !== undefined);
    expect(event.content?.attachments).toMatchObject([{ name: "door" }]);
    expect(bus.events().map(({ content }) => content?.text)).toEqual(["one", "two", undefined]);
    expect(event.reply).toEqual({ connector: "mqtt", conversation_id: "home/door" });
    expect(event).not.toHaveProperty("reply_to");
  });
});

describe.skipIf(missing !== undefined)("mqtt, what we publish", { timeout: 60_000 }, () => {
  for (const [qos, lost, end] of [
    [2, pubrec, "its connection breaks"],
    [2, pubrec, "it is killed"],
    [2, pubcomp, "its connection breaks"],
    [1, puback, "its connection breaks"],
  ] as const)
    test(`QoS ${qos} is seen ${qos === 2 ? "once" : "again"} when ${end} before packet ${lost} is through`, async () => {
      const { relay, ada, entry } = await openBroker();
      const seen = await watch(ada);
      const bus = await startWith({ ...entry, qos });
      let id = "";
      const heal = await cutAt(relay, "broker", [lost], async () => {
        id = bus.send("mqtt", { conversation_id: "home/lamp", text: "on" });
      });
      if (end === "it is killed") process.kill(bus.connector("mqtt")?.pid ?? 0, "SIGKILL");
      heal();
      await bus.waitForReceipt("mqtt", id, { timeoutMs: 30_000 });
      const all = await seen("on");
      expect(all).toHaveLength(qos === 2 ? 1 : 2);
      for (const { userProperties } of all) expect(userProperties).toContain(`message_id:${id}`);
      if (qos === 2)
        expect(relay.passed.some(({ from, type }) => from === "client" && type === pubrel)).toBe(true);
    });

  test("retained and at QoS 0 where the message says so; what it cannot say is refused with a hint", async () => {
    const { ada, entry } = await openBroker();
    const bus = await startWith(entry);
    const lamp = { conversation_id: "home/lamp", text: "dim" };
    await bus.waitForReceipt("mqtt", bus.send("mqtt", { ...lamp, meta: { mqtt: { qos: 0, retain: true } } }));
    const seen = await watch(ada); // comes later, and still gets it
    expect(await seen("dim")).toMatchObject([{ retain: true }]);
    expect(bus.events("dim"), "an echo").toEqual([]);
    const wrong = await bus.waitForDeadLetter(
      "mqtt",
      bus.send("mqtt", { ...lamp, meta: { mqtt: { qos: 3 } } }),
    );
    expect(wrong).toMatchObject({ code: "invalid_message", error: "meta.mqtt.qos: expected 0 or 1 or 2" });
    const many = bus.send("mqtt", { ...lamp, conversation_id: "home/+" });
    expect(await bus.waitForDeadLetter("mqtt", many)).toMatchObject({ code: "invalid_topic" });
  });

  test("what a broker would hang up on is refused before it is sent, and the connection stays", async () => {
    const { relay, entry } = await openBroker();
    const bus = await startWith(entry);
    const lamp = { conversation_id: "home/lamp", text: "on" };
    const long = "x".repeat(65_536);
    bus.drop("mqtt", Buffer.of(1), "file.bin");
    const attached = (more: object) => ({ attachments: [{ path: "file.bin", ...more }] });
    const meta = (mqtt: object) => ({ ...lamp, meta: { mqtt } });
    for (const [message, code] of [
      [{ ...lamp, conversation_id: "home/lamp\n" }, "invalid_topic"],
      [meta({ response_topic: "home/\t" }), "invalid_topic"],
      [meta({ user_properties: { note: "two\nlines" } }), "invalid_message"],
      [meta({ user_properties: { "a\u0085": "b" } }), "invalid_message"],
      [meta({ content_type: "text/\uffff" }), "invalid_message"],
      [{ ...lamp, reply_to: long }, "invalid_message"],
      [{ ...lamp, ...attached({ name: "a\nb" }) }, "invalid_message"],
      [{ ...lamp, ...attached({ name: long }) }, "invalid_message"],
      [{ ...lamp, ...attached({ media_type: "image/png\r" }) }, "invalid_message"],
    ] as const)
      expect(await bus.waitForDeadLetter("mqtt", bus.send("mqtt", message))).toMatchObject({ code });
    await bus.waitForReceipt("mqtt", bus.send("mqtt", { ...lamp, reply_to: "x".repeat(65_535) }));
    expect(relay.connections).toBe(1);
  });

  test("messages that were given up half way do not use up what the broker takes at once", async () => {
    const { relay, entry } = await openBroker(["max_inflight_messages 4"]);
    const bus = await startWith({ ...entry, runtime: { on_uncertain: "hold" } });
    const ids: string[] = [];
    const heal = await cutAt(relay, "broker", [pubrec], async () => {
      for (let n = 1; n <= 4; n += 1)
        ids.push(bus.send("mqtt", { conversation_id: `home/${n}`, text: "given up" }));
      await waitFor(() => relay.passed.filter(({ type }) => type === publish).length === 4);
    });
    heal();
    for (const id of ids)
      expect(await bus.waitForDeadLetter("mqtt", id)).toMatchObject({ code: "outcome_unknown" });
    const id = bus.send("mqtt", { conversation_id: "home/lamp", text: "on" });
    expect((await bus.waitForReceipt("mqtt", id)).attempts).toBe(1);
  });

  test("a dead letter that is changed and sent again is another message, whatever became of the first", async () => {
    const { relay, ada, entry } = await openBroker();
    const seen = await watch(ada);
    const bus = await startWith({ ...entry, runtime: { on_uncertain: "hold" } });
    let id = "";
    const heal = await cutAt(relay, "broker", [pubcomp], async () => {
      id = bus.send("mqtt", { conversation_id: "home/lamp", text: "on" });
    });
    heal();
    const letter = await bus.waitForDeadLetter("mqtt", id);
    const path = join(bus.spool, `failed/mqtt/${id}.json`);
    writeFileSync(path, JSON.stringify({ ...letter, message: { ...letter.message, text: "off" } }));
    expect(await bus.command("failed", "retry", id)).toMatchObject({ code: 0 });
    await bus.waitForReceipt("mqtt", id);
    expect([await seen("on"), await seen("off")].map((all) => all.length)).toEqual([1, 1]);
  });

  test("what is above a limit of the broker that it never told of is a dead letter, and the connection stays", async () => {
    const { relay, entry } = await openBroker(["message_size_limit 1000"]);
    const bus = await startWith(entry);
    for (const qos of [1, 2]) {
      const message = { conversation_id: "home/lamp", text: "x".repeat(2000), meta: { mqtt: { qos } } };
      const dead = await bus.waitForDeadLetter("mqtt", bus.send("mqtt", message));
      expect(dead).toMatchObject({ code: "too_large", error: "home/lamp: Packet too large" });
    }
    expect(relay.connections).toBe(1);
  });
});

describe.skipIf(missing !== undefined)("mqtt, the connection", { timeout: 60_000 }, () => {
  test("a topic that is refused takes no other down; all refused stop it and say what to do", async () => {
    const { relay, ada, entry } = await openBroker();
    relay.alter = refusesLast(0x87);
    const bus = await startWith({ ...entry, topics: ["home/#", "secret/#"] });
    await waitFor(() => /mqtt\.subscribe_refused.*secret\/#: Not authorized/.test(bus.logs()));
    await say(ada, "hello");
    await bus.waitForEvent("hello");
    bus.configure([{ ...entry, topics: ["secret/#"] }]);
    const { user_action } = await bus.waitForConnector("mqtt", "stopped");
    expect(user_action).toContain("ACL");
  });

  test("all topics refused for want of quota: it is tried again", async () => {
    const { relay, entry } = await openBroker();
    relay.alter = refusesLast(0x97);
    const bus = await startBus({ connectors: [entry], defaults, until: "offline" });
    await waitFor(() => bus.logs().includes("refuses all topics: home/#: Quota exceeded"));
    relay.alter = (packet) => packet;
    await bus.waitForConnector("mqtt", "live");
  });

  test("many topics are asked for eight at a time, and given up so", async () => {
    const { relay, ada, entry } = await openBroker();
    const topics = Array.from({ length: 17 }, (_, n) => `home/room ${n}`);
    const bus = await startWith({ ...entry, topics });
    const asked = (of: number): number => relay.passed.filter(({ type }) => type === of).length;
    expect(asked(packetType.subscribe)).toBe(3);
    for (const topic of topics) await say(ada, topic, { topic, qos: 0 });
    for (const topic of topics) await bus.waitForEvent(topic);
    bus.configure([{ ...entry, topics: topics.slice(16) }]);
    await waitFor(() => asked(packetType.unsubscribe) === 2 && asked(packetType.subscribe) === 4);
    for (const n of [0, 15, 16]) await say(ada, `again ${n}`, { topic: topics[n] ?? "", qos: 1 });
    await bus.waitForEvent("again 16");
    expect(bus.events("again 0").length + bus.events("again 15").length).toBe(0);
  });

  test("topics that no broker takes are found before one is asked", async () => {
    const right = ["home/#", "#", "+", "+/a/+/#", "/a", "a//b", "$SYS/#", "zimmer/küche 🌱"];
    const wrong = ["a/#/b", "a+", "a/+b", "b#", "#/a", "$share/g/a", "a\tb", ""];
    const entry = { name: "mqtt", type: "mqtt", server: "localhost", topics: [...right, ...wrong] };
    const bus = await startBus({ connectors: [entry], defaults, until: "invalid" });
    const { stdout, stderr } = await bus.command("check");
    const named = [...(stdout + stderr).matchAll(/`topics\[(\d+)\]` is /g)].map(([, n]) => Number(n));
    expect(named).toEqual(wrong.map((_, n) => right.length + n));
  });

  test("another client with our client_id is named as what it is", async () => {
    const { relay, entry } = await openBroker();
    const bus = await startWith(entry);
    // What MQTT 5 asks of brokers; this mosquitto only hangs up.
    relay.alter = (packet, type) => (type === packetType.pingresp ? Buffer.of(0xe0, 2, 0x8e, 0) : packet);
    await waitFor(() => /Session taken over/.test(bus.logs()));
    relay.alter = (packet) => packet;
    await bus.waitForConnector("mqtt", "live");
  });

  test("a password without a user name is for the broker to judge", async () => {
    const { entry } = await openBroker();
    const until = { mqtt: "stopped" } as const;
    const bus = await startBus({ connectors: [{ ...entry, username: undefined }], defaults, until });
    expect(bus.connector("mqtt")?.user_action).toContain("Check username and password");
  });

  test("a session whose topics were not granted yet is found again, not left behind with what it collects", async () => {
    const { broker, relay, ada, entry } = await openBroker();
    const bus = new Bus({ connectors: [entry], defaults });
    atEnd((failed) => bus.finish(failed));
    const heal = await cutAt(relay, "broker", [packetType.suback], () => bus.start("nothing"));
    await say(ada, "meanwhile");
    heal();
    await bus.waitForEvent("meanwhile");
    const names = [...broker.logs().matchAll(/ as (spoolway-\S+)/g)].map(([, name]) => name);
    expect([names.length > 1, new Set(names).size]).toEqual([true, 1]);
  });

  test("a broker that counts no silence is not asked without end", async () => {
    const { relay, entry } = await openBroker();
    // Server Keep Alive 0 before the properties that mosquitto gives.
    relay.alter = (packet, type) => {
      if (type !== packetType.connack) return packet;
      const [head = 0, size = 0, flags = 0, code = 0, length = 0, ...properties] = packet;
      return Buffer.of(head, size + 3, flags, code, length + 3, 0x13, 0, 0, ...properties);
    };
    await startWith(entry);
    const pings = (): number => relay.passed.filter(({ type }) => type === packetType.pingreq).length;
    await staysTrue(() => pings() < 5, 700, "quiet");
  });

  test("TLS with the broker's own CA; without it nothing is said", async () => {
    const { broker, ada, entry } = await openBroker();
    const port = broker.tlsPort;
    const secure = {
      ...entry,
      server: "localhost",
      port,
      tls: true,
      tls_ca: readFileSync(broker.certFile ?? "", "utf8"),
    };
    const bus = await startWith(secure);
    await say(ada, "hello");
    await bus.waitForEvent("hello");
    bus.configure([{ ...secure, tls_ca: undefined }]);
    await waitFor(() => /tls_untrusted/.test(bus.logs()));
  });
});
