// spoolway/sdk/rate-cap: so many log lines a second, and the number of those that were left out: whoever floods us cannot fill the disk with its log.

export class RateCap {
  readonly #perSecond: number;
  readonly #report: (suppressed: number) => void;
  #windowStart = -Infinity;
  #used = 0;
  #suppressed = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `report` is called with the number of lines left out, within a second of the first of them, or at flush. */
  constructor(perSecond: number, report: (suppressed: number) => void) {
    this.#perSecond = perSecond;
    this.#report = report;
  }

  /** Whether one more line may be logged now. */
  allows(): boolean {
    const now = performance.now();
    if (now - this.#windowStart >= 1000) {
      this.flush();
      this.#windowStart = now;
      this.#used = 0;
    }
    this.#used += 1;
    if (this.#used <= this.#perSecond) return true;
    this.#suppressed += 1;
    // Nothing may come after them that would tell.
    this.#timer ??= setTimeout(() => this.flush(), 1000).unref();
    return false;
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#suppressed > 0) this.#report(this.#suppressed);
    this.#suppressed = 0;
  }
}
