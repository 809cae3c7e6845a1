// GET /sync and GET /rooms/{id}/messages of the fake homeserver: tokens, filters, limited timelines, members that are loaded lazily, and waiting for news.
import {
  type ClientEvent,
  type MatrixRoom,
  type MatrixRooms,
  Refused,
  seenBy,
  type Stored,
} from "./matrixRooms.ts";

export interface Login {
  user: string;
  device: string;
}

interface RoomEventFilter {
  types?: string[];
  not_types?: string[];
  limit?: number;
  lazy_load_members?: boolean;
  include_redundant_members?: boolean;
}
interface RoomFilter {
  timeline?: RoomEventFilter;
  state?: RoomEventFilter;
}

/** No server gives more at once. */
const limitMax = 100;
const eventFilterKeys = ["types", "not_types", "limit", "lazy_load_members", "include_redundant_members"];

/** `s12` and `t12` are the place after the event 12. */
function placeOf(token: string, now: number): number {
  const at = Number(/^[st](\d+)$/.exec(token)?.[1] ?? NaN);
  if (!(at <= now)) throw new Refused(400, "M_INVALID_PARAM", "Invalid stream token");
  return at;
}

function parseFilter(text: string | null, known: string[]): Record<string, unknown> {
  if (text === null) return {};
  let filter: unknown;
  try {
    filter = JSON.parse(text);
  } catch {
    throw new Refused(400, "M_NOT_JSON", "the filter is no JSON");
  }
  const odd = Object.keys(filter as object).filter((key) => !known.includes(key));
  if (odd.length > 0) throw new Refused(400, "M_BAD_JSON", `unknown keys in the filter: ${odd.join(", ")}`);
  return filter as Record<string, unknown>;
}

function passes({ types, not_types = [] }: RoomEventFilter, { event }: Stored): boolean {
  return !not_types.includes("*") && !not_types.includes(event.type) && (types?.includes(event.type) ?? true);
}

/** The state events in force after `until` of those who speak in these events. */
function membersIn(room: MatrixRoom, events: Stored[], until: number, device: string): ClientEvent[] {
  const senders = new Set(events.map(({ event }) => event.sender));
  return [...senders].flatMap((user) => {
    const member = room.state("m.room.member", user, until) ?? room.state("m.room.member", user);
    return member === undefined || events.includes(member) ? [] : [seenBy(device, member)];
  });
}

export class MatrixSync {
  readonly #rooms: MatrixRooms;
  /** Events that the next answer holds once more. */
  readonly again = new Set<string>();

  constructor(rooms: MatrixRooms) {
    this.#rooms = rooms;
  }

