// Flood control: a token bucket, first come, first served. A server that gets lines faster than it likes ends the connection ("Excess Flood").
import { sleep } from "spoolway/sdk";

export class Pacer {
  readonly #burst: number;
  readonly #perMs: number;
  #tokens: number;
  #countedAt = performance.now();
  #last: Promise<void> = Promise.resolve();

  constructor(flood: { burst: number; per_second: number }) {
    this.#burst = flood.burst;
    this.#perMs = flood.per_second / 1000;
    this.#tokens = flood.burst;
  }

  /** Resolves when one more line may be written, at once when the signal aborts. Turns come in the order of the calls. */
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
