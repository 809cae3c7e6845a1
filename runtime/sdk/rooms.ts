// spoolway/sdk/rooms: the rooms (channels, groups) that a connector should be in, which of them it is not in, and why, each reason logged once.
//
//   absent ──entered──▶ in ──left(why): kicked, removed──▶ absent ──restore──▶ entered, or refused(why): still absent
import { type Context, retry, type SpoolwayError } from "../sdk.ts";

export interface Room {
  name: string;
  /** Its password. */
  key?: string;
}

export interface RoomsOptions {
  /** Whether the platform means this room by this name. */
  isSame(room: string, name: string): boolean;
  /** Asks the platform to let us in; resolves when it has answered, and `entered` or `refused` was called for each. */
  join(rooms: Room[]): Promise<void>;
}

interface State extends Room {
  /** Why we are not in it; undefined when we are. */
  why: string | undefined;
}

export class Rooms {
  readonly #states: State[];
  readonly #ctx: Pick<Context, "log" | "type">;
  readonly #options: RoomsOptions;

  /** `rooms` as a config has them: a name, or a name and a key. */
  constructor(
    rooms: ReadonlyArray<string | Room>,
    ctx: Pick<Context, "log" | "type">,
    options: RoomsOptions,
  ) {
    const why = "no answer to the request to join";
    this.#states = rooms.map((room) => ({ ...(typeof room === "string" ? { name: room } : room), why }));
    this.#ctx = ctx;
    this.#options = options;
  }

  /** Asks for those that we are not in, and resolves when the platform has answered. */
  async restore(): Promise<void> {
    const missing = this.#states.filter(({ why }) => why !== undefined);
    if (missing.length > 0) await this.#options.join(missing.map(({ why: _why, ...room }) => room));
  }

  /** To be awaited before something is said: throws retry for a room that we cannot get into. Names that are none of ours are let through. */
  async need(name: string): Promise<void> {
    if (this.absence(name) !== undefined) await this.restore();
    const absence = this.absence(name);
    if (absence !== undefined) throw absence;
  }

  /** Why nothing can be said in this room, as a retry; undefined when we are in it, or when it is none of ours. */
  absence(name: string): SpoolwayError | undefined {
    const why = this.#find(name)?.why;
    return why === undefined ? undefined : retry(`not in ${name}: ${why}`);
  }

  entered(name: string): void {
    const state = this.#find(name);
    if (state) state.why = undefined;
  }

  /** We are not in it any more. */
  left(name: string, why: string): void {
    this.#absent(name, why, "channel_left");
  }

  /** We were not let in; nothing for a room that we are in. */
  refused(name: string, why: string): void {
    if (this.absence(name) !== undefined) this.#absent(name, why, "join_failed");
  }

  #absent(name: string, why: string, event: string): void {
    const state = this.#find(name);
    if (state === undefined || state.why === why) return;
    state.why = why;
    this.#ctx.log.warn(`${this.#ctx.type}.${event}`, { channel: name, reason: why });
  }

  /** Compared at every look: what names are the same is often known only after the login. */
  #find(name: string): State | undefined {
    return this.#states.find((state) => this.#options.isSame(state.name, name));
  }
}
