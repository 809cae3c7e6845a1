// Publishing events into spool/inbox (I1): many deliveries share one group commit, the same id is published once.
import { SpoolwayError } from "../errors.ts";
import { inboxName, type SpoolPaths } from "./names.ts";
import { publish } from "./publish.ts";
import type { DiskSpace } from "./space.ts";
import type { LazyStateDb, StateDb } from "./statedb.ts";

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
  readonly #space: DiskSpace | undefined;
  #queue: Waiting[] = [];
  /** Ids being published now: a redelivery that arrives meanwhile gets the same answer. */
  readonly #underway = new Map<string, Promise<{ duplicate: boolean }>>();
  #running: Promise<void> | undefined;
  /** Ids whose events are durable and that the database could not take (a full disk): at most one batch, recorded before the next. */
  #unrecorded: string[] = [];

  /** Without `space` events may fill the disk. */
  constructor(paths: SpoolPaths, state: LazyStateDb, space?: DiskSpace) {
    this.#paths = paths;
    this.#state = state;
    this.#space = space;
  }

  /**
   * Resolves once the event is on stable storage, or was before (`duplicate`). Rejects with spool_full or spool_write_failed: then nothing may be
   * acknowledged to the platform.
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
        const failure =
          error instanceof SpoolwayError
            ? error
            : new SpoolwayError("spool_write_failed", (error as Error).message, { cause: error });
        // ORDER: what was delivered behind it must not overtake it.
        for (const item of [...batch, ...this.#queue.splice(0)]) item.reject(failure);
      }
    }
    this.#running = undefined;
  }

  async #commit(batch: Waiting[]): Promise<void> {
    const state = await this.#state.get();
    if (this.#unrecorded.length > 0) {
      state.addSeen(this.#unrecorded);
      this.#unrecorded = [];
    }
    const fresh: Waiting[] = [];
    for (const item of batch) {
      if (state.hasSeen(item.id)) item.resolve({ duplicate: true });
      else fresh.push(item);
    }
    if (fresh.length === 0) return;
    this.#space?.demand(
      fresh.reduce((sum, item) => sum + item.bytes.length, 0),
      fresh.length,
    );
    state.markOpen();
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
    this.#record(
      state,
      durable.map((item) => item.id),
    );
    for (const item of durable) item.resolve({ duplicate: false });
    const failed = outcomes.find((outcome) => !outcome.ok);
    // The rest of the batch: of one that is settled a rejection changes nothing.
    if (failed?.ok === false) throw failed.error;
  }

  /** What is durable was delivered, also when the database cannot say so yet: refused now, the platform would bring it again, and it would be there twice. */
  #record(state: StateDb, ids: string[]): void {
    try {
      state.addSeen(ids);
    } catch {
      this.#unrecorded = ids; // tried again before the next batch, and thrown there
    }
  }
}
