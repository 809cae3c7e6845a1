// spoolway/sdk/xmpp/message: a message stanza as an event: who said what where, live, told again, or from an archive, under the same key.
import type { Draft } from "../../draft.ts";
import { fingerprint } from "../fingerprint.ts";
import { isoTime } from "../iso-time.ts";
import { mentions } from "../text/mentions.ts";
import { bareOf, occupantOf, resourceOf, type Stanza, wordsOf } from "./stanzas.ts";
import type { Archived } from "./archive.ts";

/** What has to be known of ourselves. */
export interface XmppSelf {
  /** Our address, without a resource. */
  readonly jid: string;
  hasArchive(owner: string): boolean;
  isRoom(jid: string): boolean;
  isSelfInRoom(stanza: Stanza): boolean;
  nickIn(room: string): string;
}

/** What is said about another message: the event's kind, and the element that names it. */
const abouts = [
  { kind: "edit", name: "replace", xmlns: "urn:xmpp:message-correct:0" },
  { kind: "receipt", name: "received", xmlns: "urn:xmpp:receipts" },
  { kind: "reaction", name: "reactions", xmlns: "urn:xmpp:reactions:0" },
  { kind: "delete", name: "retract", xmlns: "urn:xmpp:message-retract:1" },
] as const;
const mucUser = "http://jabber.org/protocol/muc#user";
const stanzaIds = "urn:xmpp:sid:0";
const namesMax = 1000;

export class XmppMessages {
  readonly #self: XmppSelf;
  /** What a room calls a message, and how its author does: answers and reactions use the first, corrections the second. */
  readonly #names = new Map<string, string>();

  constructor(self: XmppSelf) {
    this.#self = self;
  }

