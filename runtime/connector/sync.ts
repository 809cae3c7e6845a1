// Sources that are polled: `sync` is called at once, then every syncEveryMs and on demand. The cursor moves only after everything that was delivered before
// it is durable.
import type { ConnectorSettings } from "../config/model.ts";
import { toSpoolwayError } from "../errors.ts";
import type { Context, Logger, SyncContext, SyncResult } from "../sdk.ts";
import type { LazyStateDb } from "../spool/statedb.ts";
import { backoffMs, sleep } from "../timing.ts";
import { clearError, setError, type Status } from "./status.ts";

type Sync = (session: unknown, since: string | undefined, ctx: SyncContext) => Promise<SyncResult>;

const cursorKey = "runtime:cursor";

export class Syncer {
  readonly #sync: Sync;
  readonly #settings: ConnectorSettings;
  readonly #state: LazyStateDb;
  readonly #status: Status;
  readonly #log: Logger;
  #demanded = new AbortController();

  constructor(sync: Sync, settings: ConnectorSettings, state: LazyStateDb, status: Status, log: Logger) {
    this.#sync = sync;
    this.#settings = settings;
    this.#state = state;
    this.#status = status;
    this.#log = log;
  }

  /** Syncs now instead of waiting for the schedule. */
  demand(): void {
    this.#demanded.abort();
  }

  /** Runs until ctx.signal aborts. Throws errors of fate stop and reconnect: they end the session. Others are tried again with backoff. */
  async run(session: unknown, ctx: Context): Promise<void> {
    let failures = 0;
    while (!ctx.signal.aborted) {
      this.#demanded = new AbortController();
      let more = false;
      try {
        more = await this.#once(session, ctx);
        failures = 0;
        clearError(this.#status);
        this.#status.liveness = "live";
      } catch (thrown) {
        if (ctx.signal.aborted) return;
        const error = toSpoolwayError(thrown);
        if (error.fate === "stop" || error.fate === "reconnect") throw error;
        failures += 1;
        setError(this.#status, error);
        this.#status.liveness = "failing";
        this.#log.warn("sync.failed", {
          code: error.code,
          error: error.message,
          failures,
          retry_after_ms: error.retryAfterMs,
        });
        await this.#wait(
          error.retryAfterMs ?? backoffMs(failures, 2000, this.#settings.syncEveryMs),
          ctx.signal,
        );
        continue;
      }
      if (!more) await this.#wait(this.#settings.syncEveryMs, ctx.signal);
    }
  }

  /** One call; true when the connector says that there is more. */
  async #once(session: unknown, ctx: Context): Promise<boolean> {
    const db = await this.#state.get();
    const since = db.get(cursorKey) as string | undefined;
    const deliveries: Array<Promise<unknown>> = [];
    const result = await this.#sync(session, since, {
      ...ctx,
      limit: this.#settings.syncLimit,
      deliver: (draft) => {
        const delivery = ctx.deliver(draft);
        deliveries.push(delivery);
        return delivery;
      },
    });
    // Also what the connector did not wait for. One that failed keeps the cursor where it was.
    await Promise.all(deliveries);
    if (result.cursor !== since) db.set(cursorKey, result.cursor);
    this.#status.lastSyncAt = new Date().toISOString();
    return result.more === true && result.cursor !== since;
  }

  async #wait(ms: number, signal: AbortSignal): Promise<void> {
    await sleep(ms, AbortSignal.any([signal, this.#demanded.signal]));
  }
}
