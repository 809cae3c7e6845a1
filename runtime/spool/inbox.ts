// Publishing events into spool/inbox (I1): many deliveries share one group commit, the same id is published once.
import { SpoolwayError } from "../errors.ts";
import { inboxName, type SpoolPaths } from "./names.ts";
import { publish } from "./publish.ts";
import type { LazyStateDb } from "./statedb.ts";

const maxBatch = 256;

interface Waiting {
  id: string;
  bytes: Uint8Array;
  resolve: (delivered: { duplicate: boolean }) => void;
  reject: (error: Error) => void;
}

export class InboxWriter {
  readonly #paths: SpoolPaths;
  readonly #state: LazyStateDb;
  #queue: Waiting[] = [];
  /** Ids being published now: a redelivery that arrives meanwhile gets the same answer. */
  readonly #underway = new Map<string, Promise<{ duplicate: boolean }>>();
  #running: Promise<void> | undefined;

  constructor(paths: SpoolPaths, state: LazyStateDb) {
    this.#paths = paths;
    this.#state = state;
  }

  /**
   * Resolves once the event is on stable storage, or was before (`duplicate`). Rejects with spool_write_failed: then nothing may be acknowledged
   * to the platform.
   */
  async deliver(id: string, bytes: Uint8Array): Promise<{ duplicate: boolean }> {
    const same = this.#underway.get(id);
    if (same !== undefined) {
      await same;
      return { duplicate: true };
    }
    const delivery = new Promise<{ duplicate: boolean }>((resolve, reject) => {
      this.#queue.push({ id, bytes, resolve, reject });
    });
    this.#underway.set(id, delivery);
    this.#running ??= this.#run();
    try {
      return await delivery;
    } finally {
      this.#underway.delete(id);
    }
  }

  /** Resolves when everything delivered so far is settled. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    // One turn later, so that what was delivered in this tick shares the first commit.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, maxBatch);
      try {
        await this.#commit(batch);
      } catch (error) {
        const failure = new SpoolwayError("spool_write_failed", (error as Error).message, { cause: error });
        for (const item of batch) item.reject(failure);
      }
    }
    this.#running = undefined;
  }

  async #commit(batch: Waiting[]): Promise<void> {
    const state = await this.#state.get();
    state.markOpen();
    const fresh: Waiting[] = [];
    for (const item of batch) {
      if (state.hasSeen(item.id)) item.resolve({ duplicate: true });
      else fresh.push(item);
    }
    const outcomes = await publish(
      this.#paths.tmp,
      fresh.map((item) => ({
        bytes: item.bytes,
        folder: this.#paths.inbox,
        name: () => inboxName(item.id),
        exclusive: false,
      })),
    );
    const durable = fresh.filter((_item, index) => outcomes[index]?.ok);
    // A crash between here and the line below: the next start adopts the ids from the inbox.
    state.addSeen(durable.map((item) => item.id));
    fresh.forEach((item, index) => {
      const outcome = outcomes[index];
      if (outcome?.ok) item.resolve({ duplicate: false });
      else item.reject(outcome?.error ?? new SpoolwayError("spool_write_failed", item.id));
    });
  }
}
