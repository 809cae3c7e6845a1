// A bad network between an MQTT client and its broker, which sees packets: it can lose those of a kind, be silent, or refuse.
//
//   pass ──▶ frozen: connections stay open, nothing moves, new ones are accepted and ignored
//        ──▶ refuse: new connections are reset; existing ones live until reset()
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from "node:net";
import { atEnd } from "../children.ts";

/** Types of packets, as the first four bits of one say it. */
export const packetType = {
  connack: 2,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  suback: 9,
  unsubscribe: 10,
  pingreq: 12,
  pingresp: 13,
} as const;

type Side = "client" | "broker";

export class MqttRelay {
  mode: "pass" | "frozen" | "refuse" = "pass";
  /** Connections accepted so far. */
  connections = 0;
  /** Packets that passed, by the side that sent them: their types in order. */
  readonly passed: Array<{ from: Side; type: number; flags: number }> = [];
  /** Which packets are lost on their way. */
  loses: (from: Side, type: number) => boolean = () => false;
  /** What the broker says, as clients get it. */
  alter: (packet: Buffer, type: number) => Buffer = (packet) => packet;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(brokerPort: number) {
    this.#server = createServer((client) => this.#accept(client, brokerPort));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(0, "127.0.0.1", resolve);
    });
  }

  /** Ends every connection with a TCP reset. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.reset();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(client: Socket, port: number): void {
    this.connections += 1;
    this.#keep(client);
    if (this.mode === "refuse") return void client.resetAndDestroy();
    if (this.mode === "frozen") return;
    const broker = createConnection({ port, host: "127.0.0.1" });
    this.#keep(broker);
    client.on("close", () => broker.destroy());
    broker.on("close", () => client.destroySoon());
    this.#forward(client, broker, "client");
    this.#forward(broker, client, "broker");
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => undefined); // a broken connection is what this relay is for
    socket.on("close", () => this.#sockets.delete(socket));
  }

  #forward(from: Socket, to: Socket, side: Side): void {
    let rest = Buffer.alloc(0);
    from.on("data", (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      for (let size = sizeOf(rest); size !== undefined && size <= rest.length; size = sizeOf(rest)) {
        const packet = rest.subarray(0, size);
        rest = rest.subarray(size);
        const [type, flags] = [(packet[0] ?? 0) >> 4, (packet[0] ?? 0) & 15];
        if (this.mode === "frozen" || this.loses(side, type) || to.destroyed) continue;
        this.passed.push({ from: side, type, flags });
        to.write(side === "broker" ? this.alter(packet, type) : packet);
      }
    });
  }
}

/** Bytes of the packet that begins here; undefined while its length is not there yet. */
function sizeOf(bytes: Buffer): number | undefined {
  let length = 0;
  for (let at = 1; at <= 4; at += 1) {
    const byte = bytes[at];
    if (byte === undefined) return undefined;
    length += (byte & 127) * 128 ** (at - 1);
    if (byte < 128) return 1 + at + length;
  }
  throw new Error("no MQTT packet");
}

/** A relay to the port, closed when the test ends. */
export async function startMqttRelay(brokerPort: number): Promise<MqttRelay> {
  const relay = new MqttRelay(brokerPort);
  await relay.listen();
  atEnd(() => relay.close());
  return relay;
}
