// Calendars over CalDAV: what changes in them becomes events, messages become entries (write.ts); calendars.ts asks the server. What is known of a calendar, its sync token and the
// version of each entry, is in the state: what the server tells twice comes once.
import { type Context, defineConnector, type Draft, retry, type SpoolwayError } from "spoolway/sdk";
import { changedMs, draftOf } from "spoolway/sdk/calendar/entry";
import { choose } from "spoolway/sdk/choose";
import { reading } from "spoolway/sdk/http/api";
import { OwnVersions } from "spoolway/sdk/calendar/own-versions";
import { type KnownVersions, knownAfter, newsIn } from "spoolway/sdk/calendar/versions";
import { DavServer } from "spoolway/sdk/calendar/web-dav";
import { type Calendar, findHome, listCalendars, lookInto, read } from "./calendars.ts";
import type { Config } from "./manifest.d.ts";
import { parse, send, type Session } from "./write.ts";

export default defineConnector<Config, Session>({
  async connect({ config, state, ...ctx }) {
    const dav = new DavServer(ctx, config);
    dav.at = await findHome(dav, config.server);
    const all = await listCalendars(dav);
    const calendars = choose(all, config.calendars, ({ url, path, name }) => [name, path, url], "calendars");
    // One that was made since then is news as a whole.
    const isWatched = config.calendars === undefined && (await state.get("all")) !== undefined;
    for (const { url, path } of config.begin === "all" || isWatched ? [] : calendars) {
      if ((await state.get(path)) !== undefined) continue;
      const { token, there } = await reading(lookInto(dav, url));
      await state.set(path, knownAfter(undefined, token, there, []));
    }
    if (config.calendars === undefined) await state.set("all", true);
    return { dav, calendars, own: await OwnVersions.open(state) };
  },

  async sync(session, _since, ctx) {
    const { dav } = session;
    if (ctx.config.calendars === undefined) session.calendars = await listCalendars(dav);
    let trouble: SpoolwayError | undefined;
    for (const calendar of session.calendars)
      await follow(session, calendar, ctx, ctx.limit).catch((error: SpoolwayError) => {
        if (error.fate !== "reject" && error.fate !== "retry") return reading(Promise.reject<void>(error));
        // One that cannot be read holds up no other.
        const { message, retryAfterMs } = error;
        trouble ??= retry(`${calendar.name}: ${message}`, retryAfterMs === undefined ? {} : { retryAfterMs });
      });
    if (trouble !== undefined) throw trouble;
    return { cursor: "in the state" };
  },

  send,

  probe: ({ dav }) => reading(dav.check()),
});

/** Delivers what changed, in the order of the changes. */
async function follow(
  { dav, own }: Session,
  { url, path: id, name }: Calendar,
  ctx: Context<Config>,
  limit: number,
): Promise<void> {
  const known = await ctx.state.get<KnownVersions>(id);
  // Without tokens (an empty one) all is compared.
  const look = await lookInto(dav, url, known?.token || undefined);
  const { changed, gone } = newsIn(look, known?.versions ?? {});
  const deliver = async (path: string, version: string, draft: Draft): Promise<void> => {
    const isSelf = await own.isOwn(path, version);
    await ctx.deliver({
      ...draft,
      // With where we were: what is changed back, or made once more, has the version that it had before.
      key: [path, version, known?.token ?? ""],
      platform_id: path,
      target: draft.kind === "item" ? undefined : { platform_id: path },
      conversation: { id, name, type: "other" },
      sender: isSelf ? { id: ctx.config.user, is_self: true } : draft.sender,
    });
  };
  const seen = [];
  for (let at = 0; at < changed.length; at += limit) {
    const entries = await read(dav, url, changed.slice(at, at + limit));
    for (const { text, refused, ...version } of entries.sort(
      (a, b) => changedMs(a.text) - changedMs(b.text),
    )) {
      const content = draftOf(text, (ical) => parse(ical).getAllSubcomponents(), refused);
      const kind = known?.versions[version.path] === undefined ? "item" : "edit";
      await deliver(version.path, version.etag, { ...content, kind });
      seen.push(version);
    }
  }
  for (const path of gone)
    await deliver(path, `${known?.versions[path]} removed`, { kind: "delete", raw: { path } });
  // What was there a moment ago and is gone now is told as removed the next time, or never was.
  if (look.token !== known?.token || changed.length + gone.length > 0)
    await ctx.state.set(id, knownAfter(known, look.token, seen, gone));
}
