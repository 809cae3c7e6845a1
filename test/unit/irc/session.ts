// The irc connector on a real server without the bus: a context that keeps what is delivered, and the life of a session (connect, receive, close) as the
// runtime leads it.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Readable } from "node:stream";
import { isDeepStrictEqual } from "node:util";
import { Ajv } from "ajv";
import connector from "../../../connectors/irc/connector.ts";
import type { Config as IrcConfig } from "../../../connectors/irc/manifest.d.ts";
import type { Draft, Outgoing, SendContext, SendResult } from "../../../runtime/sdk.ts";
import { atEnd } from "../../helpers/children.ts";
import { waitFor } from "../../helpers/wait.ts";

const manifestFile = resolve(import.meta.dirname, "../../../connectors/irc/manifest.json");
const manifest = JSON.parse(readFileSync(manifestFile, "utf8")) as { config: object };
const validate = new Ajv({ strict: false, useDefaults: true }).compile<IrcConfig>(manifest.config);

/** The config with every default; throws with ajv's words when it is invalid. */
export function configOf(entry: Record<string, unknown>): IrcConfig {
  const config: unknown = structuredClone(entry);
  if (!validate(config)) throw new Error(JSON.stringify(validate.errors));
  return Object.freeze(config);
}

type Session = Awaited<ReturnType<typeof connector.connect>>;

export interface LogLine {
  event: string;
  fields: Record<string, unknown>;
}

export class IrcSession {
  readonly drafts: Draft[] = [];
  readonly logs: LogLine[] = [];
  readonly state = new Map<string, unknown>();
  /** Set: deliver rejects with it. */
  deliverError: Error | undefined;
  /** Why receive ended. */
  ended: Promise<unknown> | undefined;
  session: Session | undefined;
  readonly config: IrcConfig;
  private abort = new AbortController();
  private sent = 0;

  constructor(config: IrcConfig) {
    this.config = config;
  }

  async connect(): Promise<void> {
    this.abort = new AbortController();
    const session = await connector.connect(this.context());
    this.session = session;
    const receiving = connector.receive?.(session, this.context()) ?? Promise.resolve();
    this.ended = receiving.then(
      () => undefined,
      (error: unknown) => error,
    );
  }

  async send(message: Partial<Outgoing> & { conversation_id: string }): Promise<SendResult> {
    const whole: Outgoing = { id: `m${++this.sent}`, action: "message", ...message };
    const result = await connector.send?.(this.live(), whole, this.context());
    return result ?? {};
  }

  async probe(): Promise<void> {
    await connector.probe?.(this.live(), this.context());
  }

  /** As the runtime ends a session: abort, wait for receive, close. */
  async close(): Promise<void> {
    this.abort.abort();
    await this.ended;
    if (this.session) await connector.close?.(this.session);
    this.session = undefined;
  }

  /** Waits for an event with this text. */
  heard(text: string): Promise<Draft> {
    return waitFor(() => this.drafts.find((draft) => draft.content?.text === text), {
      message: () => `${text}; there are ${JSON.stringify(this.drafts.map((draft) => draft.content?.text))}`,
    });
  }

  logged(event: string): Promise<LogLine> {
    return waitFor(() => this.logs.find((line) => line.event === event), {
      message: () => `${event}; there are ${JSON.stringify(this.logs)}`,
    });
  }

  live(): Session {
    if (!this.session) throw new Error("not connected");
    return this.session;
  }

  private context(): SendContext<IrcConfig> {
    const log = (event: string, fields: Record<string, unknown> = {}) =>
      void this.logs.push({ event, fields });
    return {
      name: "irc",
      type: "irc",
      home: tmpdir(),
      config: this.config,
      log: { debug: log, info: log, warn: log, error: log },
      signal: this.abort.signal,
      state: {
        get: async <T>(key: string) => this.state.get(key) as T | undefined,
        set: async (key, value) => void this.state.set(key, value),
        delete: async (key) => void this.state.delete(key),
      },
      deliver: async (draft) => {
        if (this.deliverError) throw this.deliverError;
        this.drafts.push(draft);
        return { id: String(this.drafts.length), duplicate: false };
      },
      fetch: (input, init) => fetch(input, init),
      openAttachment: () => Readable.from([]),
      heard: () => undefined,
      attempt: 1,
      mayHaveBeenSent: false,
    };
  }
}

/** A session that is closed when the test ends. */
export async function openSession(entry: Record<string, unknown>): Promise<IrcSession> {
  const session = prepareSession(entry);
  await session.connect();
  return session;
}

export function prepareSession(entry: Record<string, unknown>): IrcSession {
  const session = new IrcSession(
    configOf({ server: "127.0.0.1", tls: false, nick: "bot", ...quick, ...entry }),
  );
  atEnd(() => session.close());
  return session;
}

/** So that the tests of other things do not wait for the flood control. */
const quick = { flood: { burst: 20, per_second: 100 }, retry_s: 1 };

/** Waits until `seen` gives just this: an observer sees things a moment after the server has them. */
export async function sees(seen: () => unknown, wanted: unknown): Promise<void> {
  await waitFor(() => isDeepStrictEqual(seen(), wanted), {
    timeoutMs: 5000,
    message: () => `${JSON.stringify(wanted)}; it is ${JSON.stringify(seen())}`,
  });
}

/** A temporary folder, removed when the test (or, called outside of one, the file) ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "spoolway-irc-"));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
