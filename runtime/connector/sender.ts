// One message on its way out: from its claim to a receipt, a dead letter or a retry entry. Which of them follows from the fate of the send.
//
//   ok ─▶ T3 sent            retry, uncertain (resend) ─▶ T4, counted; its lane waits
//   reject ─▶ T5 failed      rate_limited ─▶ T4, not counted; everything waits
//   budget used up ─▶ T5     reconnect, stop ─▶ T4, not counted; the session ends
import type { AttemptRecord } from "../../schema/types.ts";
import type { ConnectorSettings } from "../config/model.ts";
import { type Fate, SpoolwayError, toSpoolwayError } from "../errors.ts";
import type { Logger, Outgoing, SendResult } from "../sdk.ts";
import type { Outbox } from "../spool/outbox.ts";
import type { Accepted } from "../spool/records.ts";
import { backoffMs, sleep } from "../timing.ts";
import type { Status } from "./status.ts";

/** What the session offers for sending. */
export interface SendPort {
  /** Aborts when the session is lost. */
  readonly signal: AbortSignal;
  send(
    message: Outgoing,
    attempt: number,
    mayHaveBeenSent: boolean,
    signal: AbortSignal,
  ): Promise<SendResult | void>;
  /** Undefined: cannot be told. */
  reconcile(message: Outgoing): Promise<SendResult | "not_sent" | undefined>;
}

export interface HaltingPort extends SendPort {
  /** Stops all sending: for waitMs after rate_limited, for the rest of the session after reconnect and stop. */
  halt(error: SpoolwayError, waitMs: number): void;
}

/** What became of the message, for its lane. */
export type Outcome = { kind: "settled" } | { kind: "waiting"; file: string; waitMs: number };

export class Sender {
  readonly #outbox: Outbox;
  readonly #settings: ConnectorSettings;
  readonly #status: Status;
  readonly #log: Logger;
  /** Aborts when the process gives up for good: nothing more is written. */
  readonly #giveUp: AbortSignal;

  constructor(outbox: Outbox, settings: ConnectorSettings, status: Status, log: Logger, giveUp: AbortSignal) {
    this.#outbox = outbox;
    this.#settings = settings;
    this.#status = status;
    this.#log = log;
    this.#giveUp = giveUp;
  }

  /** Attempts that count, before the dead letter. */
  get attemptsMax(): number {
    return this.#settings.retryAttempts;
  }

  /** Sends a claimed message and settles it. */
  async deliver(port: HaltingPort, entry: Accepted): Promise<Outcome> {
    if (isExpired(entry))
      return this.fail(
        entry,
        new SpoolwayError("expired", `it was to be sent before ${entry.message.expires_at}`),
      );
    const startedAt = new Date().toISOString();
    let result: SendResult | void;
    try {
      result = await this.#attempt(port, entry);
    } catch (thrown) {
      return this.#settleFailure(port, entry, startedAt, this.#judge(thrown, port.signal));
    }
    return this.succeed(entry, result ?? {});
  }

