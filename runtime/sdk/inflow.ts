// spoolway/sdk/inflow: what a connection pushes at us, taken one after the other by whoever deals with it. In bounded memory: while too much waits the source is
// paused, so that the platform waits.
//
//   add, add … ─▶ next, next … ─▶ end(why): next throws that; what waited then was not taken, and the platform has to say it again
import type { Pausable } from "./backlog.ts";

const maxWaiting = 1000;

export class Inflow<T> {
  readonly #source: Pausable;
  readonly #max: number;
  readonly #waiting: T[] = [];
  #end: Error | undefined;
  #ring = (): void => {};
  #isPaused = false;

  constructor(source: Pausable, max = maxWaiting) {
    this.#source = source;
    this.#max = max;
  }

  /** Nothing waits. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** The source is paused: that it says nothing does not mean that it is dead. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** What comes after the end is dropped. */
  add(item: T): void {
    if (this.#end !== undefined) return;
    this.#waiting.push(item);
    if (!this.#isPaused && this.#waiting.length >= this.#max) {
      this.#isPaused = true;
      this.#source.pause();
    }
    this.#ring();
  }

  /** The oldest that waits, which stays; waits for one. Throws the reason after the end. One caller at a time. */
  async first(): Promise<T> {
    while (this.#waiting.length === 0 && this.#end === undefined)
      await new Promise<void>((resolve) => (this.#ring = resolve));
    if (this.#end !== undefined) throw this.#end;
    return this.#waiting[0] as T;
  }

  /** The same, and takes it. */
  async next(): Promise<T> {
    const item = await this.first();
    this.#waiting.shift();
    if (this.#isPaused && this.#waiting.length <= this.#max / 2) {
      this.#isPaused = false;
      this.#source.resume();
    }
    return item;
  }

  /** Of several reasons the first one counts. */
  end(why: Error): void {
    this.#end ??= why;
    this.#waiting.length = 0;
    this.#ring();
  }
}
