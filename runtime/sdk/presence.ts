// spoolway/sdk/presence: being where one is wanted on a chat server that is spoken to in lines: under the wanted nick, in the configured channels. What is refused or
// lost later (a taken nick, a kick) is asked for again with every `restore`; a channel that cannot be joined takes no other down.
import type { Context } from "../sdk.ts";
import type { Change } from "./chat-event.ts";
import type { FencedLink } from "./socket/fence.ts";
import { Nick } from "./nick.ts";
import { type Room, Rooms } from "./rooms.ts";

/** The keys that connectors with it give their users. */
export interface PresenceConfig {
  nick: string;
  channels: ReadonlyArray<string | Room>;
}

/** How the platform names things and is asked for them. What is called may change with what the server tells of itself. */
export interface PresenceProtocol {
  /** Makes names equal that are the same to the platform. */
  fold(name: string): string;
  /** A room's name in full; a config may leave the platform's mark out. */
  roomName(name: string): string;
  /** The line that asks for a name. */
  rename(nick: string): string;
  /** The line that asks to be let into a room. */
  join(room: Room): string;
}

export class Presence {
  readonly nick: Nick;
  readonly rooms: Rooms;
  readonly fold: (name: string) => string;
  readonly #link: Pick<FencedLink<unknown>, "write" | "exchange">;
  readonly #protocol: PresenceProtocol;
  readonly #wanted: string;

  constructor(
    link: Pick<FencedLink<unknown>, "write" | "exchange">,
    ctx: Pick<Context<PresenceConfig>, "config" | "log" | "type">,
    protocol: PresenceProtocol,
  ) {
    const { fold, roomName, join } = protocol;
    this.fold = fold;
    this.#link = link;
    this.#protocol = protocol;
    this.#wanted = ctx.config.nick;
    this.nick = new Nick(ctx.config.nick, fold, ctx);
    this.rooms = new Rooms(ctx.config.channels, ctx, {
      isSame: (room, name) => fold(roomName(room)) === fold(name),
      join: (rooms) =>
        link.exchange(rooms.map((room) => join({ ...room, name: roomName(room.name) }).trimEnd())),
    });
  }

  /** Asks for the nick and the rooms that we want and do not have, and resolves when the server has answered. */
  async restore(): Promise<void> {
    if (!this.nick.isWanted) this.#link.write(this.#protocol.rename(this.#wanted));
    await this.rooms.restore();
  }

  /** Asks for another name, while nobody knows us yet and the last one is taken. Throws as Nick.another does. */
  tryAnotherNick(): void {
    this.#link.write(this.#protocol.rename(this.nick.another()));
  }

  /** The server says that somebody came, went, or has another name; what it says of others changes nothing here. */
  follow(change: Change | undefined): void {
    if (change === undefined || !this.nick.is(change.who)) return;
    if (change.deed === "renamed") this.nick.now(change.now);
    if (change.deed === "joined") this.rooms.entered(change.room);
    if (change.deed === "left") this.rooms.left(change.room, "removed from it");
    if (change.deed === "kicked") this.rooms.left(change.room, `kicked by ${change.by}: ${change.why ?? ""}`);
  }
}
