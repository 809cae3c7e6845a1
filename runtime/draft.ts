// An event as a connector hands it over, before the runtime makes an inbox file of it.
import type { Readable } from "node:stream";
import type { InboundEvent } from "../schema/types.ts";

/** Bytes that came with an event. `data` is streamed into spool/media; give `url` where it was not fetched. */
export interface DraftAttachment {
  name: string;
  media_type?: string;
  data?: Uint8Array | Readable;
  url?: string;
}

/** An event as a connector delivers it; the runtime adds version, id, received_at, connector and reply. */
export interface Draft extends Omit<
  InboundEvent,
  "version" | "id" | "received_at" | "connector" | "reply" | "content" | "kind"
> {
  /**
   * What makes the platform's event unique: conversation, message id, revision. The same key is the same event, delivered once. Without it every
   * delivery is a new event.
   */
  key?: readonly string[];
  /** Default "message". */
  kind?: InboundEvent["kind"];
  content?: Omit<NonNullable<InboundEvent["content"]>, "attachments"> & { attachments?: DraftAttachment[] };
}
