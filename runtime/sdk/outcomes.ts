// spoolway/sdk/outcomes: messages that were said to a platform which answers to each by its id, sooner or later and in any order. Each ends with the fate that keeps
// it from being lost or doubled:
//
//   ask ──▶ said ──settle──▶ resolves, or rejects with what the platform said
//     │       ├─ time is up: uncertain
//     │       └─ end: uncertain
//     └ over already: reconnect
import { reconnect, type SendResult, uncertain } from "../sdk.ts";

export class Outcomes {
  readonly #who: string;
  readonly #waiting = new Map<string, PromiseWithResolvers<SendResult>>();
  /** Why nobody will answer any more; set once. */
  #over: string | undefined;

  /** `who` is the other side in error messages. */
  constructor(who: string) {
    this.#who = who;
  }

  /** Calls `say` and resolves with the answer to `id`; rejects with the message's fate. `signal` is the time limit. */
  async ask(id: string, say: () => void, signal: AbortSignal): Promise<SendResult> {
    if (this.#over !== undefined) throw reconnect(this.#over);
    const answer = Promise.withResolvers<SendResult>();
    const late = (): void => answer.reject(uncertain(this.#over ?? `${this.#who} did not answer in time`));
    signal.addEventListener("abort", late, { once: true });
    this.#waiting.set(id, answer);
    try {
      say();
      if (signal.aborted) late();
      return await answer.promise;
    } finally {
      signal.removeEventListener("abort", late);
      if (this.#waiting.get(id) === answer) this.#waiting.delete(id);
    }
  }

  /** The answer came: a result, or an error with its fate. False when nobody waits for this id (any more). */
  settle(id: string, answer: SendResult | Error): boolean {
    const waiting = this.#waiting.get(id);
    if (answer instanceof Error) waiting?.reject(answer);
    else waiting?.resolve(answer);
    return this.#waiting.delete(id);
  }

  /** Nobody answers any more. */
  end(why: string): void {
    this.#over ??= why;
    for (const [id] of this.#waiting) this.settle(id, uncertain(`${why} before it answered`));
  }
}