  /** R1: a claim that a crash left without an outcome. Undefined: send it again. */
  async reconcile(port: SendPort, entry: Accepted): Promise<Outcome | undefined> {
    let found: SendResult | "not_sent" | undefined;
    try {
      found = await port.reconcile(toOutgoing(entry));
    } catch (thrown) {
      const error = toSpoolwayError(thrown);
      // Without an answer it stays a claim, and the question is asked again in the next session.
      if (error.fate === "reconnect" || error.fate === "stop") throw error;
      this.#log.warn("reconcile.failed", { id: entry.id, code: error.code, error: error.message });
    }
    if (found === "not_sent") return undefined;
    if (found !== undefined) return this.succeed(entry, { ...found, reconciled: true });
    if (this.#settings.onUncertain === "resend") return undefined;
    return this.fail(
      entry,
      new SpoolwayError("outcome_unknown", "the process ended while it was being sent"),
    );
  }

  async succeed(entry: Accepted, result: SendResult & { reconciled?: boolean }): Promise<Outcome> {
    await this.#persist(() => this.#outbox.sent(entry, result));
    this.#status.sent += 1;
    this.#status.lastSentAt = new Date().toISOString();
    this.#log.debug("message.sent", { id: entry.id });
    return { kind: "settled" };
  }

  /** Dead letter. `from`: its name in retry/ where it was not claimed. */
  async fail(entry: Accepted, error: SpoolwayError, from?: string): Promise<Outcome> {
    await this.#persist(() => this.#outbox.failed(entry, error, from));
    this.#status.failed += 1;
    this.#log.warn("message.failed", {
      id: entry.id,
      code: error.code,
      fate: error.fate,
      error: error.message,
    });
    return { kind: "settled" };
  }

  async #attempt(port: SendPort, entry: Accepted): Promise<SendResult | void> {
    // Not AbortSignal.any: with a listener it is kept as long as the session's signal lives, and with it every message that was ever sent.
    const given = new AbortController();
    const sessionEnds = (): void => given.abort(port.signal.reason);
    if (port.signal.aborted) sessionEnds();
    port.signal.addEventListener("abort", sessionEnds, { once: true });
    const timer = setTimeout(() => given.abort(), this.#settings.sendTimeoutMs);
    const mayHaveBeenSent = entry.history.some((attempt) => attempt.fate === "uncertain");
    try {
      const sending = port.send(toOutgoing(entry), entry.attempts, mayHaveBeenSent, given.signal);
      return await Promise.race([sending, abandoned(given.signal, port.signal)]);
    } finally {
      clearTimeout(timer);
      port.signal.removeEventListener("abort", sessionEnds);
    }
  }

  /** An error that says nothing of the message, thrown when the session was lost or the time was up, leaves it uncertain. What it quotes of our secrets goes. */
  #judge(thrown: unknown, session: AbortSignal): SpoolwayError {
    const error = toSpoolwayError(thrown);
    error.message = this.#status.redactor.text(error.message);
    if (thrown instanceof SpoolwayError) return error;
    return session.aborted ? new SpoolwayError("timed_out", error.message, { cause: thrown }) : error;
  }

  async #settleFailure(
    port: HaltingPort,
    entry: Accepted,
    startedAt: string,
    error: SpoolwayError,
  ): Promise<Outcome> {
    const counted = error.fate === "retry" || error.fate === "uncertain";
    const failed = withAttempt(entry, startedAt, error, counted);
    if (error.fate === "reject") return this.fail(failed, error);
    if (error.fate === "uncertain" && this.#settings.onUncertain === "hold") {
      return this.fail(failed, new SpoolwayError("outcome_unknown", error.message));
    }
    if (counted && failed.budgetUsed >= this.#settings.retryAttempts) {
      const message = `${failed.budgetUsed} attempts failed; the last one with ${error.code}: ${error.message}`;
      return this.fail(failed, new SpoolwayError("attempts_exhausted", message));
    }
    const waitMs = this.#waitMs(failed, error);
    if (!counted) port.halt(error, waitMs);
    // One due time for all tries to write it: it is in the name, and a second name would be a second entry.
    const dueMs = Date.now() + waitMs;
    const file = await this.#persist(() => this.#outbox.retry(failed, dueMs, error));
    if (counted) this.#status.retried += 1;
    this.#log.info("message.deferred", {
      id: entry.id,
      code: error.code,
      fate: error.fate,
      wait_ms: waitMs,
      error: error.message,
    });
    return { kind: "waiting", file, waitMs };
  }

  #waitMs(entry: Accepted, error: SpoolwayError): number {
    if (error.fate === "reconnect" || error.fate === "stop") return 0;
    if (error.retryAfterMs !== undefined) return Math.max(0, error.retryAfterMs);
    const tries = error.fate === "rate_limited" ? 3 : entry.budgetUsed;
    return backoffMs(tries, this.#settings.retryBaseMs, this.#settings.retryMaxMs);
  }

  /**
   * The outcome of a send must reach the disk: while it cannot (disk full), this lane waits and it is tried again. If the process ends meanwhile the
   * claim is uncertain, which is the truth.
   */
  async #persist<T>(write: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await write();
      } catch (error) {
        if (this.#giveUp.aborted) throw error;
        this.#log.error("spool.write_failed", { error, attempt });
        await sleep(backoffMs(attempt, 200, 10_000), this.#giveUp);
      }
    }
  }
}

export function isExpired(entry: Accepted): boolean {
  return entry.message.expires_at !== undefined && Date.parse(entry.message.expires_at) <= Date.now();
}

/** The entry with one more try in its history. */
export function withAttempt(
  entry: Accepted,
  startedAt: string,
  error: { code: string; message: string; fate: Fate },
  counted: boolean,
): Accepted {
  const attempt: AttemptRecord = {
    attempt: Math.max(1, entry.attempts),
    started_at: startedAt,
    ended_at: new Date().toISOString(),
    fate: error.fate,
    code: error.code,
    message: error.message.slice(0, 1000),
    counted,
  };
  return { ...entry, budgetUsed: entry.budgetUsed + (counted ? 1 : 0), history: [...entry.history, attempt] };
}

function toOutgoing(entry: Accepted): Outgoing {
  return { ...entry.message, id: entry.id, action: entry.message.action ?? "message" };
}

const graceMs = 2000;

/** Rejects some time after the signal: a send that ignores it must not hold its lane for ever. It may still have arrived: uncertain. */
function abandoned(signal: AbortSignal, session: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const giveUp = (): void => {
      const why = session.aborted
        ? "the connection was lost while it was being sent"
        : "no answer within runtime.send_timeout";
      setTimeout(() => reject(new SpoolwayError("timed_out", why)), graceMs).unref();
    };
    if (signal.aborted) giveUp();
    else signal.addEventListener("abort", giveUp, { once: true });
  });
}
