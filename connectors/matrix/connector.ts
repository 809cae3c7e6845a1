// Matrix: the rooms of an account, both ways, without encryption. events.ts is what comes in, send.ts what goes out; sdk/matrix/sync is where we are and what happened there.
import { defineConnector, reconnect, toSpoolwayError } from "spoolway/sdk";
import { JsonApi, judgeBy, path } from "spoolway/sdk/http/api";
import { Joins } from "spoolway/sdk/joins";
import { follow, readNews, timeline } from "spoolway/sdk/matrix/sync";
import { RoomBook } from "spoolway/sdk/matrix/room-book";
import { textAt } from "spoolway/sdk/untrusted";
import { type Session, toDraft } from "./events.ts";
import type { Config } from "./manifest.d.ts";
import { send } from "./send.ts";

const judge = judgeBy({
  code: ({ errcode }) => errcode,
  words: ({ error }) => error,
  waitMs: ({ retry_after_ms }) => retry_after_ms,
  stop: {
    401: "Log in anew, as the README says, and put the access token into connectors.yml.",
    "M_(USER|CONSENT)_.*": "Log in with another client: it says what the account needs.",
  },
  reject: { 403: "Invite the account into the room and let it do this there, then: spoolway failed retry" },
});

export default defineConnector<Config, Session>({
  async connect(ctx) {
    const { homeserver, access_token, accept_invites, rooms: wanted } = ctx.config;
    const authorization = `Bearer ${access_token}`;
    const api = new JsonApi(ctx, new URL("/_matrix", homeserver).href, { authorization }, judge);
    const join = (room: string) => api.call("POST", path`/client/v3/join/${room}`, { json: {} });
    const [joins, rooms] = [new Joins(ctx, join, accept_invites), new RoomBook(ctx)];
    const me = await whoAmI(api);
    const snapshot = await readNews(api, undefined, 1, 0);
    const session = { api, ctx, me, now: snapshot.next_batch, joins, rooms };
    follow(session, snapshot);
    joins.want(...wanted.filter((room) => !rooms.has(room)));
    return session;
  },

  receive: ({ joins }, { signal }) => joins.keepJoining(signal),

  /** Holds a request until something happens. The cursor begins with the account: a token of another one means nothing. */
  async sync(session, since = "", ctx) {
    const [whose, token] = since.split(" ");
    // What was said before the first start is not for us.
    if (whose !== session.me || !token) return { cursor: `${session.me} ${session.now}`, more: true };
    const news = await readNews(session.api, token, ctx.limit, ctx.config.poll_s * 1000);
    const rooms = follow(session, news);
    for (const [id, isNew] of rooms) {
      const room = news.rooms?.join?.[id] ?? news.rooms?.leave?.[id] ?? {};
      for await (const shown of timeline(session, id, room, isNew, token, ctx.limit)) {
        const draft = await toDraft(shown, id, session);
        if (draft !== undefined) await ctx.deliver(draft);
      }
    }
    // Some servers answer at once with nothing, again and again: then it is asked every sync_every.
    return { cursor: `${session.me} ${news.next_batch}`, more: rooms.size > 0 };
  },

  send,
  probe: async ({ api }) => void (await whoAmI(api)),
});

const elsewhere =
  "It is tried again by itself. If it stays so: is `homeserver` the address of the API? The README says how to find it.";

/** Our user id. */
async function whoAmI(api: JsonApi): Promise<string> {
  const isAway = (thrown: unknown): never => {
    const { fate, message } = toSpoolwayError(thrown);
    throw fate === "reconnect" ? reconnect(message, { hint: elsewhere, cause: thrown }) : thrown;
  };
  const timeout = AbortSignal.timeout(10_000);
  const me = textAt(await api.read("/client/v3/account/whoami", {}, timeout).catch(isAway), "user_id");
  if (me === undefined) throw reconnect("the answer to whoami names no user", { hint: elsewhere });
  return me;
}
