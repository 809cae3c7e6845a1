// spoolway/sdk/matrix/room-book: the rooms that an account is in, on a platform that says of each only what has changed: what it is called, who is there, and whether it is
// encrypted, for connectors that cannot encrypt.
import { type Context, type Draft, reject } from "../../sdk.ts";

export interface RoomFacts {
  /** "" for a room that has lost its name; undefined: no news. */
  name?: string | undefined;
  /** What it is called without a name. */
  alias?: string | undefined;
  others?: readonly string[] | undefined;
  /** With us. */
  joined?: number | undefined;
  invited?: number | undefined;
  /** It is never taken back. */
  isEncrypted?: boolean;
}

const hint =
  "Nothing can be read or sent there. Use a room without encryption: that of a room cannot be switched off.";

export class RoomBook {
  readonly #log: Context["log"];
  readonly #rooms = new Map<string, RoomFacts & { isLeft?: boolean }>();

  constructor({ log }: Pick<Context, "log">) {
    this.#log = log;
  }

  has(id: string): boolean {
    return this.#rooms.get(id)?.isLeft === false;
  }

  /** Warns of a room that is encrypted, once. */
  note(id: string, { isEncrypted, ...news }: RoomFacts): void {
    const before = this.has(id) ? this.#rooms.get(id) : undefined;
    const facts = Object.entries(news).filter(([, value]) => value !== undefined);
    const known = { ...before, ...Object.fromEntries(facts), isLeft: false };
    const now: RoomFacts & { isLeft: boolean } = { ...known, ...(isEncrypted === true && { isEncrypted }) };
    this.#rooms.set(id, now);
    if (now.isEncrypted && !before?.isEncrypted)
      this.#log.warn("room.encrypted", { room: id, name: now.name, hint });
  }

  /** What it was called stays known: events of its last moments are still to come. */
  left(id: string): void {
    const facts = this.#rooms.get(id);
    if (facts !== undefined) this.#rooms.set(id, { ...facts, isLeft: true });
  }

  /** Throws not_supported for a room where what we send would not be encrypted: as far as we know, or as was seen just now. */
  demandPlain(id: string, isSeenEncrypted = false): void {
    if (isSeenEncrypted || this.#rooms.get(id)?.isEncrypted)
      throw reject("the room is encrypted", "not_supported", { hint });
  }

  /** Where an answer goes. A room of two without a name is a direct chat; one of which nothing is known is none. */
  conversation(id: string): NonNullable<Draft["conversation"]> {
    const { name, alias, others = [], joined, invited = 0 } = this.#rooms.get(id) ?? {};
    const called = name || alias;
    const isDirect = !called && joined !== undefined && joined + invited <= 2;
    return { id, type: isDirect ? "direct" : "group", name: called || others.join(", ") || undefined };
  }
}
