// The process inside the sandbox: it runs the connector's own code, and its only way out is the channel to the connector's process (host.ts).
//
//   init ──▶ load the module ──▶ hello ──▶ calls, until the channel closes
//
// Nothing here protects anybody: the connector shares this process and may say over the channel whatever it likes. What holds it is outside.
import { Socket } from "node:net";
import { loadConnector } from "../load-connector.ts";
import { SpoolwayError, type Fate } from "../errors.ts";
import type { ConnectorDefinition, Context } from "../sdk.ts";
import { startBridge } from "./bridge.ts";
import { planOfEnvironment } from "./bridge-names.ts";
import { Channel } from "./frames.ts";
import { Asker, deliver, guestContext, type GuestParts } from "./guest-context.ts";
import { GuestStreams } from "./guest-streams.ts";
import {
  type Call,
  functions,
  type Init,
  packError,
  type PackedError,
  type ToGuest,
  type ToHost,
} from "./protocol.ts";

interface Session {
  ctx: Context;
  controller: AbortController;
  /** What connect returned. */
  value: unknown;
}

/** The inherited end of the channel. */
const channelFd = 3;

const channel = new Channel(new Socket({ fd: channelFd, readable: true, writable: true }), {
  message: (text) => void take(JSON.parse(text.toString("utf8")) as ToGuest),
  chunk: () => undefined, // the host sends none
  closed: () => process.exit(0),
});
const streams = new GuestStreams(channel);
const asker = new Asker(channel);
const sessions = new Map<number, Session>();
const calls = new Map<number, AbortController>();
let parts: GuestParts;
let definition: ConnectorDefinition<unknown, unknown>;

const say = (message: ToHost): void => channel.send(message);

async function take(message: ToGuest): Promise<void> {
  switch (message.t) {
    case "init":
      return start(message.init);
    case "call":
      return answer(message);
    case "abort":
      if (message.call !== undefined) calls.get(message.call)?.abort();
      if (message.session !== undefined) abortSession(message.session);
      return;
    case "answer":
      return asker.answer(message.id, message.value, message.error && thrown(message.error));
    case "pull":
      return streams.pull(message.stream);
    case "drop":
      return streams.drop(message.stream);
    case "ping":
      return say({ t: "pong" });
  }
}

async function start(init: Init): Promise<void> {
  parts = {
    init: { ...init, config: deepFreeze(init.config) },
    channel,
    streams,
    asker,
    media: mediaFolder(),
  };
  try {
    const plan = planOfEnvironment(process.env);
    if (plan !== undefined) {
      const problem = (text: string): void =>
        say({ t: "log", level: "warn", event: "sandbox.bridge", fields: { text } });
      await startBridge({ plan, problem });
    }
    definition = await loadConnector(init.entry, init.type);
    say({ t: "hello", functions: functions.filter((name) => definition[name] !== undefined) });
  } catch (error) {
    say({ t: "broken", error: packError(error) });
  }
}

/** By the environment, which the host makes. */
const mediaFolder = (): string => process.env.SPOOLWAY_MEDIA ?? "/nowhere";

async function answer(call: Call): Promise<void> {
  const controller = new AbortController();
  calls.set(call.id, controller);
  try {
    const value: unknown = await run(call, controller);
    say({ t: "result", id: call.id, ...(value === undefined ? {} : { value }) });
  } catch (error) {
    say({ t: "result", id: call.id, error: packError(error) });
  } finally {
    calls.delete(call.id);
  }
}

async function run(call: Call, controller: AbortController): Promise<unknown> {
  if (call.fn === "connect") return connect(call.session);
  const session = sessions.get(call.session);
  if (session === undefined) throw new SpoolwayError("disconnected", "the session is over");
  const { ctx, value } = session;
  const { message } = call;
  switch (call.fn) {
    case "receive":
      return definition.receive?.(value, ctx);
    case "probe":
      return definition.probe?.(value, ctx);
    case "sync":
      return sync(call, session);
    case "send": {
      if (message === undefined) return undefined;
      // Not AbortSignal.any: with a listener it would be kept as long as the session's signal lives (connector/sender.ts).
      const sessionEnds = (): void => controller.abort(ctx.signal.reason);
      if (ctx.signal.aborted) sessionEnds();
      ctx.signal.addEventListener("abort", sessionEnds, { once: true });
      const { attempt = 1, mayHaveBeenSent = false } = call;
      try {
        return await definition.send?.(value, message, {
          ...ctx,
          signal: controller.signal,
          attempt,
          mayHaveBeenSent,
        });
      } finally {
        ctx.signal.removeEventListener("abort", sessionEnds);
      }
    }
    case "reconcile":
      return message === undefined ? undefined : definition.reconcile?.(value, message, ctx);
    case "close":
      sessions.delete(call.session);
      return definition.close?.(value);
  }
}

async function connect(number: number): Promise<undefined> {
  const controller = new AbortController();
  const ctx = guestContext(parts, controller.signal);
  const session: Session = { ctx, controller, value: undefined };
  sessions.set(number, session);
  try {
    session.value = await definition.connect(ctx);
  } catch (error) {
    sessions.delete(number);
    throw error;
  }
}

/** The cursor may move only when all is durable that came before it, also what the connector did not wait for: its errors are seen by the host. */
async function sync({ id, since, limit = 0 }: Call, { ctx, value }: Session): Promise<unknown> {
  const deliveries: Array<Promise<unknown>> = [];
  const result = await definition.sync?.(value, since, {
    ...ctx,
    limit,
    deliver: (draft) => {
      const delivery = deliver(parts, draft, id);
      deliveries.push(delivery);
      return delivery;
    },
  });
  await Promise.allSettled(deliveries);
  return result;
}

function abortSession(number: number): void {
  const session = sessions.get(number);
  session?.controller.abort();
  // Without a close nobody tells us when it is over; what still runs holds on to what it needs.
  if (definition.close === undefined) sessions.delete(number);
}

/** An error of the host, as its code would have thrown it here. */
function thrown({ message, code = "send_failed", fate, hint }: PackedError): Error {
  if (fate === undefined) return new Error(message);
  return new SpoolwayError(code, message, { fate: fate as Fate, ...(hint === undefined ? {} : { hint }) });
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
