// Calendars over CalDAV: what changes in them becomes events, messages become entries (write.ts); calendars.ts asks the server. What is known of a calendar, its sync token and the
// version of each entry, is in the state: what the server tells twice comes once.
import { type Context, defineConnector, type Draft } from "spoolway/sdk";
import { changedMs, draftOf } from "spoolway/sdk/calendar-entry";
import { Recent } from "spoolway/sdk/recent";
import { type KnownVersions, knownAfter, newsIn } from "spoolway/sdk/versions";
import { DavServer } from "spoolway/sdk/web-dav";
import { type Calendar, findCalendars, lookInto, read } from "./calendars.ts";
import type { Config } from "./manifest.d.ts";
import { parse, send, type Session } from "./write.ts";

export default defineConnector<Config, Session>({
  async connect(ctx) {
    const dav = new DavServer(ctx, ctx.config);
    const calendars = await findCalendars(dav, ctx.config);
    for (const { url } of calendars) {
      if (ctx.config.begin === "all" || (await ctx.state.get(url)) !== undefined) continue;
      const { token, there } = await lookInto(dav, url);
      await ctx.state.set(url, knownAfter(undefined, token, there, []));
    }
    return { dav, calendars, own: await Recent.open<string>(ctx.state, "own", 1000) };
  },

  async sync(session, _since, ctx) {
    for (const calendar of session.calendars) await follow(session, calendar, ctx);
    return { cursor: "in the state" };
  },

  send,

  async probe({ dav }, { config }) {
    await findCalendars(dav, config);
  },
});

/** Delivers what changed, in the order of the changes. */
async function follow(
  { dav, own }: Session,
  { url, path: id, name }: Calendar,
  ctx: Context<Config>,
): Promise<void> {
  const known = await ctx.state.get<KnownVersions>(url);
  const look = await lookInto(dav, url, known?.token);
  const { changed, gone } = newsIn(look, known?.versions ?? {});
  const deliver = async (path: string, version: string, draft: Draft): Promise<void> => {
    const noted = own.get(path);
    await ctx.deliver({
      ...draft,
      key: [path, version],
      platform_id: path,
      target: draft.kind === "item" ? undefined : { platform_id: path },
      conversation: { id, name, type: "other" },
      sender: noted === "*" || noted === version ? { id: ctx.config.user, is_self: true } : draft.sender,
    });
    // Not every server says which version our change became; the next one is somebody else's.
    if (noted === "*") await own.note(path, version);
  };
  const entries = await read(dav, url, changed);
  for (const { path, etag, text } of entries.sort((a, b) => changedMs(a.text) - changedMs(b.text)))
    await deliver(path, etag, {
      ...draftOf(text, (ical) => parse(ical).getAllSubcomponents()),
      kind: known?.versions[path] === undefined ? "item" : "edit",
    });
  for (const path of gone)
    await deliver(path, `${known?.versions[path]} removed`, { kind: "delete", raw: { path } });
  // What was there a moment ago and is gone now is told as removed the next time, or never was.
  if (look.token !== known?.token || changed.length + gone.length > 0)
    await ctx.state.set(url, knownAfter(known, look.token, entries, gone));
}
