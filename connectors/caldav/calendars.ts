// What a CalDAV server (RFC 4791) has for us: the calendars, what changed in one (RFC 6578), and its entries.
import { calendarMultiGet, createAccount, fetchCalendars, syncCollection } from "tsdav";
import type { SpoolwayError } from "spoolway/sdk";
import { choose } from "spoolway/sdk/choose";
import { reading } from "spoolway/sdk/http-api";
import type { Look, Version } from "spoolway/sdk/versions";
import { type DavServer, lookOf, pathOf, textsIn } from "spoolway/sdk/web-dav";
import type { Config } from "./manifest.d.ts";

export type Calendar = Record<"url" | "path" | "name", string>;

const atOnce = 50;

/** Those that the config names, or all. */
export async function findCalendars(
  { access }: DavServer,
  { server, calendars }: Config,
): Promise<Calendar[]> {
  await reading(access.fetch(server, { method: "OPTIONS", headers: access.headers }));
  const account = await reading(
    createAccount({ account: { serverUrl: server, accountType: "caldav" }, ...access }),
  );
  const all = (await reading(fetchCalendars({ account, ...access }))).map(({ url, displayName }) => {
    const path = pathOf(url, server);
    return { url, path, name: typeof displayName === "string" && displayName !== "" ? displayName : path };
  });
  return choose(all, calendars, ({ url, path, name }) => [name, path, url], "calendars");
}

/** Since the token; without one, or with one that the server forgot, all that there is. */
export async function lookInto(dav: DavServer, url: string, token?: string): Promise<Look> {
  const asked = {
    url,
    props: { "d:getetag": {} },
    syncLevel: 1,
    ...(token && { syncToken: token }),
    ...dav.access,
  };
  const isForgotten = (error: SpoolwayError): boolean => token !== undefined && error.code === "stale_token";
  const answers = await reading(
    syncCollection(asked).catch((error: SpoolwayError) => {
      if (!isForgotten(error)) throw error;
    }),
  );
  return answers === undefined ? lookInto(dav, url) : lookOf(answers, url, token);
}

/** Those that are still there, as they are now. */
export async function read(dav: DavServer, url: string, versions: readonly Version[]) {
  const found = [];
  const props = { "d:getetag": {}, "c:calendar-data": {} };
  for (let at = 0; at < versions.length; at += atOnce) {
    const objectUrls = versions.slice(at, at + atOnce).map(({ path }) => encodeURI(path));
    const asked = { url, props, objectUrls, depth: "1" as const, ...dav.access };
    found.push(...textsIn(await reading(calendarMultiGet(asked)), url, "calendarData"));
  }
  return found;
}
