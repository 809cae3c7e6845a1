// The trusted half of a sandboxed connector: takes the place of its module in the connector's process, and passes every call to the guest, where the module is.
//
//   session.ts ──connect, receive, send …──▶ stand-in ──channel──▶ guest ──▶ the connector's code
//   inbox, state, log ◀──checked (unpack.ts)── asks ◀──channel── guest
//
// The guest has no say in who an event is from, where it is stored, or what was sent before. One that breaks the rules of the channel is ended.
import type { Draft } from "../draft.ts";
import { SpoolwayError } from "../errors.ts";
import type { ConnectorDefinition, Context, Logger, Outgoing, SendContext, SyncContext } from "../sdk.ts";
import { Channel, ChannelError } from "./frames.ts";
import { HostStreams } from "./host-streams.ts";
import {
  type Call,
  type FunctionName,
  functions,
  type Init,
  maxAsks,
  packError,
  type ToGuest,
} from "./protocol.ts";
import { GuestLog } from "./guest-log.ts";
import type { GuestProcess } from "./guest-process.ts";
import * as unpack from "./unpack.ts";

const pingEveryMs = 2000;
/** In a good guest at most maxAsks wait. */
const maxOpenAsks = 4 * maxAsks;
const maxKeyChars = 4096;

export interface HostOptions {
  guest: Pick<GuestProcess, "socket" | "over" | "kill">;
  init: Init;
  log: Logger;
  /** Makes the attachments of a message visible in the guest; returns what takes them back. */
  lend(message: Outgoing): () => void;
}

export class Host {
  /** Exactly the functions that the connector has. Rejects when it could not be loaded. */
  readonly definition: Promise<ConnectorDefinition<unknown, unknown>>;
  readonly #options: HostOptions;
  readonly #channel: Channel;
  readonly #streams: HostStreams;
  readonly #log: GuestLog;
  readonly #hello = Promise.withResolvers<ConnectorDefinition<unknown, unknown>>();
  readonly #calls = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #syncs = new Map<number, Context>();
  #ctx: Context | undefined;
  #sessions = 0;
  #lastCall = 0;
  #openAsks = 0;
  #unanswered = 0;
  #pinging: NodeJS.Timeout | undefined;

