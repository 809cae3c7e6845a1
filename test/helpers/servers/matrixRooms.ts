// What a homeserver knows: rooms with their events in order, who is in them, what each user sees. Written from the client-server API's specification (v1.11);
// matrixSync.ts tells it to clients, matrixHomeserver.ts is the HTTP around it.
import { EventEmitter } from "node:events";

export type Content = Record<string, unknown>;

export interface ClientEvent {
  type: string;
  event_id: string;
  sender: string;
  origin_server_ts: number;
  content: Content;
  room_id: string;
  state_key?: string;
  redacts?: string;
  unsigned?: Record<string, unknown>;
}

export interface Stored {
  /** Its place among all events of the server. */
  at: number;
  event: ClientEvent;
  /** Of the login that sent it. */
  txn?: { device: string; id: string };
  prevContent?: Content;
  redactedBy?: ClientEvent;
}

/** With the hashes, the signature and the references to earlier events, which clients do not see, 65536. */
const maxEventBytes = 65_536 - 2500;

/** A refusal of the API: a status, and the body of the error. */
export class Refused extends Error {
  readonly status: number;
  readonly errcode: string;
  constructor(status: number, errcode: string, error: string) {
    super(error);
    this.status = status;
    this.errcode = errcode;
  }
}

export class MatrixRoom {
  readonly id: string;
  readonly events: Stored[] = [];
  readonly aliases = new Set<string>();

  constructor(id: string) {
    this.id = id;
  }

  /** The state event that is in force, or was after the event at `until`. */
  state(type: string, stateKey = "", until = Infinity): Stored | undefined {
    return this.events.findLast(
      ({ at, event }) => at <= until && event.type === type && event.state_key === stateKey,
    );
  }

  membership(user: string, until = Infinity): string {
    const content = this.state("m.room.member", user, until)?.event.content;
    return typeof content?.membership === "string" ? content.membership : "none";
  }

  members(membership: string): string[] {
    const users = this.events.flatMap(({ event }) =>
      event.type === "m.room.member" ? (event.state_key ?? []) : [],
    );
    return [...new Set(users)].filter((user) => this.membership(user) === membership);
  }
}

/** All rooms of the server. Emits "event" when something happened. */
export class MatrixRooms extends EventEmitter {
  readonly byId = new Map<string, MatrixRoom>();
  readonly serverName: string;
  #at = 0;

  constructor(serverName: string) {
    super();
    this.setMaxListeners(0);
    this.serverName = serverName;
  }

  get now(): number {
    return this.#at;
  }

  room(idOrAlias: string): MatrixRoom {
    const room =
      this.byId.get(idOrAlias) ?? [...this.byId.values()].find(({ aliases }) => aliases.has(idOrAlias));
    if (room === undefined) throw new Refused(404, "M_NOT_FOUND", `Room ${idOrAlias} not found`);
    return room;
  }

  /** The room, if the user may look into it and speak there. */
  joined(user: string, id: string): MatrixRoom {
    const room = this.byId.get(id);
    if (room?.membership(user) === "join") return room;
    throw new Refused(403, "M_FORBIDDEN", `User ${user} not in room ${id}`);
  }

  create(
    localpart: string,
    members: string[],
    rules: { isPublic?: boolean; name?: string } = {},
  ): MatrixRoom {
    const room = new MatrixRoom(`!${localpart}:${this.serverName}`);
    this.byId.set(room.id, room);
    const [creator = ""] = members;
    this.add(room, creator, "m.room.create", { creator, room_version: "10" }, "");
    for (const user of members) this.setMember(room, user, user, "join");
    this.add(room, creator, "m.room.join_rules", { join_rule: rules.isPublic ? "public" : "invite" }, "");
    if (rules.name !== undefined) this.add(room, creator, "m.room.name", { name: rules.name }, "");
    return room;
  }

  setMember(room: MatrixRoom, by: string, user: string, membership: string, more: Content = {}): Stored {
    const displayname = user.slice(1, user.indexOf(":")).replace(/^./, (letter) => letter.toUpperCase());
    // Who leaves has no name in that event.
    const profile = ["leave", "ban"].includes(membership) ? {} : { displayname };
    return this.add(room, by, "m.room.member", { membership, ...profile, ...more }, user);
  }