  async sync(login: Login, query: URLSearchParams, gone: AbortSignal): Promise<object> {
    const since = query.get("since");
    const from = since === null ? -1 : placeOf(since, this.#rooms.now);
    const keys = ["room", "presence", "account_data", "event_fields", "event_format"];
    const room = (parseFilter(query.get("filter"), keys).room ?? {}) as RoomFilter;
    for (const part of [room.timeline ?? {}, room.state ?? {}])
      parseFilter(JSON.stringify(part), eventFilterKeys);
    const until = performance.now() + Number(query.get("timeout") ?? 0);
    for (;;) {
      const rooms = this.#news(login, from, room);
      const isQuiet = Object.values(rooms).every((some) => Object.keys(some).length === 0);
      const leftMs = until - performance.now();
      if (!isQuiet || from === -1 || leftMs <= 0 || gone.aborted)
        return { next_batch: `s${this.#rooms.now}`, rooms };
      await this.#happens(leftMs, gone);
    }
  }

  #happens(ms: number, gone: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#rooms.off("event", done);
        gone.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#rooms.on("event", done);
      gone.addEventListener("abort", done);
    });
  }

  #news(
    { user, device }: Login,
    from: number,
    filter: RoomFilter,
  ): Record<"join" | "invite" | "leave", object> {
    const news: Record<"join" | "invite" | "leave", Record<string, object>> = {
      join: {},
      invite: {},
      leave: {},
    };
    for (const room of this.#rooms.byId.values()) {
      const membership = room.membership(user);
      const own = room.state("m.room.member", user);
      if (membership === "join") {
        const part = this.#joined(room, user, device, from, filter);
        if (part !== undefined) news.join[room.id] = part;
      } else if (membership === "invite" && own !== undefined && own.at > from) {
        const names = ["m.room.create", "m.room.name", "m.room.join_rules"].flatMap(
          (type) => room.state(type) ?? [],
        );
        const events = [...names, own].map(({ event: { type, content, sender, state_key } }) => ({
          type,
          content,
          sender,
          state_key,
        }));
        news.invite[room.id] = { invite_state: { events } };
      } else if (["leave", "ban"].includes(membership) && own !== undefined && own.at > from && from !== -1) {
        const events = room.events.filter(({ at }) => at > from && at <= own.at);
        const { stored, ...timeline } = this.#timeline(events, device, filter);
        const speakers = membersIn(room, stored, own.at, device);
        news.leave[room.id] = { timeline, state: { events: speakers } };
      }
    }
    return news;
  }

  #joined(
    room: MatrixRoom,
    user: string,
    device: string,
    from: number,
    filter: RoomFilter,
  ): object | undefined {
    const isNew = room.membership(user, from) !== "join";
    const fresh = room.events.filter(({ at, event }) => at > from || isNew || this.again.has(event.event_id));
    if (fresh.length === 0) return undefined;
    const { stored, ...timeline } = this.#timeline(fresh, device, filter);
    // As Synapse has it, where there was nothing for us yet.
    if (isNew && from !== -1) timeline.limited = true;
    const start = placeOf(timeline.prev_batch, Infinity);
    const changed = room.events.filter(
      ({ at, event }) => event.state_key !== undefined && at <= start && (at > from || isNew),
    );
    const lazy = filter.state?.lazy_load_members === true;
    const state = changed.filter(
      (one) =>
        room.state(one.event.type, one.event.state_key, start) === one &&
        passes(filter.state ?? {}, one) &&
        !(lazy && one.event.type === "m.room.member" && one.event.state_key !== user),
    );
    const speakers = lazy ? membersIn(room, stored, start, device) : [];
    for (const { event } of stored) this.again.delete(event.event_id);
    return {
      summary: fresh.some(({ event }) => event.type === "m.room.member") ? this.#summary(room, user) : {},
      state: { events: [...state.map((one) => seenBy(device, one)), ...speakers] },
      timeline,
    };
  }

  #summary(room: MatrixRoom, user: string): object {
    const [joined, invited] = [room.members("join"), room.members("invite")];
    return {
      "m.heroes": [...joined, ...invited].filter((one) => one !== user).slice(0, 5),
      "m.joined_member_count": joined.length,
      "m.invited_member_count": invited.length,
    };
  }

  #timeline(fresh: Stored[], device: string, filter: RoomFilter) {
    const wanted = fresh.filter((one) => passes(filter.timeline ?? {}, one));
    const limit = Math.min(filter.timeline?.limit ?? 20, limitMax);
    const stored = wanted.slice(-limit);
    const first = stored[0]?.at ?? this.#rooms.now + 1;
    return {
      events: stored.map((one) => seenBy(device, one)),
      limited: wanted.length > stored.length,
      prev_batch: `t${first - 1}`,
      stored,
    };
  }

  messages({ user, device }: Login, roomId: string, query: URLSearchParams): object {
    const room = this.#rooms.byId.get(roomId);
    if (room === undefined || !["join", "leave"].includes(room.membership(user)))
      throw new Refused(403, "M_FORBIDDEN", `User ${user} not in room ${roomId}`);
    const filter = parseFilter(query.get("filter"), eventFilterKeys) as RoomEventFilter;
    const dir = query.get("dir");
    if (dir !== "f" && dir !== "b")
      throw new Refused(400, "M_MISSING_PARAM", "Missing required parameter: dir");
    const { now } = this.#rooms;
    const start = query.get("from") ?? (dir === "f" ? "t0" : `t${now}`);
    const from = placeOf(start, now);
    const to = query.has("to") ? placeOf(query.get("to") ?? "", now) : dir === "f" ? now : 0;
    const between = room.events.filter(({ at }) =>
      dir === "f" ? at > from && at <= to : at <= from && at > to,
    );
    const ordered = dir === "f" ? between : between.reverse();
    const chunk = ordered
      .filter((one) => passes(filter, one))
      .slice(0, Math.min(Number(query.get("limit") ?? 10), limitMax));
    const last = chunk.at(-1);
    const isAll = last === undefined || last === ordered.at(-1);
    return {
      start,
      chunk: chunk.map((one) => seenBy(device, one)),
      state: filter.lazy_load_members ? membersIn(room, chunk, chunk[0]?.at ?? 0, device) : [],
      ...(isAll ? {} : { end: `t${dir === "f" ? last.at : last.at - 1}` }),
    };
  }
}
