// spoolway/sdk/socket/op-gateway: the protocol by which Discord says what happens, and others that took it over (Fluxer, Spacebar, QQ): a session of numbered events that outlives its
// connections, this process, and crashes.
//
//   HELLO ─┬─ a session before ─▶ RESUME ─▶ what was missed, RESUMED ─┬─▶ events … ─▶ lost
//          └─ none, or expired ─▶ IDENTIFY ─▶ READY … ────────────────┘
//
// What we say that we have (in heartbeats too) is what a crash would not take from us: what is done, up to the position that is stored. Nobody need keep more for us.
import { type Context, reconnect, type SpoolwayError, toSpoolwayError } from "../../sdk.ts";
import { asItIs } from "../as-it-is.ts";
import { HeartbeatSocket, type WebSocketLike } from "./heartbeat-socket.ts";

/** An event: its name, its number in the session, what it says. */
export interface OpEvent {
  op: 0;
  t: string;
  s: number;
  d: unknown;
}

export interface OpGatewayOptions {
  token: string;
  /** What a session is begun with, but for the token. With another one than before a new session is begun. */
  identify: object;
  /** Where a session is begun. */
  mainUrl(): Promise<string>;
  connect(url: string): WebSocketLike;
  /** Why the other side closes, by its code; session_expired where only a new session helps. */
  closed(code: number, words: string): SpoolwayError;
}

interface Kept {
  identify: string;
  /** Of the session; without it a new one is begun. */
  id?: string;
  /** Where it can be resumed; without it at the main address. */
  url?: string | undefined;
  me?: string;
  /** Everything up to this event is done; as it is stored. */
  seq?: number;
  notes: Record<string, string>;
}

interface Ready {
  session_id: string;
  resume_gateway_url?: string;
  user: { id: string };
}

const op = {
  event: 0,
  heartbeat: 1,
  identify: 2,
  resume: 6,
  reconnect: 7,
  invalid: 9,
  hello: 10,
  ack: 11,
} as const;
const key = "gateway";
const saveEvery = 50;
/** A session that timed out, as a close code. */
const expiredCode = 4009;

type Message = { op: number; d: unknown } & Partial<OpEvent>;
type Link<Event> = HeartbeatSocket<Message, Event>;

export class OpGateway<Event extends OpEvent> {
  readonly #kept: Kept;
  readonly #link: Link<Event>;

  private constructor(kept: Kept, link: Link<Event>) {
    this.#kept = kept;
    this.#link = link;
  }

  /** For `connect`: resolves when a session is there. */
  static async open<Event extends OpEvent>(
    ctx: Context,
    options: OpGatewayOptions,
  ): Promise<OpGateway<Event>> {
    const identify = JSON.stringify(options.identify);
    const before = await ctx.state.get<Kept>(key);
    const fresh: Kept = { identify, notes: before?.notes ?? {} };
    const kept = before?.identify === identify ? before : { ...fresh };
    const link = openLink<Event>(ctx, options, kept, kept.url ?? (await options.mainUrl()));
    try {
      const first = await link.items.first();
      if (first.t === "READY") {
        const { session_id: id, resume_gateway_url: url, user } = first.d as Ready;
        Object.assign(kept, { id, url, me: user.id });
      }
      return new OpGateway(kept, link);
    } catch (error) {
      const isExpired = toSpoolwayError(error).code === "session_expired";
      // The address of a session may be gone while the session is not.
      await ctx.state.set(key, isExpired ? fresh : { ...kept, url: undefined });
      throw error;
    }
  }

  /** Our own id. */
  get me(): string {
    return this.#kept.me ?? "";
  }

  /** The connector's own, kept together with what is done. */
  get notes(): Record<string, string> {
    return this.#kept.notes;
  }

  /**
   * For `receive`: takes one event after the other; when `take` resolves it is done. `id` is unique to the event. What `take` cannot understand arrives as it is, since it would be repeated
   * for ever. Rejects when the connection is lost.
   */
  async run(ctx: Context, take: (event: Event, id: string[]) => Promise<void>): Promise<never> {
    const { items } = this.#link;
    const { state, heard } = ctx;
    for (;;) {
      const event = await items.next();
      heard();
      const id = [this.#kept.id ?? "", String(event.s)];
      await take(event, id).catch(asItIs(ctx, { key: id, raw: { t: event.t, d: event.d } }));
      if (!items.isEmpty && event.s % saveEvery !== 0) continue;
      await state.set(key, { ...this.#kept, seq: event.s });
      this.#kept.seq = event.s;
    }
  }

  probe(withinMs: number): Promise<void> {
    return this.#link.probe(withinMs);
  }

  /** Ends the connection; the session can be resumed, as it could not after a goodbye. */
  close(): void {
    this.#link.lose(reconnect("closed"));
  }
}

function openLink<Event extends OpEvent>(
  ctx: Context,
  options: OpGatewayOptions,
  kept: Kept,
  url: string,
): Link<Event> {
  const { token, identify, closed, connect } = options;
  const { id: session_id, seq } = kept;
  const hello =
    session_id === undefined
      ? { op: op.identify, d: { token, ...identify } }
      : { op: op.resume, d: { token, session_id, seq } };
  const heartbeat = (): object => ({ op: op.heartbeat, d: kept.seq ?? null });
  return new HeartbeatSocket<Message, Event>(ctx, connect(url), {
    heartbeat,
    closed,
    take(message, link) {
      const { d } = message;
      if (message.op === op.event) return message as Event;
      if (message.op === op.ack) link.answered();
      else if (message.op === op.heartbeat) link.askedToBeat();
      else if (message.op === op.hello) {
        link.say(hello);
        const { heartbeat_interval: everyMs } = d as { heartbeat_interval: number };
        link.beat(everyMs, everyMs * Math.random());
      } else if (message.op === op.invalid && d !== true)
        link.lose(closed(expiredCode, "the session is gone"));
      else if (message.op === op.invalid || message.op === op.reconnect)
        link.lose(reconnect("asked to connect again"));
      return undefined;
    },
  });
}
