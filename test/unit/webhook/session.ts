// A webhook session on a real port. The context is the runtime's place: `deliver` keeps what it is given, so that a test can look at it, or
// does what the test says.
import { Readable } from "node:stream";
import { onTestFinished } from "vitest";
import webhook from "../../../connectors/webhook/connector.ts";
import type { Config } from "../../../connectors/webhook/config.ts";
import type { Context, Delivered, Draft, Outgoing, SendContext, SendResult } from "../../../runtime/sdk.ts";

export interface LogLine {
  level: string;
  event: string;
  fields: Record<string, unknown>;
}

export interface Opened {
  port: number;
  /** http://127.0.0.1:port, without a slash at its end. */
  origin: string;
  delivered: Draft[];
  log: LogLine[];
  ctx: Context<Config>;
  post(body: string | Uint8Array, headers?: Record<string, string>, path?: string): Promise<Response>;
  send(message: Partial<Outgoing>): Promise<SendResult | void>;
  probe(): Promise<void>;
  /** Ends the session as the runtime does: abort, wait for receive, close. */
  end(): Promise<void>;
}

export interface OpenOptions extends Partial<Config> {
  deliver?: (draft: Draft) => Promise<Delivered>;
  name?: string;
}

let count = 0;

export async function open(options: OpenOptions = {}): Promise<Opened> {
  const { deliver, name = `w${(count += 1)}`, ...config } = options;
  const abort = new AbortController();
  const delivered: Draft[] = [];
  const log: LogLine[] = [];
  const logAs =
    (level: string) =>
    (event: string, fields: Record<string, unknown> = {}): void => {
      log.push({ level, event, fields });
    };
  const keys = new Map<string, string>();
  const ctx: SendContext<Config> = {
    name,
    type: "webhook",
    home: "/nonexistent",
    config: { port: 0, ...config },
    signal: abort.signal,
    attempt: 1,
    mayHaveBeenSent: false,
    log: { debug: logAs("debug"), info: logAs("info"), warn: logAs("warn"), error: logAs("error") },
    state: {
      get: () => Promise.resolve(undefined),
      set: () => Promise.resolve(),
      delete: () => Promise.resolve(),
    },
    deliver(draft) {
      if (deliver) return deliver(draft);
      const key = JSON.stringify(draft.key ?? delivered.length);
      const known = keys.get(key);
      if (known !== undefined) return Promise.resolve({ id: known, duplicate: true });
      delivered.push(draft);
      keys.set(key, `e${delivered.length}`);
      return Promise.resolve({ id: `e${delivered.length}`, duplicate: false });
    },
    fetch: (input, init) => fetch(input, init),
    openAttachment: (attachment) => Readable.from([Buffer.from(`bytes of ${attachment.path}`)]),
    heard: () => undefined,
  };
  const session = await webhook.connect(ctx);
  const received = webhook.receive?.(session, ctx);
  let ended: Promise<void> | undefined;
  const end = (): Promise<void> =>
    (ended ??= (async () => {
      abort.abort();
      await received;
      await webhook.close?.(session);
    })());
  onTestFinished(end);
  const { port } = session.server;
  const origin = `http://127.0.0.1:${port}`;
  return {
    port,
    origin,
    delivered,
    log,
    ctx,
    post: (body, headers = {}, path = config.path ?? "/") =>
      fetch(origin + path, {
        method: "POST",
        body: typeof body === "string" ? body : new Uint8Array(body),
        headers: { "content-type": "application/json", ...headers },
      }),
    async send(message) {
      return webhook.send?.(session, { id: "m1", action: "message", conversation_id: "c", ...message }, ctx);
    },
    async probe() {
      await webhook.probe?.(session, ctx);
    },
    end,
  };
}

/** The error in a refusal's body. */
export async function errorOf(response: Response): Promise<{ code: string; message: string; hint: string }> {
  const { error } = (await response.json()) as { error: { code: string; message: string; hint: string } };
  return error;
}
