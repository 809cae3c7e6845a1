// MQTT's connector and its broker: topics that are refused, logins, TLS, limits that a broker has, and what connectors.yml can say of all that.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Bus, startBus } from "../helpers/bus.ts";
import { atEnd } from "../helpers/children.ts";
import { missingServer } from "../helpers/servers/daemon.ts";
import {
  addsToConnack,
  cutAt,
  defaults,
  openBroker,
  refusesLast,
  say,
  startWith,
  watch,
} from "../helpers/servers/mqttBus.ts";
import { packetType } from "../helpers/servers/mqttRelay.ts";
import { staysTrue, waitFor } from "../helpers/wait.ts";

const missing = missingServer("mosquitto") ?? missingServer("mosquitto_sub");

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

  test("a broker that answers pings and no messages is left for a new connection, and the message is there once", async () => {
    const { relay, ada, entry } = await openBroker();
    const seen = await watch(ada);
    const bus = await startWith({ ...entry, runtime: { send_timeout: "1s" } });
    relay.loses = (from, type) => from === "broker" && type === packetType.pubrec && relay.connections === 1;
    await bus.waitForReceipt("mqtt", bus.send("mqtt", { conversation_id: "home/lamp", text: "on" }));
    expect(relay.connections).toBe(2);
    expect(await seen("on")).toHaveLength(1);
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
    relay.alter = addsToConnack(0x13, 0, 0); // Server Keep Alive 0
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

describe.skipIf(missing !== undefined)("mqtt, what is set", { timeout: 60_000 }, () => {
  test("a broker's own limits are kept: less QoS, nothing retained", async () => {
    const { relay, ada, entry } = await openBroker(["retain_available false"]);
    relay.alter = addsToConnack(0x24, 1);
    const seen = await watch(ada);
    const bus = await startWith(entry);
    const lamp = { conversation_id: "home/lamp", text: "on" };
    await bus.waitForReceipt("mqtt", bus.send("mqtt", lamp));
    expect(await seen("on")).toMatchObject([{ qos: 1 }]);
    const dead = await bus.waitForDeadLetter(
      "mqtt",
      bus.send("mqtt", { ...lamp, meta: { mqtt: { retain: true } } }),
    );
    expect(dead).toMatchObject({ code: "not_supported", error: "the broker retains nothing" });
    await say(ada, "hello");
    expect((await bus.waitForEvent("hello")).raw).toMatchObject({ qos: 1 });
  });

  test("retained: false leaves out what was there before, and nothing else; retain is said of what was retained only", async () => {
    const { ada, entry } = await openBroker();
    await say(ada, "before", { retain: true });
    const bus = await startWith({ ...entry, retained: false });
    await say(ada, "live", { retain: true });
    expect((await bus.waitForEvent("live")).raw).toMatchObject({ retain: false });
    expect(bus.events("before")).toEqual([]);
  });

  test("id_property names the user property with a message's own id, both ways; in another topic the id is another message", async () => {
    const { ada, entry } = await openBroker();
    const seen = await watch(ada);
    const bus = await startWith({ ...entry, id_property: "uuid" });
    const properties = [["user-property", "uuid", "7"]];
    for (const topic of ["home/a", "home/b", "home/a"]) await say(ada, "once", { topic, properties });
    await say(ada, "after");
    await bus.waitForEvent("after");
    expect(bus.events("once").map(({ platform_id }) => platform_id)).toEqual(["7", "7"]);
    const id = bus.send("mqtt", { conversation_id: "home/lamp", text: "on" });
    await bus.waitForReceipt("mqtt", id);
    expect((await seen("on"))[0]?.userProperties).toContain(`uuid:${id}`);
  });

  test("expiry_s, correlation_data and content_type go with what is published", async () => {
    const { ada, entry } = await openBroker();
    const seen = await watch(ada);
    const bus = await startWith(entry);
    const mqtt = { expiry_s: 100, content_type: "text/x", correlation_data: "c-1" };
    const id = bus.send("mqtt", { conversation_id: "home/lamp", text: "brief", meta: { mqtt } });
    await bus.waitForReceipt("mqtt", id);
    const [brief] = await seen("brief");
    expect(brief).toMatchObject({ contentType: "text/x", correlation: "c-1" });
    expect([99, 100]).toContain(brief?.expiryS);
  });

  test("what is larger than max_packet_bytes the broker leaves out, and what comes after it arrives", async () => {
    const { ada, entry } = await openBroker();
    const bus = await startWith({ ...entry, max_packet_bytes: 2000 });
    await say(ada, "x".repeat(3000));
    await say(ada, "small");
    await bus.waitForEvent("small");
    expect(bus.events()).toHaveLength(1);
  });
});
