// spoolway/sdk/socket/fence: a link to somebody who confirms nothing but works off what it is told in order. Whatever is said is followed by a question that is always
// answered (IRC: PING). When that answer, the fence, is back, every complaint about what was said has come before it, and silence means yes.
//
//   exchange(lines) ──▶ line, line, fence ──▶ what is heard meanwhile is offered to `take` … ──fence is back──▶ resolves, or rejects with what `take` threw
//                              └─ lost or silent: reconnect when no line was written, else uncertain
import { randomBytes } from "node:crypto";
import { reconnect, sleep, uncertain } from "../../sdk.ts";
import { type Pace, Pacer } from "./pacer.ts";

const fenceMs = 30_000;

/** How to ask a question that is always answered. `token` is in the question and in its answer. */
export interface Fence<Message> {
  question(token: string): string;
  isAnswer(message: Message, token: string): boolean;
}

/** Gets a message; returns whether it is dealt with, so that nobody else makes an event of it. */
export type Listener<Message> = (message: Message) => boolean;

export interface ExchangeOptions<Message> {
  /** Is offered all that comes until the last line is worked off. A throw, the first one counts, becomes the exchange's: no more lines are written then. */
  take?: Listener<Message>;
  /** So many lines are written, then it waits for the fence before the next: for those who end a connection whose queue is long. Default: all. */
  window?: number;
  /** How long the fence may take. */
  timeoutMs?: number;
  /** Past the pace, at once. */
  urgent?: boolean;
}

export class FencedLink<Message> {
  /** The other side, in error messages. */
  readonly who: string;
  /** Writes one line now, past the pace; nothing happens when the connection is gone. */
  readonly write: (line: string) => void;
  readonly #fence: Fence<Message>;
  readonly #pacer: Pacer;
  readonly #lost = new AbortController();
  readonly #listeners = new Set<Listener<Message>>();

  /** Lines of an exchange are written no faster than `pace`. */
  constructor(who: string, pace: Pace, fence: Fence<Message>, write: (line: string) => void) {
    this.who = who;
    this.write = write;
    this.#fence = fence;
    this.#pacer = new Pacer(pace);
  }

  /** Aborts once, when the connection is gone or the session is over; its reason is the error. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Ends it with this reason; later calls change nothing. */
  lose(reason: Error): void {
    this.#lost.abort(reason);
  }

  /** Ends it when the session ends. */
  endWith(session: AbortSignal): void {
    const end = (): void => this.lose(reconnect("the session is over"));
    if (session.aborted) end();
    else session.addEventListener("abort", end, { once: true });
  }

  /** To be called with everything that comes in. Returns whether a listener has dealt with it. */
  hear(message: Message): boolean {
    return [...this.#listeners].map((listener) => listener(message)).includes(true);
  }

  /** Resolves with the first message for which `isIt` holds. Rejects with what it throws, with why the link was lost, or with reconnect after `timeoutMs`. */
  until(isIt: (message: Message) => boolean, timeoutMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const listener = (message: Message): boolean => {
      try {
        if (isIt(message)) resolve();
      } catch (thrown) {
        reject(thrown as Error);
      }
      return false;
    };
    const onLost = (): void => reject(this.lost.reason as Error);
    const silent = reconnect(`${this.who} did not answer within ${timeoutMs / 1000} s`);
    const late = setTimeout(() => reject(silent), timeoutMs);
    this.#listeners.add(listener);
    this.lost.addEventListener("abort", onLost);
    if (this.lost.aborted) onLost();
    return promise.finally(() => {
      clearTimeout(late);
      this.#listeners.delete(listener);
      this.lost.removeEventListener("abort", onLost);
    });
  }

  /** Writes the lines, each in its turn, and resolves when the other side has worked off the last one. Throws as the head of this file says. */
  async exchange(lines: readonly string[] = [], options: ExchangeOptions<Message> = {}): Promise<void> {
    const { take = () => false, window = lines.length, timeoutMs = fenceMs, urgent = false } = options;
    const refusals: unknown[] = [];
    const listener = (message: Message): boolean => {
      try {
        return take(message);
      } catch (thrown) {
        return refusals.push(thrown) > 0;
      }
    };
    let written = 0;
    this.#listeners.add(listener);
    try {
      do {
        for (const line of lines.slice(written, written + window)) {
          await this.#turn(urgent);
          this.write(line);
          written += 1;
        }
        await this.#passFence(timeoutMs, urgent);
      } while (written < lines.length && refusals.length === 0);
    } catch (error) {
      const why = (error as Error).message;
      throw written === 0 ? reconnect(why, { cause: error }) : uncertain(why, { cause: error });
    } finally {
      this.#listeners.delete(listener);
    }
    // Only now: what is said next must not hear complaints about this.
    if (refusals.length > 0) throw refusals[0];
  }

  /** Calls the task every `ms`. Rejects with why the link was lost, or with what the task throws. */
  async repeat(ms: number, task: () => Promise<void>): Promise<never> {
    for (;;) {
      await sleep(ms, this.lost);
      this.lost.throwIfAborted();
      await task();
    }
  }

  async #turn(urgent: boolean): Promise<void> {
    if (!urgent) await this.#pacer.turn(this.lost);
    this.lost.throwIfAborted();
  }

  async #passFence(timeoutMs: number, urgent: boolean): Promise<void> {
    const token = `spoolway-${randomBytes(6).toString("hex")}`;
    await this.#turn(urgent);
    const back = this.until((message) => this.#fence.isAnswer(message, token), timeoutMs);
    this.write(this.#fence.question(token));
    await back;
  }
}
