// spoolway/sdk/matrix/sync: what the /sync of a Matrix homeserver says, for anything that speaks the client-server API (https://spec.matrix.org/latest/client-server-api/):
// the rooms and what we know of them, and what happened in each since a token, in order and without gaps.
import { type Context, reconnect } from "../../sdk.ts";
import { type JsonApi, path } from "../http/api.ts";
import type { Joins } from "../joins.ts";
import type { RoomBook } from "./room-book.ts";
import { textAt, textOf } from "../untrusted.ts";

export interface MatrixSession {
  ctx: Pick<Context, "log" | "fetch">;
  api: JsonApi;
  /** Our user id. */
  me: string;
  rooms: RoomBook;
  joins: Joins;
}

/** An event, and the display names of who may be named in it. */
export interface Shown {
  event: MatrixEvent;
  names: ReadonlyMap<string, string | undefined>;
}

/** `content` is whatever its sender put there. */
export interface MatrixEvent {
  type: string;
  event_id: string;
  sender: string;
  /** Milliseconds, by the sender's homeserver. */
  origin_server_ts: number;
  content: Record<string, unknown>;
  state_key?: string;
  redacts?: string;
  unsigned?: {
    /** Of what this very login has sent. */
    transaction_id?: string;
    redacted_because?: unknown;
    prev_content?: Record<string, unknown>;
  };
}

interface Events {
  events?: MatrixEvent[];
}

/** What is new in a room. */
export interface RoomNews {
  summary?: Summary;
  /** As it is where the timeline begins, as far as it has changed; and the members who speak in the timeline. */
  state?: Events;
  /** limited: what came between the last token and prev_batch was left out. */
  timeline?: Events & { limited?: boolean; prev_batch?: string };
  invite_state?: Events;
}

export interface Summary {
  "m.heroes"?: string[];
  "m.joined_member_count"?: number;
  "m.invited_member_count"?: number;
}

/** Of GET /sync. */
export interface News {
  next_batch: string;
  rooms?: Partial<Record<"join" | "leave" | "invite", Record<string, RoomNews>>>;
}

/** Of GET /rooms/{id}/messages. */
export interface Messages {
  chunk: MatrixEvent[];
  state?: MatrixEvent[];
  end?: string;
}

const states = ["m.room.member", "m.room.name", "m.room.canonical_alias", "m.room.encryption"];
const types = [
  ...states,
  "m.room.message",
  "m.sticker",
  "m.reaction",
  "m.room.redaction",
  "m.room.encrypted",
];
const members = { lazy_load_members: true, include_redundant_members: true };
const none = { not_types: ["*"] };

/** What is new since the token: at once, or as soon as something happens within `timeout` milliseconds. Throws reconnect for an answer that is none: its token would be kept for ever. */
export async function readNews(
  api: JsonApi,
  since: string | undefined,
  limit: number,
  timeout: number,
): Promise<News> {
  const shown = { timeline: { types, limit }, state: { types: states, ...members } };
  const filter = {
    room: { ...shown, ephemeral: none, account_data: none },
    presence: none,
    account_data: none,
  };
  const asked = { since, timeout, filter: JSON.stringify(filter) };
  const news = await api.read<News | undefined>("/client/v3/sync", asked);
  if (news === undefined || textOf(news.next_batch) === undefined)
    throw reconnect("the answer to /sync has no next_batch");
  return news;
}

/** Who leaves has no name in that event. */
const nameIn = (content: MatrixEvent["content"], unsigned: MatrixEvent["unsigned"]): string | undefined =>
  textAt(content, "displayname") ??
  (content.membership === "join" ? undefined : textAt(unsigned, "prev_content", "displayname"));

const isOf = (user: string) => (one: MatrixEvent) => one.type === "m.room.member" && one.state_key === user;
const before = ({ unsigned }: MatrixEvent): unknown => unsigned?.prev_content?.membership;
const allOf = ({ state, timeline }: RoomNews) => [...(state?.events ?? []), ...(timeline?.events ?? [])];

/** Notes what has changed. The rooms in which something happened, and whether they are new to us. */
export function follow(
  { me, rooms, joins }: MatrixSession,
  { rooms: { join = {}, invite = {}, leave = {} } = {} }: News,
) {
  const isNew = new Map(Object.keys({ ...leave, ...join }).map((id) => [id, id in join && !rooms.has(id)]));
  for (const [id, room] of Object.entries(join)) {
    const last = (type: string) =>
      allOf(room).findLast((one) => one.type === type && one.state_key === "")?.content;
    const [named, aliased] = [last("m.room.name"), last("m.room.canonical_alias")];
    const {
      "m.heroes": others,
      "m.joined_member_count": joined,
      "m.invited_member_count": invited,
    } = room.summary ?? {};
    const called = {
      name: named && (textAt(named, "name") ?? ""),
      alias: aliased && (textAt(aliased, "alias") ?? ""),
    };
    rooms.note(id, {
      ...called,
      others,
      joined,
      invited,
      isEncrypted: last("m.room.encryption") !== undefined,
    });
  }
  for (const [id, { invite_state }] of Object.entries(invite))
    joins.invited(id, invite_state?.events?.find(isOf(me))?.sender ?? "");
  for (const [id, room] of Object.entries(leave)) {
    joins.left(id, allOf(room).findLast(isOf(me))?.sender);
    rooms.left(id);
  }
  return isNew;
}

/** In a room that is new to us, what was said before our invite is not for us. */
export async function* timeline(
  session: MatrixSession,
  id: string,
  room: RoomNews,
  isNew: boolean,
  since: string,
  limit: number,
): AsyncGenerator<Shown> {
  const { events = [], limited, prev_batch: to } = room.timeline ?? {};
  const isUs = isOf(session.me);
  const first = events.find(isUs);
  const cameIn = events.some(
    (one) => isUs(one) && one.content.membership === "join" && before(one) !== "join",
  );
  let isIn = !isNew && !cameIn;
  const show = function* ({ chunk, state = [] }: Messages): Generator<Shown> {
    const who = [...state, ...chunk].filter(({ type }) => type === "m.room.member");
    const names = new Map(
      who.map(({ state_key = "", content, unsigned }) => [state_key, nameIn(content, unsigned)]),
    );
    for (const event of chunk) if ((isIn ||= isUs(event))) yield { event, names };
  };
  // First what the homeserver left out of its answer, page by page.
  const gap = { dir: "f", from: since, to, limit, filter: JSON.stringify({ types, ...members }) };
  const next = ({ end }: Messages) => (end === undefined ? undefined : { ...gap, from: end });
  const where = path`/client/v3/rooms/${id}/messages`;
  if (limited) for await (const page of session.api.pages(session.ctx, where, gap, next)) yield* show(page);
  // Where the timeline begins between the invite and our coming, all of it is for us.
  isIn ||= !cameIn || (first !== undefined && before(first) === "invite");
  yield* show({ chunk: events, state: room.state?.events ?? [] });
}
