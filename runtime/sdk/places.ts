// spoolway/sdk/places: where something was said, on a platform whose threads are channels of their own that lie in another one: to people they are a part of it. Each channel is asked
// for once.
import type { Draft, Logger } from "../sdk.ts";
import { unlessRefused } from "./http/explained.ts";

export interface PlaceFacts {
  type: "direct" | "group" | "channel";
  name?: string | null | undefined;
  /** Of a thread: the channel that it lies in. */
  parent?: string | null | undefined;
}

export type Place = Pick<Draft, "conversation" | "thread_id">;

const maxKnown = 10_000;

export class Places {
  readonly #find: (id: string) => Promise<PlaceFacts>;
  readonly #known = new Map<string, PlaceFacts>();

  /** What `find` refuses (reject) is a channel of which nothing is known. */
  constructor(find: (id: string) => Promise<PlaceFacts>, log: Logger) {
    this.#find = (id) => unlessRefused(find(id), { type: "channel" }, log, `channel ${id}`);
  }

  /** Throws what `find` throws, but for refusals. */
  async of(id: string): Promise<Place> {
    const facts = this.#known.get(id) ?? (await this.#find(id));
    if (this.#known.size >= maxKnown) this.#known.clear();
    this.#known.set(id, facts);
    const { type, name, parent } = facts;
    if (parent) return { ...(await this.of(parent)), thread_id: id };
    return { conversation: { id, type, name: name ?? undefined } };
  }

  /** It has another name now, or lies elsewhere. */
  changed(id: string): void {
    this.#known.delete(id);
  }
}
