// What is published as an event, and a message as what to publish, with MQTT 5's properties.
import type { IConnackPacket, IPublishPacket, QoS } from "mqtt-packet";
import { type Draft, type Outgoing, reject, type SendContext } from "spoolway/sdk";
import { fingerprint } from "spoolway/sdk/fingerprint";
import { isFlag, isOneOf, isText, isTexts, isWhole, metaOptions } from "spoolway/sdk/meta-options";
import { contentOf, idBytes, idText, payloadsOf } from "spoolway/sdk/payload";
import { demandWireStrings, isWireString, maxStringBytes } from "spoolway/sdk/wire-strings";
import type { Config } from "./manifest.d.ts";
import { protocol } from "./protocol.ts";

/** The user property that has our mark. */
const markName = "spoolway";

/** `session` is the broker's: what it retains is one event in it, however often we subscribe. `mark` is on what we published. */
export function toDraft(packet: IPublishPacket, session: string, mark: string, config: Config): Draft {
  const { topic, qos, retain, payload, properties: { correlationData, ...properties } = {} } = packet;
  const { userProperties = {}, contentType, responseTopic } = properties;
  const own = (name: string): string | undefined => [userProperties[name]].flat()[0] || undefined; // it may be there twice, or empty
  const id = own(config.id_property);
  const correlation = correlationData?.length ? idText(correlationData) : undefined;
  const name = own("filename") ?? topic.split("/").findLast(Boolean) ?? "payload";
  return {
    key: id !== undefined ? [topic, id] : retain ? [session, fingerprint(topic, payload)] : undefined,
    // A request says where its answer goes and what is to stand in it; an answer has what stood in the request.
    platform_id: (responseTopic && correlation) || id,
    reply_to: responseTopic ? undefined : correlation,
    answer_to: responseTopic || undefined,
    sender: own(markName) === mark ? { id: mark, is_self: true } : undefined,
    conversation: { id: topic, type: "channel" },
    content: contentOf(payload as Buffer, name, contentType), // the parser makes no strings of it
    raw: { topic, qos, retain, properties: { ...properties, correlationData: correlation } },
  };
}

/** What the broker says that it can do, and the mark of what we publish. */
export type Offer = NonNullable<IConnackPacket["properties"]> & { mark: string };
type Part = IPublishPacket & { id: string };

const text = isText(maxStringBytes);
const options = {
  ...{ qos: isOneOf<QoS>(0, 1, 2), retain: isFlag, expiry_s: isWhole(0, 0xffffffff), content_type: text },
  ...{ response_topic: text, correlation_data: text, user_properties: isTexts(maxStringBytes) },
};

/** What to publish, each with an id that is the same in every attempt. Rejects what MQTT or this broker cannot take. */
export async function toPackets(message: Outgoing, offer: Offer, ctx: SendContext<Config>): Promise<Part[]> {
  const { conversation_id: topic, reply_to } = message;
  const wanted = metaOptions(message, "mqtt", options);
  const { retain = false, response_topic, content_type, expiry_s, user_properties } = wanted;
  const wrong = [topic, response_topic ?? ""].find((one) => /[+#]/.test(one) || !isWireString(one));
  const hint = "Publish to one topic, without control characters, + and #, which are for subscriptions.";
  if (wrong !== undefined) throw reject(`${wrong}: no topic`, "invalid_topic", { hint });
  if (retain && offer.retainAvailable === false) throw reject("the broker retains nothing", "not_supported");
  const qos = Math.min(wanted.qos ?? ctx.config.qos, offer.maximumQoS ?? 2) as QoS;
  const correlation = reply_to ?? wanted.correlation_data ?? (response_topic && message.id);
  const maxBytes = offer.maximumPacketSize ?? 268_435_455;
  return (await payloadsOf(message, ctx, maxBytes)).map(({ id, bytes, name, mediaType = content_type }) => {
    const own = { [ctx.config.id_property]: id, [markName]: offer.mark, ...(name && { filename: name }) };
    const properties = {
      userProperties: { ...own, ...user_properties },
      ...(mediaType && { contentType: mediaType }),
      ...(response_topic && { responseTopic: response_topic }),
      ...(correlation && { correlationData: idBytes(correlation) }),
      ...(expiry_s !== undefined && { messageExpiryInterval: expiry_s }),
    };
    demandWireStrings([mediaType, ...Object.entries(properties.userProperties).flat()]);
    const packet = { cmd: "publish" as const, topic, payload: bytes, qos, retain, dup: false, properties };
    const { length } = protocol.encode({ ...packet, messageId: 1 });
    if (length <= maxBytes) return { ...packet, id };
    throw reject(`${length} bytes, and the broker takes ${maxBytes}`, "too_large");
  });
}
