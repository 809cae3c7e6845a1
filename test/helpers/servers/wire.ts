// A platform outside of the bus, in the test's own process, so that nothing that is killed can make it forget: it keeps the events until they are
// acknowledged, delivers them again after a reconnect, and records what arrives, in order. Its connector is helpers/connectors/wire.
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { atEnd } from "../children.ts";

export const wireType = join(import.meta.dirname, "../connectors/wire");

export interface WireEvent {
  offset: number;
  key: string;
  conversation: string;
  text: string;
}

export interface Arrival {
  id: string;
  text: string;
}

/** How the platform answers a message: after `afterMs`; "busy" is not an arrival, "no" is for good. */
export type Answering = (id: string, text: string) => { answer: "ok" | "busy" | "no"; afterMs: number };

export class Wire {
  /** Every arrival, repeated ones too, by conversation. */
  readonly arrivals = new Map<string, Arrival[]>();
  /** Events that were said so far. */
  readonly said: WireEvent[] = [];
  /** Pids of the connector's processes, as they said hello. */
  readonly hellos: number[] = [];
  /** Pids of two that were connected at the same time. */
  readonly overlaps: Array<[number, number]> = [];
  private readonly unacked = new Map<number, WireEvent>();
  private readonly answering: Answering;
  private readonly server: Server;
  private socket: Socket | undefined;

  constructor(answering: Answering) {
    this.answering = answering;
    this.server = createServer((socket) => this.accept(socket));
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get connected(): boolean {
    return this.socket !== undefined && !this.socket.destroyed;
  }

  /** Events that the connector has not acknowledged. */
  get waiting(): number {
    return this.unacked.size;
  }

  /** What the connector has acknowledged so far. */
  acknowledged(): WireEvent[] {
    return this.said.filter(({ offset }) => !this.unacked.has(offset));
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
  }

  /** A user says something; the platform owes it to the connector until it is acknowledged. */
  say(conversation: string, text: string): WireEvent {
    const offset = this.said.length;
    const event = { offset, key: `k${offset}`, conversation, text };
    this.said.push(event);
    this.unacked.set(offset, event);
    this.write({ event });
    return event;
  }

  /** Resets the connection. */
  reset(): void {
    this.socket?.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.reset();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private accept(socket: Socket): void {
    socket.on("error", () => undefined); // processes are killed here all the time
    const lines = createInterface({ input: socket });
    lines.on("error", () => undefined); // it repeats the socket's
    lines.on("line", (line) => this.read(line, socket));
  }

  private read(line: string, socket: Socket): void {
    const message = JSON.parse(line) as {
      hello?: number;
      ack?: number;
      send?: { id: string; conversation: string; text: string };
    };
    if (message.hello !== undefined) {
      // One connector, one connection: a second one is the successor of a process that was killed. Nothing is written to it before this, or a new event would
      // overtake those that it is owed.
      if (this.connected) this.overlaps.push([this.hellos.at(-1) ?? 0, message.hello]);
      this.socket?.destroy();
      this.socket = socket;
      this.hellos.push(message.hello);
      for (const event of this.unacked.values()) this.write({ event });
    }
    if (message.ack !== undefined) this.unacked.delete(message.ack);
    if (message.send) this.arrive(message.send, socket);
  }

  private arrive(
    { id, conversation, text }: { id: string; conversation: string; text: string },
    socket: Socket,
  ): void {
    const { answer, afterMs } = this.answering(id, text);
    if (answer === "ok") {
      const list = this.arrivals.get(conversation) ?? [];
      list.push({ id, text });
      this.arrivals.set(conversation, list);
    }
    const reply = answer === "no" ? { no: id, why: "the platform refuses this one" } : { [answer]: id };
    setTimeout(() => {
      if (socket === this.socket) this.write(reply);
    }, afterMs);
  }

  private write(message: object): void {
    if (this.socket && !this.socket.destroyed) this.socket.write(`${JSON.stringify(message)}\n`);
  }
}

/** A listening platform, closed when the test ends. */
export async function startWire(answering: Answering = () => ({ answer: "ok", afterMs: 0 })): Promise<Wire> {
  const wire = new Wire(answering);
  await wire.listen();
  atEnd(() => wire.close());
  return wire;
}
