// A connector's Context for unit tests, before any bus: what is delivered and logged is kept in lists, streams are read to their end.
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import type { Context, Draft, Logger, Outgoing } from "../../runtime/sdk.ts";

export interface DeliveredDraft extends Omit<Draft, "content"> {
  content?: Omit<NonNullable<Draft["content"]>, "attachments">;
  files: Array<{ name: string; media_type?: string; bytes?: Buffer }>;
}

export interface LogLine {
  level: "debug" | "info" | "warn" | "error";
  event: string;
  fields: Record<string, unknown>;
}

export class TestContext<Config> implements Context<Config> {
  readonly name: string;
  readonly type: string;
  readonly home: string;
  readonly config: Config;
  readonly delivered: DeliveredDraft[] = [];
  readonly lines: LogLine[] = [];
  readonly log: Logger;
  readonly state: Context["state"];
  /** Called before each delivery; a throw is its outcome. */
  beforeDeliver: (draft: Draft) => Promise<void> | void = () => undefined;
  #session = new AbortController();
  readonly #seen = new Set<string>();

  constructor(type: string, home: string, config: Config, values = new Map<string, unknown>()) {
    this.name = `${type}-test`;
    this.type = type;
    this.home = home;
    this.config = config;
    const log =
      (level: LogLine["level"]) =>
      (event: string, fields: Record<string, unknown> = {}): void => {
        this.lines.push({ level, event, fields });
      };
    this.log = { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
    this.state = {
      get: async <T>(key: string) => values.get(key) as T | undefined,
      set: async (key, value) => void values.set(key, value),
      delete: async (key) => void values.delete(key),
    };
  }

  get signal(): AbortSignal {
    return this.#session.signal;
  }

  /** Ends the session; the next one gets a fresh signal. */
  abort(): void {
    this.#session.abort(new Error("the session is over"));
  }

  renew(): void {
    this.#session = new AbortController();
  }

  async deliver(draft: Draft): Promise<{ id: string; duplicate: boolean }> {
    await this.beforeDeliver(draft);
    const files = [];
    for (const { name, media_type, data } of draft.content?.attachments ?? []) {
      const bytes = data instanceof Readable ? await buffer(data) : data && Buffer.from(data);
      files.push({ name, ...(media_type ? { media_type } : {}), ...(bytes ? { bytes } : {}) });
    }
    const id = draft.key === undefined ? String(Math.random()) : JSON.stringify(draft.key);
    if (this.#seen.has(id)) return { id, duplicate: true };
    this.#seen.add(id);
    const content = { ...draft.content };
    delete content.attachments;
    this.delivered.push({ ...draft, content, files });
    return { id, duplicate: false };
  }

  fetch(): Promise<Response> {
    throw new Error("not in this test");
  }

  openAttachment(): Readable {
    throw new Error("not in this test");
  }

  heard(): void {}

  texts(): Array<string | undefined> {
    return this.delivered.map((draft) => draft.content?.text);
  }

  logged(event: string): LogLine[] {
    return this.lines.filter((line) => line.event === event);
  }

  /** What a send gets: this context, with a time limit of its own. */
  sending(timeoutMs = 5000) {
    const signal = AbortSignal.any([this.signal, AbortSignal.timeout(timeoutMs)]);
    const { name, type, home, config, log, state } = this;
    const deliver = this.deliver.bind(this);
    const { fetch, openAttachment, heard } = this;
    return {
      name,
      type,
      home,
      config,
      log,
      state,
      deliver,
      fetch,
      openAttachment,
      heard,
      signal,
      attempt: 1,
      mayHaveBeenSent: false,
    };
  }
}

let sends = 0;

export function outgoing(text: string, more: Partial<Outgoing> = {}): Outgoing {
  sends += 1;
  return { id: `m${sends}`, action: "message", conversation_id: "c", text, ...more };
}
