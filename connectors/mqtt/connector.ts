// MQTT 5: topics of a broker as conversations, both ways, over a session that the broker and we keep (sdk/kept-session).
import { randomUUID } from "node:crypto";
import type { IConnackPacket, IConnectPacket, IPublishPacket, ISubackPacket, Packet, QoS } from "mqtt-packet";
import { type Context, defineConnector, type SpoolwayError } from "spoolway/sdk";
import { inBatches } from "spoolway/sdk/batches";
import { fingerprint } from "spoolway/sdk/fingerprint";
import { KeptSession } from "spoolway/sdk/kept-session";
import type { Arrival } from "spoolway/sdk/redelivered";
import type { Config } from "./manifest.d.ts";
import { type Offer, toDraft, toPackets } from "./messages.ts";
import { protocol, reasonOf, reasons } from "./protocol.ts";

type Session = KeptSession<Packet>;
/** The mark is made of our name on the broker, which others need not know. */
const offerOf = ({ hello, welcome }: Session): Offer => ({
  ...(welcome as IConnackPacket).properties,
  mark: fingerprint((hello as IConnectPacket).clientId).slice(0, 16),
});

export default defineConnector<Config, Session>({
  async connect(ctx) {
    const hello = await toHello(ctx);
    return KeptSession.open(ctx, protocol, hello, async (session) => {
      await ctx.state.set("client_id", hello.clientId);
      await session.outbound.resume(releaseOf(session));
      await subscribe(session, ctx);
    });
  },
  receive: (session, ctx) => session.run(ctx, (packet) => toArrival(packet, session, ctx.config)),
  async send(session, message, ctx) {
    session.endWith(ctx.signal);
    const packets = await toPackets(message, offerOf(session), ctx);
    for (const { id, ...packet } of packets) await publish(session, id, packet);
    const ids = packets.map(({ id }) => id);
    return { platform_id: ids[0], platform_ids: ids.length > 1 ? ids : undefined };
  },
  probe: (session, ctx) => session.ping().then(ctx.heard),
  close: ({ link }) => link.close(),
});

async function toHello({ config, name, state }: Context<Config>): Promise<IConnectPacket> {
  const { username, password, keep_alive_s: keepalive, session_expiry_s, max_packet_bytes } = config;
  const before = await state.get<string>("client_id");
  const clientId = config.client_id ?? before ?? `spoolway-${name}-${randomUUID().slice(0, 8)}`;
  const clean = clientId !== before; // what the broker keeps under another name does not go with our half
  const size = { maximumPacketSize: max_packet_bytes, receiveMaximum: 32 };
  return {
    ...{ cmd: "connect", protocolId: "MQTT", protocolVersion: 5, clientId, clean, keepalive },
    ...((username ?? password) !== undefined && { username: username ?? "" }), // the codec has no password without one
    ...(password !== undefined && { password: Buffer.from(password) }),
    properties: { sessionExpiryInterval: session_expiry_s, ...size },
  };
}

const batch = 8; // AWS IoT hangs up on more topics at once

/** A topic that is refused takes no other down. Throws stop when none is left. */
async function subscribe(session: Session, { config, log, state }: Context<Config>): Promise<void> {
  const { link, outbound } = session;
  const { topics } = config;
  const gone = ((await state.get<string[]>("topics")) ?? []).filter((topic) => !topics.includes(topic));
  for (const unsubscriptions of inBatches(gone, batch)) {
    const messageId = outbound.freeNumber();
    await link.ask({ cmd: "unsubscribe", messageId, unsubscriptions }, `unsuback ${messageId}`);
  }
  await state.set("topics", topics);
  // No echoes (nl); what is retained comes once, with the first subscription, or never (rh).
  const qos = Math.min(config.qos, offerOf(session).maximumQoS ?? 2) as QoS;
  const how = { qos, nl: true, rap: false, rh: config.retained ? 1 : 2 };
  const refused: SpoolwayError[] = [];
  for (const some of inBatches(topics, batch)) {
    const messageId = outbound.freeNumber();
    const subscriptions = some.map((topic) => ({ topic, ...how }));
    const answer = await link.ask({ cmd: "subscribe", messageId, subscriptions }, `suback ${messageId}`);
    const codes = (answer as ISubackPacket).granted.map(Number);
    refused.push(...codes.flatMap((code, n) => reasons.refused(`${some[n]}`, code) ?? []));
  }
  if (refused.length > 0)
    log.warn("mqtt.subscribe_refused", { refused: refused.map(({ message }) => message) });
  const hint = "Check topics, and ask the broker's operators for the right (ACL) to subscribe to them.";
  if (topics.length > 0 && refused.length === topics.length)
    throw reasons.refusedAll(`${link.who} refuses all topics`, refused, hint);
}

/** A PUBLISH of QoS 1 is over with our PUBACK, one of QoS 2 with the PUBREL that follows our PUBREC. */
function toArrival(packet: Packet, session: Session, config: Config): Arrival {
  const { id, link } = session;
  const { messageId = 0 } = packet;
  const answer = (cmd: "puback" | "pubrec" | "pubcomp") => () =>
    link.write({ cmd, messageId, reasonCode: 0 });
  if (packet.cmd !== "publish") return { frees: messageId, acknowledge: answer("pubcomp") };
  const { qos, dup: isAgain, topic, payload } = packet;
  const draft = toDraft(packet, id, offerOf(session).mark, config);
  const arrival = { draft, isAgain, standsFor: [topic, payload] };
  if (qos === 0) return arrival;
  const acknowledge = answer(qos === 2 ? "pubrec" : "puback");
  return { ...arrival, number: messageId, untilFreed: qos === 2, acknowledge };
}

/** Of a message of QoS 2. */
const releaseOf =
  ({ link }: Session) =>
  (messageId: number): Promise<Packet> =>
    link.ask({ cmd: "pubrel", messageId, reasonCode: 0 }, `pubcomp ${messageId}`);

/** Resolves when the broker has it. */
async function publish(session: Session, id: string, packet: IPublishPacket): Promise<void> {
  const answer = packet.qos === 2 ? "pubrec" : "puback";
  if (packet.qos === 0) return session.tell(packet);
  const give = async (messageId: number, dup: boolean): Promise<boolean> => {
    const result = await session.link.ask({ ...packet, messageId, dup }, `${answer} ${messageId}`);
    const refused = reasons.refused(packet.topic, ...reasonOf(result));
    if (refused) throw refused;
    return packet.qos === 2;
  };
  // A message that a person changed and sends again has the same id, and is another one.
  const print = fingerprint(packet.topic, packet.payload, packet.properties).slice(0, 16);
  await session.outbound.hand(`${id} ${print}`, { give, release: releaseOf(session) });
}
