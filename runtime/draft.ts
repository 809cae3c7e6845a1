// An event as a connector hands it over, before the runtime makes an inbox file of it.
import type { Readable } from "node:stream";
import type { InboundEvent } from "../schema/types.ts";

/** T, whose optional keys may be undefined as well, which means absent: so that what a platform leaves out can be passed on as it is. */
export type Loose<T> = { [K in keyof T]: object extends Pick<T, K> ? T[K] | undefined : T[K] };

/** Bytes that came with an event. `data` is streamed into spool/media; give `url` and `omitted` (a code) where it was not fetched. */
export interface DraftAttachment {
  name: string;
  /** Bytes, where the platform tells; what is stored is counted. */
  size?: number;
  omitted?: string;
  media_type?: string;
  data?: Uint8Array | Readable;
  /**
   * More bytes than runtime.max_attachment_bytes: true delivers the event without them (`omitted`), else deliver rejects with too_large. For platforms that would
   * give the same event again and again.
   */
  omitIfTooLarge?: boolean;
  url?: string;
}

type Event = Required<InboundEvent>;

/** An event as a connector delivers it; the runtime adds version, id, received_at, connector and reply. A key that is undefined counts as absent. */
export interface Draft extends Loose<
  Omit<
    InboundEvent,
    "version" | "id" | "received_at" | "connector" | "reply" | "content" | "kind" | "sender" | "conversation"
  >
> {
  /**
   * What makes the platform's event unique: conversation, message id, revision. The same key is the same event, delivered once. Without it every
   * delivery is a new event.
   */
  key?: readonly string[] | undefined;
  /** The conversation_id of `reply`, where answers belong elsewhere than to the conversation: MQTT's response topic, the Reply-To of a mail. */
  answer_to?: string | undefined;
  /** Default "message". */
  kind?: InboundEvent["kind"] | undefined;
  sender?: Loose<Event["sender"]> | undefined;
  conversation?: Loose<Event["conversation"]> | undefined;
  content?: Loose<Omit<Event["content"], "attachments"> & { attachments?: DraftAttachment[] }> | undefined;
}
