// Socket Mode of the Slack fake: one-time tickets, hello, envelopes to one of the connections, which have to be acknowledged in three seconds or come again (at once, after a
// minute, after five minutes: times that a test can shorten), pings, and disconnect messages. Written from https://docs.slack.dev/apis/events-api/using-socket-mode.
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";

interface Envelope {
  envelope_id: string;
  type: string;
  payload: object;
  accepts_response_payload: boolean;
  retry_attempt?: number;
  retry_reason?: string;
}

interface Waiting {
  envelope: Envelope;
  timer: NodeJS.Timeout | undefined;
}

const connectionsMax = 10;
const ticketMs = 30_000;
const pingMs = 1000;

export class SlackSockets {
  /** Until an envelope counts as lost. */
  ackMs = 3000;
  /** After which it comes again. */
  retryMs: number[] = [0, 60_000, 300_000];
  /** What clients said that Slack would not understand. */
  readonly faults: string[] = [];
  /** Envelopes that were acknowledged, in order. */
  readonly acknowledged: string[] = [];
  /** Socket Mode is switched off: connections that there are and new ones are told so, and closed. */
  isOff = false;
  /** Called before each acknowledgement is taken: false ignores it. */
  mayTakeAck: () => boolean = () => true;
  readonly #server = new WebSocketServer({ noServer: true });
  readonly #open = new Set<WebSocket>();
  readonly #tickets = new Map<string, number>();
  readonly #waiting = new Map<string, Waiting>();
  readonly #timers = new Set<NodeJS.Timeout>();

  newTicket(): string {
    const ticket = randomUUID();
    this.#tickets.set(ticket, Date.now() + ticketMs);
    return ticket;
  }

  get connections(): number {
    return this.#open.size;
  }

  /** An upgrade to /link?ticket=…; refused without a ticket that is good. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const ticket = new URL(request.url ?? "/", "http://slack").searchParams.get("ticket") ?? "";
    const until = this.#tickets.get(ticket) ?? 0;
    this.#tickets.delete(ticket);
    if (until < Date.now()) return void socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
    this.#server.handleUpgrade(request, socket, head, (client) => this.#welcome(client));
  }

  /** An event for the app. Without a connection it is lost as one that nobody acknowledged. */
  emit(type: string, payload: object, again = 0): void {
    const retry = again === 0 ? {} : { retry_attempt: again, retry_reason: "timeout" };
    const envelope = { envelope_id: randomUUID(), type, payload, accepts_response_payload: false, ...retry };
    const [client] = this.#open;
    const lost = (): void => {
      this.#waiting.delete(envelope.envelope_id);
      const waitMs = this.retryMs[again];
      if (waitMs !== undefined) this.#later(waitMs, () => this.emit(type, payload, again + 1));
    };
    const timer = client === undefined ? this.#later(0, lost) : this.#later(this.ackMs, lost);
    this.#waiting.set(envelope.envelope_id, { envelope, timer });
    client?.send(JSON.stringify(envelope));
  }

  /** Slack is about to close, or has closed: "warning", "refresh_requested", "link_disabled". */
  disconnect(reason: string): void {
    for (const client of this.#open) {
      client.send(JSON.stringify({ type: "disconnect", reason, debug_info: { host: "applink-1" } }));
      this.#later(10_000, () => client.close());
    }
  }

  /** Every connection dies. What was not acknowledged comes again, as with a lost connection. */
  cut(): void {
    for (const client of this.#open) client.terminate();
  }

  close(): void {
    this.cut();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#server.close();
  }

  switchOff(): void {
    this.isOff = true;
    this.disconnect("link_disabled");
  }

  #welcome(client: WebSocket): void {
    if (this.isOff || this.#open.size >= connectionsMax) {
      const reason = this.isOff ? "link_disabled" : "too_many_websockets";
      client.send(JSON.stringify({ type: "disconnect", reason }));
      return client.close();
    }
    this.#open.add(client);
    const pings = setInterval(() => client.ping(), pingMs);
    this.#timers.add(pings);
    client.on("close", () => {
      this.#open.delete(client);
      clearInterval(pings);
    });
    client.on("error", (error) => this.faults.push(error.message));
    client.on("message", (data) => this.#take(String(data as Buffer)));
    const debug = { host: "applink-1", build_number: 1, approximate_connection_time: 18_060 };
    const info = { connection_info: { app_id: "A0FAKE" }, debug_info: debug };
    client.send(JSON.stringify({ type: "hello", num_connections: this.#open.size, ...info }));
  }

  #take(text: string): void {
    const { envelope_id: id } = JSON.parse(text) as { envelope_id?: string };
    if (id === undefined) return void this.faults.push(`no envelope_id: ${text}`);
    if (!this.mayTakeAck()) return;
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return; // too late: it comes again already
    clearTimeout(waiting.timer);
    this.#waiting.delete(id);
    this.acknowledged.push(id);
  }

  #later(ms: number, then: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      then();
    }, ms);
    this.#timers.add(timer);
    return timer;
  }
}
