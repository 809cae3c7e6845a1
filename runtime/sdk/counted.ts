// spoolway/sdk/counted: a stream on which each side counts what it gets and tells the other how far it is, so that after a loss only the rest is sent again
// (XMPP's stream management).
//
//   in    take() ─▶ done(), in any order ─▶ `handled`: everything up to there is done
//   out   add(item) ─▶ ack(count): everything up to there is theirs, and is returned once
//
// What is told is the count modulo 2^32.

const modulus = 2 ** 32;

/** What came in. */
export class CountedIn {
  #handled: number;
  #taken: number;
  readonly #done = new Set<number>();
  #asked: Array<{ at: number; then: () => void }> = [];

  /** `handled` goes on from an earlier stream. */
  constructor(handled = 0) {
    this.#handled = handled;
    this.#taken = handled;
  }

  get handled(): number {
    return this.#handled % modulus;
  }

  /** Counts one; call what is returned when it is dealt with for good. */
  take(): () => void {
    const at = (this.#taken += 1);
    return () => {
      if (at > this.#handled) this.#done.add(at);
      while (this.#done.delete(this.#handled + 1)) this.#handled += 1;
      const isDue = (one: { at: number }): boolean => one.at <= this.#handled;
      const due = this.#asked.filter(isDue);
      this.#asked = this.#asked.filter((one) => !isDue(one));
      for (const { then } of due) then();
    };
  }

  /** Calls back when everything that was taken so far is done: at once where it is already. */
  whenHandled(then: () => void): void {
    if (this.#taken === this.#handled) then();
    else this.#asked.push({ at: this.#taken, then });
  }
}

/** What went out and was not acknowledged yet. */
export class CountedOut<T> {
  #acked: number;
  readonly #waiting: T[] = [];

  /** `acked` goes on from an earlier stream. */
  constructor(acked = 0) {
    this.#acked = acked;
  }

  add(item: T): void {
    this.#waiting.push(item);
  }

  /** The other side has got `count`: what that is more than before, oldest first. A count of what was never sent acknowledges nothing. */
  ack(count: number): T[] {
    const more = (((count - this.#acked) % modulus) + modulus) % modulus;
    if (!Number.isInteger(more) || more > this.#waiting.length) return [];
    this.#acked = count;
    return this.#waiting.splice(0, more);
  }
}
