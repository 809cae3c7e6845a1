// spoolway/sdk/recent: what was noted about the last so many things (sends that a crash may leave uncertain), kept across restarts, bounded.
import type { State } from "../sdk.ts";

export class Recent<T> {
  readonly #state: State;
  readonly #key: string;
  readonly #max: number;
  #notes: Array<[string, T]> = [];

  private constructor(state: State, key: string, max: number) {
    this.#state = state;
    this.#key = key;
    this.#max = max;
  }

  static async open<T>(state: State, key: string, max = 100): Promise<Recent<T>> {
    const recent = new Recent<T>(state, key, max);
    recent.#notes = (await state.get<Array<[string, T]>>(key)) ?? [];
    return recent;
  }

  get(id: string): T | undefined {
    return this.#notes.find(([one]) => one === id)?.[1];
  }

  /** Durable when it resolves; the oldest is forgotten. undefined: nothing is noted about it. */
  async note(id: string, value: T | undefined): Promise<void> {
    const noted: Array<[string, T]> = value === undefined ? [] : [[id, value]];
    this.#notes = [...this.#notes.filter(([one]) => one !== id), ...noted].slice(-this.#max);
    await this.#state.set(this.#key, this.#notes);
  }
}
