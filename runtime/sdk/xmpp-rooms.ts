// spoolway/sdk/xmpp-rooms: being in the rooms of a config (XEP-0045). Each room answers for itself; one that does not let us in takes no other down. What was said
// while we were away comes from the room's archive, and where it has none, from the history that it tells whoever comes in.
import { type Context, within } from "../sdk.ts";
import { type Room, Rooms } from "./rooms.ts";
import { bareOf, conditionOf, occupantOf, resourceOf, type Stanza, wordsOf, type XmppPort } from "./xmpp.ts";

export interface XmppRoomsConfig {
  rooms: ReadonlyArray<string | Room>;
  nick: string;
}

const muc = "http://jabber.org/protocol/muc";
const answerMs = 10_000;
/** By how much our clock and a room's may differ. */
const skewMs = 60_000;
const aliveKey = "alive_at";
const codesOfLeaving: Record<string, string> = {
  301: "banned",
  307: "kicked",
  332: "the service was shut down",
};

export class XmppRooms<S extends Stanza> extends Rooms {
  /** Who we are in each room that we are in. */
  readonly #selves = new Map<string, { nick: string; occupant: string | undefined }>();
  readonly #names: readonly string[];
  readonly #port: XmppPort<S>;
  readonly #ctx: Context;
  readonly #nick: string;
  readonly #hasArchive: (jid: string) => Promise<boolean>;
  readonly #joining = new Map<string, () => void>();

  constructor(
    port: XmppPort<S>,
    ctx: Context,
    config: XmppRoomsConfig,
    hasArchive: (jid: string) => Promise<boolean>,
  ) {
    super(config.rooms, ctx, {
      isSame: (room, name) => room.toLowerCase() === name.toLowerCase(),
      join: async (rooms) => void (await Promise.all(rooms.map((room) => this.#join(room)))),
    });
    this.#names = config.rooms.map((room) => (typeof room === "string" ? room : room.name).toLowerCase());
    this.#port = port;
    this.#ctx = ctx;
    this.#nick = config.nick;
    this.#hasArchive = hasArchive;
  }

  /** Whether this is one of the config's rooms; an occupant's address is not. */
  has(jid: string): boolean {
    return this.#names.includes(jid.toLowerCase());
  }

  nickIn(room: string): string {
    return this.#selves.get(room)?.nick ?? this.#nick;
  }

  /** Whether somebody in a room is us: by the room's own id for us, else by our nick. */
  isSelf(stanza: Stanza): boolean {
    const room = bareOf(stanza.attrs.from);
    const occupant = occupantOf(stanza);
    const known = this.#selves.get(room)?.occupant;
    return occupant && known ? occupant === known : resourceOf(stanza.attrs.from) === this.nickIn(room);
  }

  /** Asks each room whether we are still in it (XEP-0410); one that says no is entered with the next `restore`. */
  async ping(): Promise<void> {
    const { ask, xml } = this.#port;
    for (const [room, { nick }] of this.#selves)
      await ask("get", xml("ping", { xmlns: "urn:xmpp:ping" }), `${room}/${nick}`).catch(
        (thrown: unknown) => {
          if (conditionOf(thrown) === "not-acceptable") this.#gone(room, "it does not know us any more");
        },
      );
    await this.#ctx.state.set(aliveKey, Date.now());
  }

  /** What a room says of us. */
  follow(presence: Stanza): void {
    const { from, type } = presence.attrs;
    const room = bareOf(from);
    const x = presence.getChild("x", `${muc}#user`);
    const codes = x?.getChildren("status").map(({ attrs }) => attrs.code ?? "") ?? [];
    if (type === "error") this.refused(room, wordsOf(presence));
    else if (!codes.includes("110")) return;
    else if (type !== "unavailable") {
      this.#selves.set(room, { nick: resourceOf(from), occupant: occupantOf(presence) });
      this.entered(room);
    } else if (!codes.includes("303")) {
      // 303 is only another nick.
      const what = codes.map((code) => codesOfLeaving[code]).find(Boolean) ?? "removed from it";
      const why = x?.getChild("item")?.getChildText("reason");
      this.#gone(room, why ? `${what}: ${why}` : what);
    }
    if (codes.includes("201")) this.#unlock(room);
    this.#joining.get(room)?.();
  }

  #gone(room: string, why: string): void {
    this.#selves.delete(room);
    this.left(room, why);
  }

  /** Resolves when the room has answered, or after a while. */
  async #join({ name, key }: Room): Promise<void> {
    const room = name.toLowerCase();
    const aliveAt = await this.#ctx.state.get<number>(aliveKey);
    const hasArchive = await this.#hasArchive(room);
    const isTold = hasArchive || aliveAt === undefined; // by its archive; or it is the first time, and nothing old is wanted
    const history = isTold ? { maxstanzas: 0 } : { since: new Date(aliveAt - skewMs).toISOString() };
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#joining.set(room, resolve);
    const { xml, send } = this.#port;
    const x = xml("x", { xmlns: muc }, key ? xml("password", {}, key) : undefined, xml("history", history));
    send(xml("presence", { to: `${room}/${this.#nick}` }, x));
    await within(answerMs, promise);
  }

  /** We made this room: others get in only once it is told that it is right as it is. */
  #unlock(room: string): void {
    const { ask, xml } = this.#port;
    const form = xml("x", { xmlns: "jabber:x:data", type: "submit" });
    ask("set", xml("query", { xmlns: `${muc}#owner` }, form), room).catch((error: Error) =>
      this.#ctx.log.warn("room.locked", { room, error: error.message }),
    );
  }
}
