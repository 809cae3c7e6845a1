// The Context that a connector gets inside the sandbox: the same as outside, but everything that needs the spool is asked of the host.
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { OutgoingAttachment } from "../../schema/types.ts";
import type { Draft } from "../draft.ts";
import { SpoolwayError, errnoOf } from "../errors.ts";
import type { Context, Delivered, Logger, State } from "../sdk.ts";
import { fetchIn } from "../session-fetch.ts";
import type { Channel } from "./frames.ts";
import type { GuestStreams } from "./guest-streams.ts";
import { maxAsks, type AskName, type Init, type ToHost } from "./protocol.ts";

/** Log lines that are longer are of no use to anybody. */
const maxLogChars = 16_384;

export interface GuestParts {
  init: Init;
  channel: Channel;
  streams: GuestStreams;
  asker: Asker;
  /** Where the attachments of the messages that are being sent lie. */
  media: string;
}

type Ask = Omit<Extract<ToHost, { t: "ask" }>, "t" | "id">;

/** Questions to the host, in the order in which they were asked, at most maxAsks at once. */
export class Asker {
  readonly #channel: Channel;
  readonly #waiting: Array<() => void> = [];
  readonly #open = new Map<number, PromiseWithResolvers<unknown>>();
  #last = 0;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  ask(ask: Ask): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const send = (): void => {
      this.#last += 1;
      this.#open.set(this.#last, { promise, resolve, reject });
      const message: ToHost = { t: "ask", id: this.#last, ...ask };
      this.#channel.send(message);
    };
    if (this.#open.size < maxAsks && this.#waiting.length === 0) send();
    else this.#waiting.push(send);
    return promise;
  }

  answer(id: number, value: unknown, error: SpoolwayError | Error | undefined): void {
    const asked = this.#open.get(id);
    this.#open.delete(id);
    if (error === undefined) asked?.resolve(value);
    else asked?.reject(error);
    if (this.#open.size < maxAsks) this.#waiting.shift()?.();
  }
}

/** `config` is frozen already. */
export function guestContext(parts: GuestParts, signal: AbortSignal): Context {
  const { init, channel, media } = parts;
  return Object.freeze({
    name: init.name,
    type: init.type,
    home: init.home,
    config: init.config,
    log: guestLogger(channel, init.debug),
    signal,
    state: guestState(parts.asker),
    deliver: (draft: Draft) => deliver(parts, draft),
    fetch: (input: string | URL, options?: RequestInit, silenceMs?: number) =>
      fetchIn(signal, input, options, silenceMs),
    openAttachment: (attachment: OutgoingAttachment) => openLent(media, attachment),
    heard: () => channel.send({ t: "heard" } satisfies ToHost),
  });
}

/** `call`: the sync that it belongs to, whose cursor waits for it. */
export async function deliver(parts: GuestParts, draft: Draft, call?: number): Promise<Delivered> {
  const { asker, streams } = parts;
  const attachments = draft.content?.attachments?.map(({ data, ...rest }) =>
    data === undefined ? rest : { ...rest, data: { stream: streams.add(data) } },
  );
  const packed = attachments === undefined ? draft : { ...draft, content: { ...draft.content, attachments } };
  // Big integers of a platform's library become digits, as everywhere.
  const plain: unknown = JSON.parse(JSON.stringify(packed, bigIntAsText));
  return (await asker.ask({
    what: "deliver",
    draft: plain,
    ...(call === undefined ? {} : { call }),
  })) as Delivered;
}

function guestState(asker: Asker): State {
  const ask = (what: AskName, key: string, value?: string): Promise<unknown> =>
    asker.ask({ what, key, ...(value === undefined ? {} : { value }) });
  return {
    get: async <T>(key: string) => {
      const text = await ask("get", key);
      return typeof text === "string" ? (JSON.parse(text) as T) : undefined;
    },
    set: async (key, value) => {
      const text: string | undefined = JSON.stringify(value);
      if (text === undefined) throw new TypeError(`the value of ${key} is not JSON`);
      await ask("set", key, text);
    },
    delete: async (key) => void (await ask("delete", key)),
  };
}

/** The host has put the attachments of a message that is being sent where only reading is possible. */
function openLent(media: string, { path }: OutgoingAttachment): Readable {
  const sha256 = /^media\/([0-9a-f]{64})$/.exec(path)?.[1];
  if (sha256 === undefined) throw new SpoolwayError("attachment_outside", `${path} is not in media/`);
  return Readable.from(
    (async function* () {
      try {
        yield* createReadStream(join(media, sha256));
      } catch (error) {
        throw new SpoolwayError("attachment_missing", `${path}: ${errnoOf(error)}`, { cause: error });
      }
    })(),
    { objectMode: false },
  );
}

function guestLogger(channel: Channel, debug: boolean): Logger {
  const write = (level: string, event: string, fields: Record<string, unknown> = {}): void => {
    const text = JSON.stringify(fields, forLog);
    const shown: unknown =
      text.length > maxLogChars ? { text: text.slice(0, maxLogChars), cut: true } : JSON.parse(text);
    const line: ToHost = { t: "log", level, event, fields: shown as Record<string, unknown> };
    channel.send(line);
  };
  return {
    debug: (event, fields) => {
      if (debug) write("debug", event, fields);
    },
    info: (event, fields) => write("info", event, fields),
    warn: (event, fields) => write("warn", event, fields),
    error: (event, fields) => write("error", event, fields),
  };
}

const bigIntAsText = (_key: string, value: unknown): unknown =>
  typeof value === "bigint" ? String(value) : value;

const forLog = (key: string, value: unknown): unknown =>
  value instanceof Error ? value.message : bigIntAsText(key, value);
