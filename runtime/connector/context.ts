// What a connector sees of the runtime: the Context of sdk.ts. Events go from here into the inbox.
import type { InboundEvent } from "../../schema/types.ts";
import { inbound } from "../../schema/validators/messages.js";
import type { ConnectorConfig } from "../config/model.ts";
import type { Draft, DraftAttachment } from "../draft.ts";
import { SpoolwayError } from "../errors.ts";
import type { Context, Delivered, Logger, State } from "../sdk.ts";
import { fetchIn } from "../session-fetch.ts";
import type { InboxWriter } from "../spool/inbox.ts";
import { openMedia, storeMedia } from "../spool/media.ts";
import { eventId, type SpoolPaths } from "../spool/names.ts";
import { explain } from "../spool/records.ts";
import type { DiskSpace } from "../spool/space.ts";
import type { LazyStateDb } from "../spool/statedb.ts";
import type { Status } from "./status.ts";

/** What stays the same through all sessions of the process. */
export interface Parts {
  connector: ConnectorConfig;
  home: string;
  /** Whether an answer could be sent: only then events say how. */
  canSend: boolean;
  paths: SpoolPaths;
  log: Logger;
  status: Status;
  state: LazyStateDb;
  inbox: InboxWriter;
  space: DiskSpace;
}

/** A context for one session, whose end `signal` announces. */
export function createContext(parts: Parts, signal: AbortSignal): Context {
  const { connector, home, log, status, paths } = parts;
  return Object.freeze({
    name: connector.name,
    type: connector.type,
    home,
    config: deepFreeze(connector.config),
    log,
    signal,
    state: createState(parts.state),
    deliver: (draft: Draft) => deliver(parts, draft),
    fetch: (input: string | URL, init?: RequestInit, silenceMs?: number) =>
      fetchIn(signal, input, init, silenceMs),
    openAttachment: (attachment: Parameters<typeof openMedia>[1]) => openMedia(paths, attachment),
    heard: () => {
      status.lastReceivedAt = new Date().toISOString();
    },
  });
}

/** What a connector has no say in: least of all, who an event is from. */
const stamps = ["version", "id", "received_at", "connector", "reply"];

async function deliver(parts: Parts, draft: Draft): Promise<Delivered> {
  const { connector, inbox, state, status } = parts;
  const { key, content, answer_to: answerTo, ...rest } = draft;
  const stamp = stamps.find((name) => name in draft);
  if (stamp !== undefined) {
    throw new SpoolwayError("invalid_event", `a draft must not have the key ${stamp}: the runtime sets it`);
  }
  const id = eventId(connector.name, key);
  status.lastReceivedAt = new Date().toISOString();
  // Before attachments are fetched and stored for nothing. The writer looks again.
  if (content?.attachments !== undefined && key !== undefined && (await state.get()).hasSeen(id)) {
    status.duplicates += 1;
    return { id, duplicate: true };
  }
  // ORDER: without bytes to store nothing is awaited before the writer has the event, so that events delivered in one tick keep their order.
  const stored = content?.attachments?.some((one) => "data" in one || "omitIfTooLarge" in one)
    ? await storeContent(parts, content)
    : undefined;
  const event: InboundEvent = {
    version: 1,
    id,
    received_at: new Date().toISOString(),
    connector: { type: connector.type, instance: connector.name },
    ...(withoutUndefined(rest) as Partial<InboundEvent>), // what is undefined deeper down is absent to validator and JSON
    kind: rest.kind ?? "message",
    ...(content === undefined ? {} : { content: withoutUndefined(stored ?? (content as StoredContent)) }),
    ...(parts.canSend ? replyTo(connector.name, draft, answerTo) : {}),
  };
  const bytes = Buffer.from(`${stringify(event)}\n`);
  if (!inbound(event))
    throw new SpoolwayError("invalid_event", `the event is not valid: ${explain(inbound)}`);
  const { duplicate } = await inbox.deliver(id, bytes);
  if (duplicate) status.duplicates += 1;
  else status.received += 1;
  return { id, duplicate };
}

/** What to copy into an outbox file to answer. */
function replyTo(instance: string, draft: Draft, answerTo?: string): Pick<InboundEvent, "reply"> {
  if (draft.conversation === undefined) return {};
  return {
    reply: {
      connector: instance,
      conversation_id: answerTo ?? draft.conversation.id,
      ...(draft.thread_id === undefined ? {} : { thread_id: draft.thread_id }),
      ...(draft.platform_id === undefined ? {} : { reply_to: draft.platform_id }),
    },
  };
}

type StoredContent = NonNullable<InboundEvent["content"]>;

async function storeContent(parts: Parts, content: NonNullable<Draft["content"]>): Promise<StoredContent> {
  const attachments = [];
  for (const attachment of content.attachments ?? [])
    attachments.push(await storeAttachment(parts, attachment));
  return { ...(content as StoredContent), attachments };
}

/** Of no use to be asked for again: our own limit, and what the platform does not give out (sdk/http/remote-file). */
const omittable = new Set(["too_large", "unavailable"]);

async function storeAttachment({ paths, connector, space }: Parts, attachment: DraftAttachment) {
  const { data, omitIfTooLarge, ...rest } = attachment;
  const described = withoutUndefined(rest);
  if (data === undefined) return described;
  try {
    const { maxAttachmentBytes } = connector.settings;
    const { sha256, size, path } = await storeMedia(paths, data, maxAttachmentBytes, space);
    return { ...described, size, sha256, path };
  } catch (error) {
    if (omitIfTooLarge !== true || !(error instanceof SpoolwayError) || !omittable.has(error.code))
      throw error;
    return { ...described, omitted: error.code };
  }
}

function createState(state: LazyStateDb): State {
  // The connector's keys and the runtime's own never meet.
  return {
    get: async <T>(key: string) => (await state.get()).get(`connector:${key}`) as T | undefined,
    set: async (key, value) => (await state.get()).set(`connector:${key}`, value),
    delete: async (key) => (await state.get()).delete(`connector:${key}`),
  };
}

/** `raw` may hold big integers of a platform's library: digits, as everywhere. The plain way is tried first; a replacer costs more than the rest. */
function stringify(event: InboundEvent): string {
  try {
    return JSON.stringify(event);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return JSON.stringify(event, (_key, value: unknown) =>
      typeof value === "bigint" ? String(value) : value,
    );
  }
}

function withoutUndefined<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
