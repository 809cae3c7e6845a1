// spoolway/sdk/lifeline: a connection's one end, with its reason: whoever waits for something over it is told, instead of waiting for ever.

export class Lifeline {
  readonly #end = new AbortController();

  /** Aborts once; its reason is why. */
  get lost(): AbortSignal {
    return this.#end.signal;
  }

  /** Ends it; false where it was over already. */
  lose(why: Error): boolean {
    if (this.lost.aborted) return false;
    this.#end.abort(why);
    return true;
  }

  /** Settles as `work` does; rejects with why it was lost, as soon as it is. */
  orLost<T>(work: Promise<T>): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    const onLost = (): void => reject(this.lost.reason as Error);
    this.lost.addEventListener("abort", onLost);
    if (this.lost.aborted) onLost();
    return Promise.race([promise, work]).finally(() => this.lost.removeEventListener("abort", onLost));
  }
}