  /** Joins as the rules of the room allow. */
  join(user: string, idOrAlias: string): MatrixRoom {
    const room = this.room(idOrAlias);
    const membership = room.membership(user);
    const isPublic = room.state("m.room.join_rules")?.event.content.join_rule === "public";
    if (membership === "ban") throw new Refused(403, "M_FORBIDDEN", `${user} is banned from the room.`);
    if (membership !== "invite" && membership !== "join" && !isPublic)
      throw new Refused(403, "M_FORBIDDEN", "You are not invited to this room.");
    if (membership !== "join") this.setMember(room, user, user, "join");
    return room;
  }

  add(
    room: MatrixRoom,
    sender: string,
    type: string,
    content: Content,
    stateKey?: string,
    txn?: Stored["txn"],
  ): Stored {
    const prevContent = stateKey === undefined ? undefined : room.state(type, stateKey)?.event.content;
    const at = ++this.#at;
    const event: ClientEvent = {
      type,
      event_id: `$event${at}:${this.serverName}`,
      sender,
      origin_server_ts: Date.now(),
      content,
      room_id: room.id,
      ...(stateKey === undefined ? {} : { state_key: stateKey }),
    };
    if (Buffer.byteLength(JSON.stringify(event)) > maxEventBytes)
      throw new Refused(413, "M_TOO_LARGE", "event too large");
    const stored: Stored = { at, event, ...(txn && { txn }), ...(prevContent && { prevContent }) };
    room.events.push(stored);
    this.emit("event");
    return stored;
  }

  /** As room versions up to 10 have it: `redacts` stands beside the content. */
  redact(room: MatrixRoom, sender: string, eventId: string, content: Content, txn?: Stored["txn"]): Stored {
    const target = this.event(room, eventId);
    const isOwn = target.event.sender === sender;
    const isCreator = room.state("m.room.create")?.event.sender === sender;
    if (!isOwn && !isCreator)
      throw new Refused(403, "M_FORBIDDEN", "You don't have permission to redact events");
    const stored = this.add(room, sender, "m.room.redaction", content, undefined, txn);
    stored.event.redacts = eventId;
    target.redactedBy = stored.event;
    const { membership } = target.event.content;
    target.event.content = membership === undefined ? {} : { membership };
    return stored;
  }

  event(room: MatrixRoom, eventId: string): Stored {
    const found = room.events.find(({ event }) => event.event_id === eventId);
    if (found === undefined) throw new Refused(404, "M_NOT_FOUND", "Event not found.");
    return found;
  }
}

/** An event as a login sees it. */
export function seenBy(device: string, { event, txn, prevContent, redactedBy }: Stored): ClientEvent {
  const unsigned = {
    age: Date.now() - event.origin_server_ts,
    ...(txn?.device === device ? { transaction_id: txn.id } : {}),
    ...(prevContent && { prev_content: prevContent }),
    ...(redactedBy && { redacted_because: redactedBy }),
  };
  return { ...event, unsigned };
}

/** What canonical JSON cannot hold, and mentions that are none. */
export function checkContent(value: unknown, key = ""): void {
  if (typeof value === "number" && !Number.isSafeInteger(value))
    throw new Refused(400, "M_BAD_JSON", "Bad JSON value: float");
  if (typeof value === "string" && !value.isWellFormed())
    throw new Refused(400, "M_BAD_JSON", "Event JSON is not valid unicode");
  if (typeof value !== "object" || value === null) return;
  if (key === "m.mentions") {
    const { user_ids: users = [], room = false } = value as { user_ids?: unknown; room?: unknown };
    if (!Array.isArray(users) || users.some((user) => typeof user !== "string") || typeof room !== "boolean")
      throw new Refused(400, "M_BAD_JSON", "m.mentions is not valid");
  }
  for (const [inner, one] of Object.entries(value)) checkContent(one, inner);
}
