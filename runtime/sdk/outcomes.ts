// spoolway/sdk/outcomes: messages that were said to a platform which answers to each by its id, sooner or later and in any order. Each ends with the fate that keeps
// it from being lost or doubled:
//
//   ask ──▶ said ──settle──▶ resolves, or rejects with what the platform said
//     │       ├─ time is up: uncertain, or what the caller knows better (Silence)
//     │       └─ end: the same
//     └ over already: reconnect
import { reconnect, type SendResult, uncertain } from "../sdk.ts";

/** How a message ends that nobody has answered. */
export interface Silence {
  /** Its time is up. */
  late(): Error;
  /** Nobody will, and why. */
  over(why: string): Error;
}

interface Waiting extends PromiseWithResolvers<SendResult> {
  silence: Silence;
}

export class Outcomes {
  readonly #uncertain: Silence;
  readonly #waiting = new Map<string, Waiting>();
  /** Why nobody will answer any more; set once. */
  #over: string | undefined;

  /** `who` is the other side in error messages. */
  constructor(who: string) {
    this.#uncertain = {
      late: () => uncertain(`${who} did not answer in time`),
      over: (why) => uncertain(`${why} before it answered`),
    };
  }

  /** Calls `say` and resolves with the answer to `id`; rejects with the message's fate. `signal` is the time limit. `silence`: where more is known than that it was said. */
  async ask(
    id: string,
    say: () => void,
    signal: AbortSignal,
    silence: Silence = this.#uncertain,
  ): Promise<SendResult> {
    if (this.#over !== undefined) throw reconnect(this.#over);
    const answer = { ...Promise.withResolvers<SendResult>(), silence };
    const late = (): void => answer.reject(silence.late());
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
    for (const [id, { silence }] of this.#waiting) this.settle(id, silence.over(why));
  }
}