  constructor(options: HostOptions) {
    this.#options = options;
    const { guest, init, log } = options;
    this.#log = new GuestLog(log);
    this.#channel = new Channel(guest.socket, {
      message: (text) => this.#take(text),
      chunk: (stream, bytes) => this.#streams.chunk(stream, Buffer.from(bytes)),
      closed: (violation) => this.#closed(violation),
    });
    this.#streams = new HostStreams((message) => this.#say(message));
    this.definition = this.#hello.promise;
    void guest.over.then((reason) => this.#end(reason));
    this.#say({ t: "init", init });
  }

  /** Whether it has answered lately. While it does not, the heartbeat stands still, and the supervisor's watchdog does what it does with a connector that hangs. */
  get answers(): boolean {
    return this.#unanswered <= 1;
  }

  #say(message: ToGuest): void {
    this.#channel.send(message);
  }

  #take(text: Buffer): void {
    const message = unpack.unpackMessage(text);
    switch (message.t) {
      case "hello":
        return this.#opened(unpack.unpackFunctions(message.functions));
      case "broken":
        return this.#hello.reject(unpack.unpackError(message.error));
      case "result":
        return this.#settle(message);
      case "ask":
        return this.#answer(message);
      case "end":
        return this.#streams.end(
          unpack.numberIn(message, "stream"),
          message.error === undefined ? undefined : unpack.unpackError(message.error),
        );
      case "log":
        return this.#log.write(message, text.length);
      case "heard":
        return this.#ctx?.heard();
      case "pong":
        this.#unanswered = 0;
        return;
      default:
        throw new ChannelError("a message of an unknown type");
    }
  }

  #opened(names: FunctionName[]): void {
    this.#hello.resolve(this.#standIn(names));
    this.#pinging ??= setInterval(() => {
      this.#unanswered += 1;
      this.#say({ t: "ping" });
    }, pingEveryMs);
    this.#pinging.unref();
  }

  /** The session that the runtime holds is a number; what connect returned stays with the guest. */
  #standIn(names: FunctionName[]): ConnectorDefinition<unknown, unknown> {
    const all: Required<ConnectorDefinition<unknown, unknown>> = {
      connect: (ctx) => this.#connect(ctx),
      receive: async (session) => void (await this.#call("receive", session)),
      send: (session, message, ctx) => this.#send(session, message, ctx),
      sync: (session, since, ctx) => this.#sync(session, since, ctx),
      probe: async (session) => void (await this.#call("probe", session)),
      reconcile: async (session, message) =>
        unpack.unpackReconciled(
          await this.#lending(message, () => this.#call("reconcile", session, { message })),
        ),
      close: async (session) => void (await this.#call("close", session)),
    };
    const present = functions.filter((name) => names.includes(name)).map((name) => [name, all[name]]);
    return Object.fromEntries(present) as ConnectorDefinition<unknown, unknown>;
  }

  async #connect(ctx: Context): Promise<number> {
    this.#sessions += 1;
    const session = this.#sessions;
    this.#ctx = ctx;
    ctx.signal.addEventListener("abort", () => this.#say({ t: "abort", session }), { once: true });
    await this.#call("connect", session);
    return session;
  }

  async #send(session: unknown, message: Outgoing, { signal, attempt, mayHaveBeenSent }: SendContext) {
    const more = { message, attempt, mayHaveBeenSent };
    return unpack.unpackSendResult(
      await this.#lending(message, () =>
        this.#call("send", session, more, (call) => this.#aborts(call, signal)),
      ),
    );
  }

  async #sync(session: unknown, since: string | undefined, ctx: SyncContext) {
    let id: number | undefined;
    try {
      const more = { ...(since === undefined ? {} : { since }), limit: ctx.limit };
      const result = await this.#call("sync", session, more, (call) => {
        id = call;
        this.#syncs.set(call, ctx);
      });
      return unpack.unpackSyncResult(result);
    } finally {
      if (id !== undefined) this.#syncs.delete(id);
    }
  }

  async #lending<T>(message: Outgoing, work: () => Promise<T>): Promise<T> {
    const takeBack = this.#options.lend(message);
    try {
      return await work();
    } finally {
      takeBack();
    }
  }

  #call(
    fn: FunctionName,
    session: unknown,
    more: Omit<Partial<Call>, "id" | "fn" | "session"> = {},
    begun: (call: number) => void = () => undefined,
  ): Promise<unknown> {
    this.#lastCall += 1;
    const id = this.#lastCall;
    const result = Promise.withResolvers<unknown>();
    this.#calls.set(id, result);
    begun(id);
    this.#say({ t: "call", id, fn, session: session as number, ...more });
    return result.promise;
  }

  #aborts(call: number, signal: AbortSignal): void {
    signal.addEventListener("abort", () => {
      if (this.#calls.has(call)) this.#say({ t: "abort", call });
    });
  }

  #settle(message: unpack.Fields): void {
    const id = unpack.numberIn(message, "id");
    const call = this.#calls.get(id);
    if (call === undefined) throw new ChannelError("a result of no call");
    this.#calls.delete(id);
    if (message.error === undefined) call.resolve(message.value);
    else call.reject(unpack.unpackError(message.error));
  }

  #answer(message: unpack.Fields): void {
    const id = unpack.numberIn(message, "id");
    this.#openAsks += 1;
    if (this.#openAsks > maxOpenAsks) throw new ChannelError(`more than ${maxOpenAsks} questions at once`);
    void this.#carryOut(message)
      .then(
        (value) => this.#say({ t: "answer", id, ...(value === undefined ? {} : { value }) }),
        (error: unknown) => this.#say({ t: "answer", id, error: packError(error) }),
      )
      .finally(() => (this.#openAsks -= 1));
  }

  async #carryOut(message: unpack.Fields): Promise<unknown> {
    const ctx =
      (message.call === undefined ? undefined : this.#syncs.get(unpack.numberIn(message, "call"))) ??
      this.#ctx;
    if (ctx === undefined) throw new SpoolwayError("disconnected", "there is no session yet");
    if (message.what === "deliver") return this.#deliver(ctx, message.draft);
    const key = unpack.textIn(message, "key", maxKeyChars);
    if (message.what === "get") {
      const value = await ctx.state.get(key);
      return value === undefined ? undefined : JSON.stringify(value);
    }
    if (message.what === "set") return ctx.state.set(key, JSON.parse(String(message.value)) as unknown);
    if (message.what === "delete") return ctx.state.delete(key);
    throw new SpoolwayError("not_supported", "an unknown question");
  }

  async #deliver(ctx: Context, packed: unknown): Promise<unknown> {
    const { draft, streams } = unpack.unpackDraft(packed, (stream) => this.#streams.open(stream));
    try {
      return await ctx.deliver(draft satisfies Draft);
    } finally {
      for (const stream of streams) this.#streams.close(stream);
    }
  }

  #closed(violation: string | undefined): void {
    const message =
      violation === undefined ? "it closed its channel" : `it broke the rules of the channel: ${violation}`;
    // Its exit follows by itself, and says more.
    if (violation !== undefined) this.#options.guest.kill(new SpoolwayError("sandbox_violation", message));
    else
      setTimeout(() => this.#options.guest.kill(new SpoolwayError("sandbox_ended", message)), 1000).unref();
  }

  /** What still waits for an answer may or may not have happened: left open, so that the process ends with its claims as a crash leaves them. */
  #end(reason: SpoolwayError): void {
    clearInterval(this.#pinging);
    this.#hello.reject(reason);
    this.#channel.close(undefined);
  }
}
