// All that a connector may import: `import { defineConnector, … } from "spoolway/sdk"`, and what only some need from its parts, the files in sdk/:
// `import { forEachLine } from "spoolway/sdk/lines"`. Every connector's process loads this file, so what is heavier than a few lines belongs there.
//
// A connector is a folder with two files: manifest.json (its type, the JSON Schema of its config) and connector.ts, which
// default-exports defineConnector({...}). The runtime owns files, retries, lanes, rate limits, cursors, dedupe and restarts; a
// connector only speaks its platform. Capability is presence: no `send`, no outbox.
//
// The life of a session:
//
//   connect ──ok──▶ receive + sync + probe + sends ──any loss──▶ signal aborts, all tasks end ──▶ close ──▶ connect …
//      └─throws──▶ backoff, connect again (fate stop: the process exits 100 and waits for a change of its config)
import type { Readable } from "node:stream";
import type { OutgoingMessage, OutgoingAttachment } from "../schema/types.ts";
import type { Draft } from "./draft.ts";
import { SpoolwayError, type SpoolwayErrorOptions } from "./errors.ts";

export type { Fate } from "./errors.ts";
export { SpoolwayError, toSpoolwayError } from "./errors.ts";
export type { InboundEvent, OutgoingMessage } from "../schema/types.ts";
export type { Draft, DraftAttachment } from "./draft.ts";
export { draftFromShorthand } from "./shorthand.ts";
export { sleep, within, backoffMs, parseDuration } from "./timing.ts";
export { spawnTethered } from "./process.ts";
export { printable } from "./printable.ts";
export { parseJson } from "./spool/json.ts";

/** What deliver resolves with, once the event is on stable storage. */
export interface Delivered {
  id: string;
  /** True when an event with the same key was delivered before: no second file was made. */
  duplicate: boolean;
}

export interface Logger {
  debug(event: string, fields?: Record<string, unknown>): void;
  info(event: string, fields?: Record<string, unknown>): void;
  warn(event: string, fields?: Record<string, unknown>): void;
  error(event: string, fields?: Record<string, unknown>): void;
}

/** A small durable key-value store of this connector. Values are JSON; a set is durable when it resolves. */
export interface State {
  get<T = unknown>(key: string): Promise<T | undefined>;
  set(key: string, value: unknown): Promise<void>;
  delete(key: string): Promise<void>;
}

export interface Context<Config = unknown> {
  /** The instance's name in connectors.yml. */
  readonly name: string;
  readonly type: string;
  /** The folder that holds connectors.yml: relative paths in a config are relative to it. */
  readonly home: string;
  /** Validated against the manifest's schema, defaults applied, frozen. */
  readonly config: Readonly<Config>;
  readonly log: Logger;
  /** Aborts when this session ends: end every task, and throw or return. */
  readonly signal: AbortSignal;
  readonly state: State;
  /** Resolves once the event is durable; only then tell the platform. Rejects when it could not be written. */
  deliver(draft: Draft): Promise<Delivered>;
  /** fetch with this session's signal. It gives up when nothing moves for `silenceMs`, default 30 s; longer where the platform works before it answers. */
  fetch(input: string | URL, init?: RequestInit, silenceMs?: number): Promise<Response>;
  /** Bytes of an outgoing attachment, as a stream. */
  openAttachment(attachment: OutgoingAttachment): Readable;
  /** Says that the platform was heard from, for `last_received_at` and the liveness, where nothing is delivered. */
  heard(): void;
}

/** A message as `send` gets it: `id` and `action` are always there. */
export type Outgoing = OutgoingMessage & { id: string; action: NonNullable<OutgoingMessage["action"]> };

export interface SendContext<Config = unknown> extends Context<Config> {
  /** 1 for the first try. */
  readonly attempt: number;
  /** True when an earlier try may have reached the platform: use the id as idempotency key. */
  readonly mayHaveBeenSent: boolean;
}

/** A key that is undefined counts as absent. */
export interface SendResult {
  platform_id?: string | undefined;
  /** All ids, where one message became several. */
  platform_ids?: string[] | undefined;
}

export interface SyncContext<Config = unknown> extends Context<Config> {
  /** Deliver about this many at most; return the cursor reached and `more: true` to be called again at once. */
  readonly limit: number;
}

/** `cursor` is stored after everything delivered before it is durable, and given as `since` next time. */
export interface SyncResult {
  cursor: string;
  more?: boolean;
}

export interface ConnectorDefinition<Config, Session> {
  /**
   * Opens a session. Called at start and again, with backoff, after every loss. Throw `stop(…)` for bad credentials; anything else is tried again.
   */
  connect(ctx: Context<Config>): Promise<Session>;
  /** Runs until ctx.signal aborts. Returning or throwing earlier means that the connection is lost. */
  receive?(session: Session, ctx: Context<Config>): Promise<void>;
  /**
   * Resolves only when the platform has the message. Called for one message of a conversation at a time, `runtime.concurrency` conversations at once. A throw decides
   * the message's fate: use reject, retry, rateLimited, reconnect, uncertain or stop; an unknown error is a retry.
   */
  send?(session: Session, message: Outgoing, ctx: SendContext<Config>): Promise<SendResult | void>;
  /** For sources that are polled: called every `runtime.sync_every` (default 10 min) and on demand. */
  sync?(session: Session, since: string | undefined, ctx: SyncContext<Config>): Promise<SyncResult>;
  /** Cheap proof that the link is alive, every `runtime.probe_every`. A throw means deaf; twice in a row reconnects. */
  probe?(session: Session, ctx: Context<Config>): Promise<void>;
  /** After a crash: did this message arrive? `undefined` when that cannot be told. */
  reconcile?(
    session: Session,
    message: Outgoing,
    ctx: Context<Config>,
  ): Promise<SendResult | "not_sent" | undefined>;
  /** Ends the session; must be safe on a half-dead one. The signal has aborted already. */
  close?(session: Session): Promise<void>;
}

/** Gives a connector its types; returns it unchanged. */
export function defineConnector<Config = Record<string, unknown>, Session = void>(
  definition: ConnectorDefinition<Config, Session>,
): ConnectorDefinition<Config, Session> {
  return definition;
}

/** The message can never be sent: dead letter with this code and the platform's own words. */
export function reject(
  message: string,
  code = "rejected",
  options: SpoolwayErrorOptions = {},
): SpoolwayError {
  return new SpoolwayError(code, message, { ...options, fate: "reject" });
}
/** Not sent, try again later; counts as an attempt. */
export function retry(message: string, options: SpoolwayErrorOptions = {}): SpoolwayError {
  return new SpoolwayError("send_failed", message, { ...options, fate: "retry" });
}
/** The platform asked to wait; all sending waits, no attempt is counted. */
export function rateLimited(message: string, retryAfterMs: number): SpoolwayError {
  return new SpoolwayError("rate_limited", message, { retryAfterMs });
}
/** The connection is gone and the message was certainly not sent. */
export function reconnect(message: string, options: SpoolwayErrorOptions = {}): SpoolwayError {
  return new SpoolwayError("disconnected", message, { ...options, fate: "reconnect" });
}
/** It may or may not have been sent (timed out after bytes were written). */
export function uncertain(message: string, options: SpoolwayErrorOptions = {}): SpoolwayError {
  return new SpoolwayError("timed_out", message, { ...options, fate: "uncertain" });
}
/** Nothing will work until a person changes something: the process exits 100. `hint` says what to do. */
export function stop(message: string, hint?: string, code = "unauthorized"): SpoolwayError {
  return new SpoolwayError(code, message, { fate: "stop", ...(hint === undefined ? {} : { hint }) });
}
