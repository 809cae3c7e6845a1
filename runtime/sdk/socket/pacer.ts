// spoolway/sdk/socket/pacer: a token bucket for what a platform counts finer than messages (lines, requests): so many at once after a pause, so many a second after
// that, first come, first served. For whole messages there is `runtime.rate`.
import { sleep } from "../../timing.ts";

/** How fast, in the words of a config. */
export interface Pace {
  burst: number;
  per_second: number;
}

export class Pacer {
  readonly #burst: number;
  readonly #perMs: number;
  #tokens: number;
  #countedAt = performance.now();
  #last: Promise<void> = Promise.resolve();

  constructor({ burst, per_second }: Pace) {
    this.#burst = burst;
    this.#perMs = per_second / 1000;
    this.#tokens = burst;
  }

  /** Resolves when it is one's turn, at once when the signal aborts. Turns come in the order of the calls. */
  turn(signal: AbortSignal): Promise<void> {
    this.#last = this.#last.then(() => this.#take(signal));
    return this.#last;
  }

  async #take(signal: AbortSignal): Promise<void> {
    this.#refill();
    if (this.#tokens < 1) await sleep((1 - this.#tokens) / this.#perMs, signal);
    this.#refill();
    this.#tokens = Math.max(0, this.#tokens - 1);
  }

  #refill(): void {
    const now = performance.now();
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#countedAt) * this.#perMs);
    this.#countedAt = now;
  }
}