  /** Whether it is said in a room, whether we said it, and what its author calls it: a room may call it otherwise. */
  origin(stanza: Stanza): { isRoom: boolean; isSelf: boolean; id: string | undefined; ids: string[] } {
    // Anybody can call what he sends us said in a room.
    const isRoom = stanza.attrs.type === "groupchat" && this.#self.isRoom(bareOf(stanza.attrs.from));
    const isSelf = isRoom
      ? this.#self.isSelfInRoom(stanza)
      : bareOf(stanza.attrs.from ?? this.#self.jid) === this.#self.jid;
    const ids = [stanza, stanza.getChild("origin-id", stanzaIds)].flatMap((one) => one?.attrs.id ?? []);
    return { isRoom, isSelf, id: ids[0], ids };
  }

  /** The event; undefined where it says nothing to people. */
  toDraft(stanza: Stanza, archived?: Archived): Draft | undefined {
    const { isRoom, isSelf, id } = this.origin(stanza);
    const { from = this.#self.jid, to = "", type = "normal" } = stanza.attrs;
    const about = abouts.find(({ name, xmlns }) => stanza.getChild(name, xmlns));
    const body = stanza.getChildText("body");
    const kind = type === "error" ? "event" : (about?.kind ?? "message");
    if ((body === null && kind === "message") || (kind === "receipt" && isSelf)) return undefined;
    // A server may put it into words.
    if (kind === "message" && stanza.getChild("x", mucUser)?.getChild("invite")) return undefined;
    const archive = isRoom ? bareOf(from) : this.#self.jid;
    const archiveId = archived?.id ?? this.#archiveIdOf(stanza, archive);
    if (isRoom && id && archiveId) this.#remember(archiveId, id);
    const other = isSelf && !isRoom ? to : from;
    // In a room's private talk the other one is an occupant: the whole address.
    const isPrivate = !isRoom && this.#self.isRoom(bareOf(other));
    const conversation = isPrivate ? other : bareOf(other);
    const reply = stanza.getChild("reply", "urn:xmpp:reply:0")?.attrs.id;
    const target = type === "error" ? id : about && this.#targetOf(stanza, about, isRoom);
    const stamp = archived?.stamp ?? stanza.getChild("delay", "urn:xmpp:delay")?.attrs.stamp ?? "";
    const text = type === "error" ? wordsOf(stanza) : textOf(stanza, body, reply);
    return {
      kind,
      key:
        isSelf && !isRoom && id
          ? [conversation, "self", id]
          : keyOf(archive, archiveId, [from, type, id], body),
      platform_id: type === "error" ? undefined : (id ?? archiveId),
      occurred_at: isoTime(Date.parse(stamp)),
      conversation: { id: conversation, type: this.#self.isRoom(conversation) ? "channel" : "direct" },
      thread_id: stanza.getChildText("thread") || undefined,
      reply_to: reply && this.#nameOf(reply, isRoom),
      sender: { ...senderOf(stanza, from, isRoom || isPrivate), is_self: isSelf },
      mentions_me:
        isRoom && text ? mentions(text.toLowerCase(), this.#self.nickIn(archive).toLowerCase()) : undefined,
      content: {
        text: about && kind !== "edit" && kind !== "event" ? undefined : text,
        format: about && kind !== "edit" && kind !== "event" ? undefined : "plain",
        subject: stanza.getChildText("subject") || undefined,
        reaction: kind === "reaction" ? reactionsOf(stanza) : undefined,
      },
      target: target ? { platform_id: target } : undefined,
      raw: { xml: stanza.toString() },
    };
  }

  /** The archive's id, by its own word: the last one, since anybody can write the element, and not every server takes away what others wrote. */
  #archiveIdOf(stanza: Stanza, archive: string): string | undefined {
    if (!this.#self.hasArchive(archive)) return undefined;
    return stanza.getChildren("stanza-id", stanzaIds).findLast(({ attrs }) => attrs.by === archive)?.attrs.id;
  }

  #targetOf(
    stanza: Stanza,
    { kind, name, xmlns }: (typeof abouts)[number],
    isRoom: boolean,
  ): string | undefined {
    const id = stanza.getChild(name, xmlns)?.attrs.id;
    return id && this.#nameOf(id, isRoom && kind !== "edit");
  }

  #nameOf(id: string, isRoomsName: boolean): string {
    return (isRoomsName ? this.#names.get(id) : undefined) ?? id;
  }

  #remember(name: string, id: string): void {
    this.#names.set(name, id);
    const [oldest = ""] = this.#names.keys();
    if (this.#names.size > namesMax) this.#names.delete(oldest);
  }
}

/** An archive's id is unique. Without one, what its sender says has to do: some count their messages anew each day. */
function keyOf(
  archive: string,
  archiveId: string | undefined,
  [from, type, id]: [string, string, string | undefined],
  body: string | null,
): string[] | undefined {
  if (archiveId) return [archive, archiveId];
  return id ? [from, type, id, fingerprint(body)] : undefined;
}

/** In a room, by the room's own word for who it is: a nick is whoever has it today, and has no "#" after a domain. */
function senderOf(
  stanza: Stanza,
  from: string,
  isOccupant: boolean,
): { id: string; username: string | undefined } {
  if (!isOccupant) return { id: bareOf(from), username: from.split("@", 1)[0] };
  const occupant = occupantOf(stanza);
  return { id: occupant ? `${bareOf(from)}#${occupant}` : from, username: resourceOf(from) || undefined };
}

/** The text, without what a client puts before it for those that know no answers (XEP-0428). */
function textOf(stanza: Stanza, body: string | null, reply: string | undefined): string {
  const fallbacks = stanza.getChildren("fallback", "urn:xmpp:fallback:0");
  const quote = fallbacks.find(({ attrs }) => attrs.for === "urn:xmpp:reply:0")?.getChild("body")?.attrs;
  if (reply === undefined || quote === undefined) return body ?? "";
  const start = Number(quote.start ?? 0);
  return [...(body ?? "")].toSpliced(start, Number(quote.end ?? start) - start).join("");
}

/** All that this one has at the message now; "" where they were taken back. */
function reactionsOf(stanza: Stanza): string {
  const all = stanza.getChild("reactions", "urn:xmpp:reactions:0")?.getChildren("reaction") ?? [];
  return all.map((one) => one.text()).join(" ");
}
