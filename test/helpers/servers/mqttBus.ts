// A bus with an mqtt connector, on a mosquitto whose packets can be lost or changed on their way, and a user of that mosquitto.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Bus, startBus } from "../bus.ts";
import { atEnd } from "../children.ts";
import { waitFor } from "../wait.ts";
import { makeMosquitto, type Mosquitto } from "./mosquitto.ts";
import { type MqttRelay, packetType, startMqttRelay } from "./mqttRelay.ts";
import { type Login, Observer, type Publish, publishAs, type Seen } from "./mqttUser.ts";

const accounts = {
  ada: { password: "lovelace", rights: ["readwrite #"] },
  bot: { password: "sesame", rights: ["readwrite home/#", "read weather/#"] },
};
export const defaults = {
  connector: { settle: "200ms", probe_every: "2s", retry: { attempts: 8, base: "200ms", max: "1s" } },
};

export interface World {
  broker: Mosquitto;
  relay: MqttRelay;
  ada: Login;
  entry: Record<string, unknown>;
  folder: string;
}

export async function openBroker(lines: string[] = []): Promise<World> {
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

export const startWith = (entry: Record<string, unknown>): Promise<Bus> =>
  startBus({ connectors: [entry], defaults });
export const say = (ada: Login, payload: string, more: Partial<Publish> = {}): Promise<void> =>
  publishAs(ada, { topic: "home/door", payload, ...more });

export async function watch(ada: Login): Promise<(text: string) => Promise<Seen[]>> {
  const observer = new Observer(ada);
  atEnd(() => observer.stop());
  await observer.start();
  return async (text) => {
    await observer.catchUp();
    return observer.seen.filter(({ bytes }) => bytes.toString() === text);
  };
}

/** Loses one packet and all after it of these types, then the connection; the next one is whole. */
export async function cutAt(
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

/** Puts this property before those that mosquitto gives in its CONNACK. */
export const addsToConnack =
  (...property: number[]): MqttRelay["alter"] =>
  (packet, type) => {
    if (type !== packetType.connack) return packet;
    const [head = 0, size = 0, flags = 0, code = 0, length = 0, ...others] = packet;
    const more = property.length;
    return Buffer.of(head, size + more, flags, code, length + more, ...property, ...others);
  };

/** mosquitto grants every subscription, and then gives nothing: this no takes the place of the last yes in its SUBACK. */
export const refusesLast =
  (code: number): MqttRelay["alter"] =>
  (packet, type) =>
    type === packetType.suback ? Buffer.concat([packet.subarray(0, -1), Buffer.of(code)]) : packet;
