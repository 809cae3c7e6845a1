// spoolway/sdk/catch-up: what was said in a platform's rooms while no session was open, where the live stream does not bring it: read from the rooms' histories, under the same
// keys, so that nothing comes twice. Live events wait for it (`done`), so that the order is kept; but not while the platform asks to wait.
//
//   sync ─▶ rooms ─▶ each room's history since the last sync ─▶ cursor: the time at which this one began
import { type Draft, SpoolwayError, type SyncContext, type SyncResult } from "../sdk.ts";
import { asItIs } from "./as-it-is.ts";
import { type Patience, patiently } from "./http/pages.ts";

export interface History<Room> {
  /** By how much the platform's clock is ahead of ours. */
  clockAheadMs: number;
  /** No further back than this. 0: nothing is read. */
  hoursMax: number;
  rooms(patience: Patience): Promise<Room[]>;
  /** What was said there since (seconds since 1970), oldest first, each made a draft when its turn comes. Throws a refusal where the platform does not show it. */
  read(room: Room, span: Span, patience: Patience): Promise<Array<() => Promise<Draft | undefined>>>;
}

export interface Span {
  sinceS: number;
  /** No further back than this, also where older things say that there is something new (an answer in a thread). */
  oldestS: number;
}

/** For clocks that differ, and for what was under way. */
const overlapS = 60;
/** So long before that are threads looked for that go on. */
const threadS = 86_400;

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
    const span = { sinceS, oldestS: Math.max(sinceS - threadS, nowS - hoursMax * 3600) };
    const patience: Patience = (ask) => patiently(ask, ctx.signal, () => this.#done.resolve());
    const isRefused = (error: unknown): undefined => {
      // A scope or a right is missing: said in the log, and the rest goes on.
      if (!(error instanceof SpoolwayError) || error.fate !== "reject") throw error;
      ctx.log.warn("history.refused", { error: error.message, hint: error.hint });
    };
    try {
      const isWanted = since !== undefined && hoursMax > 0;
      const rooms = isWanted ? await history.rooms(patience).catch(isRefused) : undefined;
      for (const room of rooms ?? []) {
        for (const make of (await history.read(room, span, patience).catch(isRefused)) ?? []) {
          const draft = await make();
          if (draft) await ctx.deliver(draft).catch(asItIs(ctx, draft));
        }
      }
    } finally {
      this.#done.resolve();
    }
    return { cursor: String(nowS) };
  }
}
