// spoolway/sdk/xmpp/rooms: being in the rooms of a config (XEP-0045). Each room answers for itself; one that does not let us in takes no other down. What was said
// while we were away comes from the room's archive, and where it has none, from the history that it tells whoever comes in.
import { type Context, type SpoolwayError, within } from "../../sdk.ts";
import { type Room, Rooms } from "../rooms.ts";
import {
  bareOf,
  conditionIn,
  conditionOf,
  occupantOf,
  refusalOf,
  resourceOf,
  type Stanza,
  wordsOf,
  type XmppPort,
} from "./stanzas.ts";

export interface XmppRoomsConfig {
  rooms: ReadonlyArray<string | Room>;
  nick: string;
}

const muc = "http://jabber.org/protocol/muc";
const answerMs = 10_000;
/** By how much our clock and a room's may differ. */
const skewMs = 60_000;
/** Under it, when we were last known to be in each room. */
const presentKey = "present_at";
/** What a ping of ourselves is answered with where we are in the room, and where that cannot be told (XEP-0410); silence tells nothing either. */
const present = ["service-unavailable", "feature-not-implemented"];
const unknown = ["", "remote-server-not-found", "remote-server-timeout"];
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
  /** Until the session has asked each room once: what the archives have is read right after. */
  #isBeginning = true;

  constructor(
    port: XmppPort<S>,
    ctx: Context,
    config: XmppRoomsConfig,
    hasArchive: (jid: string) => Promise<boolean>,
  ) {
    const names = config.rooms.map((room) => (typeof room === "string" ? room : room.name).toLowerCase());
    const rooms = config.rooms.filter((_, n) => names.indexOf(names[n] ?? "") === n);
    super(rooms, ctx, {
      isSame: (room, name) => room.toLowerCase() === name.toLowerCase(),
      join: async (missing) => void (await Promise.all(missing.map((room) => this.#join(room)))),
    });
    this.#names = names;
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

  override async restore(): Promise<void> {
    await super.restore();
    this.#isBeginning = false;
  }

  /** Asks each room whether we are still in it (XEP-0410), all at once: a silent one keeps nobody waiting. One that says no is entered with the next `restore`. */
  async ping(): Promise<void> {
    const { ask, xml } = this.#port;
    const now = Date.now();
    const isPresent = async ([room, { nick }]: [string, { nick: string }]): Promise<[string, number][]> => {
      const condition = await ask("get", xml("ping", { xmlns: "urn:xmpp:ping" }), `${room}/${nick}`).then(
        () => present[0] ?? "",
        conditionOf,
      );
      if (present.includes(condition)) return [[room, now]];
      if (!unknown.includes(condition)) this.#gone(room, `it does not know us any more (${condition})`);
      return [];
    };
    const seen = (await Promise.all([...this.#selves].map(isPresent))).flat();
    const before = await this.#presentAt();
    await this.#ctx.state.set(presentKey, { ...before, ...Object.fromEntries(seen) });
  }

  /** What it means that a message was refused. A room that does not know us is entered again, before the message is tried again. */
  refusal(stanza: Stanza): SpoolwayError {
    const { from } = stanza.attrs;
    const condition = conditionIn(stanza.getChild("error"));
    const isOut =
      condition === "not-acceptable" || (condition === "item-not-found" && resourceOf(from) === "");
    if (isOut && this.has(bareOf(from))) this.#gone(bareOf(from), wordsOf(stanza));
    return (isOut ? this.absence(bareOf(from)) : undefined) ?? refusalOf(stanza);
  }

  /** What a room says of us. */
  follow(presence: Stanza): void {
    const { from, type } = presence.attrs;
    const room = bareOf(from);
    if (!this.has(room)) return; // anybody can say so
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
    const isMade = codes.includes("201") ? this.#unlock(room) : Promise.resolve();
    void isMade.then(() => this.#joining.get(room)?.());
  }

  #gone(room: string, why: string): void {
    this.#selves.delete(room);
    this.left(room, why);
  }

  /** Resolves when the room has answered, or after a while. */
  async #join({ name, key }: Room): Promise<void> {
    const room = name.toLowerCase();
    const { [room]: presentAt } = await this.#presentAt();
    const isBeginning = this.#isBeginning;
    const hasArchive = await this.#hasArchive(room).catch((error: Error) => error);
    // Without knowing that, what it says live and what its archive says could not be told to be the same.
    if (hasArchive instanceof Error) return this.refused(room, hasArchive.message);
    // At the very first time nothing old is wanted; and at the beginning the archive tells what there is.
    const isTold = presentAt === undefined || (hasArchive && isBeginning);
    const history = isTold ? { maxstanzas: 0 } : { since: new Date(presentAt - skewMs).toISOString() };
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#joining.set(room, resolve);
    const { xml, send } = this.#port;
    const x = xml("x", { xmlns: muc }, key ? xml("password", {}, key) : undefined, xml("history", history));
    send(xml("presence", { to: `${room}/${this.#nick}` }, x));
    await within(answerMs, promise);
  }

  async #presentAt(): Promise<Record<string, number>> {
    return (await this.#ctx.state.get<Record<string, number>>(presentKey)) ?? {};
  }

  /** We made this room: others get in only once it is told that it is right as it is. Before, it tells nobody what it has. */
  async #unlock(room: string): Promise<void> {
    const { ask, xml } = this.#port;
    const form = xml("x", { xmlns: "jabber:x:data", type: "submit" });
    try {
      await ask("set", xml("query", { xmlns: `${muc}#owner` }, form), room);
      await this.#hasArchive(room);
    } catch (error) {
      this.#ctx.log.warn("room.locked", { room, error: (error as Error).message });
    }
  }
}
