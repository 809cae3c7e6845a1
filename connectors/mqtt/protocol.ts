// MQTT 5 on the wire, by mqtt-packet, the codec of MQTT.js, and its reason codes (reasons.json), of which those from 128 on are a no.
import * as mqtt from "mqtt-packet";
import constants from "mqtt-packet/constants.js";
import type { KeptProtocol } from "spoolway/sdk/kept-session";
import { ReasonCodes } from "spoolway/sdk/reason-codes";
import table from "./reasons.json" with { type: "json" };

// Else a buffer for each number that there is, 20 MB, and of a length that has none the packet simply ends there.
mqtt.writeToStream.cacheNumbers = false;

// Brokers say more than their place allows (mosquitto: Packet too large in a PUBACK), and the codec would end the connection over it.
for (const name of Object.keys(constants))
  if (/^MQTT5_.*_CODES$/.test(name)) Object.assign(constants[name] ?? {}, table);

export const reasons = new ReasonCodes(table);

/** With what the broker adds in words. */
export function reasonOf(packet: mqtt.Packet): [code: number, said: string | undefined] {
  const { reasonCode = 0, properties } = packet as mqtt.IConnackPacket; // the same in all that have one
  return [reasonCode, properties?.reasonString];
}

export const protocol: KeptProtocol<mqtt.Packet> = {
  name: "MQTT 5",
  ports: { plain: 1883, tls: 8883 },
  encode: (packet) => mqtt.generate(packet, { protocolVersion: 5 }),
  decoder(take, fail) {
    const packets = mqtt.parser({ protocolVersion: 5 }).on("packet", take).on("error", fail);
    return (bytes) => void packets.parse(bytes);
  },
  answerName: ({ cmd, messageId = "" }) => (/^pub(lish|rel)$/.test(cmd) ? undefined : `${cmd} ${messageId}`),
  ending: (said, who) => (said.cmd === "disconnect" ? reasons.ended(who, ...reasonOf(said)) : undefined),
  farewell: { cmd: "disconnect", reasonCode: 0 },
  ping: { cmd: "pingreq" },
  pong: "pingresp ",
  welcome: "connack ",
  enter(welcome, hello, who) {
    const { sessionPresent: isKept, reasonCode, properties = {} } = welcome as mqtt.IConnackPacket;
    if (reasonCode) throw reasons.refusedLogin(who, ...reasonOf(welcome));
    // A broker that says 0 does not count.
    const beatMs = ((properties.serverKeepAlive ?? (hello as mqtt.IConnectPacket).keepalive) || 60) * 500;
    return { isKept, maxNumber: 65_535, maxUnderWay: properties.receiveMaximum, beatMs };
  },
};
