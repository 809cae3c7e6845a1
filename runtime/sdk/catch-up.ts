// spoolway/sdk/catch-up: what was said in a platform's rooms while no session was open, where the live stream does not bring it: read from the rooms' histories, under the same
// keys, so that nothing comes twice. Live events wait for it (`done`), so that the order is kept; but not while the platform asks to wait.
//
//   sync ─▶ rooms ─▶ each room's history since the last sync ─▶ cursor: the time at which this one began
import { type Draft, SpoolwayError, type SyncContext, type SyncResult } from "../sdk.ts";
import { deliverAsTold } from "./as-told.ts";
import { patiently } from "./pages.ts";

export interface History<Room> {
  /** By how much the platform's clock is ahead of ours. */
  clockAheadMs: number;
  /** No further back than this. 0: nothing is read. */
  hoursMax: number;
  rooms(): Promise<Room[]>;
  /** What was said there since (seconds since 1970), oldest first. Throws a refusal where the platform does not show it. */
  read(room: Room, sinceS: number): Promise<Array<Draft | undefined>>;
}

/** For clocks that differ, and for what was under way. */
const overlapS = 60;

export class CatchUp {
  readonly #done = Promise.withResolvers<void>();

  /** Nobody waits any more when the session is over. */
  constructor(signal: AbortSignal) {
    signal.addEventListener("abort", () => this.#done.resolve(), { once: true });
  }

  /** Resolves when live events may be delivered. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  /** For a connector's `sync`. The first one ever only notes the time. */
  async run<Room>(history: History<Room>, since: string | undefined, ctx: SyncContext): Promise<SyncResult> {
    const { hoursMax, clockAheadMs } = history;
    const nowS = (Date.now() + clockAheadMs) / 1000;
    const sinceS = Math.max(Number(since) - overlapS, nowS - hoursMax * 3600);
    const patient = <T>(ask: () => Promise<T>): Promise<T> =>
      patiently(ask, ctx.signal, () => this.#done.resolve());
    const isRefused = (error: unknown): undefined => {
      // A scope or a right is missing: said in the log, and the rest goes on.
      if (!(error instanceof SpoolwayError) || error.fate !== "reject") throw error;
      ctx.log.warn("history.refused", { error: error.message, hint: error.hint });
    };
    try {
      const isWanted = since !== undefined && hoursMax > 0;
      const rooms = isWanted ? await patient(() => history.rooms()).catch(isRefused) : undefined;
      for (const room of rooms ?? []) {
        const drafts = await patient(() => history.read(room, sinceS)).catch(isRefused);
        for (const draft of drafts ?? []) if (draft) await deliverAsTold(ctx, draft);
      }
    } finally {
      this.#done.resolve();
    }
    return { cursor: String(nowS) };
  }
}
