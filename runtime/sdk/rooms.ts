// spoolway/sdk/rooms: the rooms (channels, groups) that a connector should be in, which of them it is not in, and why, each reason logged once.
//
//   absent ──entered──▶ in ──absent(why): kicked, removed──▶ absent ──absent(why): refused──▶ absent …
import type { Logger } from "../sdk.ts";

export interface Room {
  name: string;
  /** Its password. */
  key?: string;
}

interface State {
  room: Room;
  /** Why we are not in it; undefined when we are. */
  why: string | undefined;
}

export class Rooms {
  readonly #states = new Map<string, State>();
  readonly #fold: (name: string) => string;
  readonly #log: Logger;

  /** `fold` makes names equal that are the same room to the platform. */
  constructor(rooms: readonly Room[], fold: (name: string) => string, log: Logger) {
    this.#fold = fold;
    this.#log = log;
    for (const room of rooms)
      this.#states.set(fold(room.name), { room, why: "no answer to the request to join" });
  }

  /** Those that we are not in. */
  missing(): Room[] {
    return [...this.#states.values()].filter(({ why }) => why !== undefined).map(({ room }) => room);
  }

  /** Why we are not in this room; undefined when we are, or when it is none of ours. */
  whyAbsent(name: string): string | undefined {
    return this.#states.get(this.#fold(name))?.why;
  }

  entered(name: string): void {
    const state = this.#states.get(this.#fold(name));
    if (state) state.why = undefined;
  }

  /** We are not in it (any more), or were refused: logged as `event` unless it was for the same reason before. Nothing for rooms that are none of ours. */
  absent(name: string, why: string, event: string): void {
    const state = this.#states.get(this.#fold(name));
    if (state === undefined || state.why === why) return;
    state.why = why;
    this.#log.warn(event, { channel: state.room.name, reason: why });
  }
}
