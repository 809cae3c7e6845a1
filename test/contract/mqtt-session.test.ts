// What only MQTT has: two halves of a session, which together make that nothing is lost or doubled; retained messages; requests and answers.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { missingServer } from "../helpers/servers/daemon.ts";
import { cutAt, openBroker, say, startWith, watch } from "../helpers/servers/mqttBus.ts";
import { packetType } from "../helpers/servers/mqttRelay.ts";
import { publishAs } from "../helpers/servers/mqttUser.ts";
import { waitFor } from "../helpers/wait.ts";

const missing = missingServer("mosquitto") ?? missingServer("mosquitto_sub");
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
    await say(ada, "ajar", { retain: true });
    await bus.waitForEvent("ajar");
    await bus.restart();
    await say(ada, "after");
    await bus.waitForEvent("after");
    expect(bus.events().map(({ content }) => content?.text)).toEqual(["closed", "ajar", "after"]);
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
