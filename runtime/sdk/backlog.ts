// spoolway/sdk/backlog: events that a connection pushes at us while older ones are still being fetched (the archive of a chat): they wait, in order, until those are
// delivered. After that they go on as they come, and the connection is paused while the disk is slower than it.
//
//   held ──open──▶ flowing ◀──▶ paused
import type { Context } from "../sdk.ts";
import { Deliveries, type Delivery } from "./deliveries.ts";

/** What can be told to wait, a socket for example. */
export interface Pausable {
  pause(): unknown;
  resume(): unknown;
}

const maxWaiting = 256;

export class Backlog {
  readonly #deliveries: Deliveries;
  readonly #source: () => Pausable | null | undefined;
  readonly #opened = Promise.withResolvers<void>();
  #turn: Promise<void> = this.#opened.promise;
  #isOpen = false;
  #waiting = 0;
  #isPaused = false;

  /** `source` is asked for each time: it may change. */
  constructor(ctx: Context, source: () => Pausable | null | undefined) {
    this.#deliveries = new Deliveries(ctx);
    this.#source = source;
  }

  /** Takes an event; those before it go first. */
  add(delivery: Delivery): void {
    this.#waiting += 1;
    this.#turn = this.#turn
      .then(() => this.#deliveries.add(delivery))
      .then(() => {
        this.#waiting -= 1;
        this.#pauseOrResume();
      });
    this.#pauseOrResume();
  }

  /** The older ones are there: from now on events flow. May be called again. */
  open(): void {
    this.#isOpen = true;
    this.#opened.resolve();
    this.#pauseOrResume();
  }

  /** Resolves when what flows is delivered, refused or lost; at once where it was never opened: what is held was not taken from the platform yet. */
  async idle(): Promise<void> {
    if (this.#isOpen) await this.#turn;
    await this.#deliveries.idle();
  }

  /** While held the connection has to go on: what is waited for comes over it. */
  #pauseOrResume(): void {
    const isFull = this.#isOpen && this.#waiting > (this.#isPaused ? maxWaiting / 2 : maxWaiting);
    if (isFull === this.#isPaused) return;
    this.#isPaused = isFull;
    if (isFull) this.#source()?.pause();
    else this.#source()?.resume();
  }
}
