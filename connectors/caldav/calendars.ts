// What a CalDAV server (RFC 4791) has for us: the calendars, what changed in one (RFC 6578), and its entries.
import { createAccount, davRequest, propfind, syncCollection } from "tsdav";
import type { SpoolwayError } from "spoolway/sdk";
import { reading } from "spoolway/sdk/http/api";
import type { Look, Version } from "spoolway/sdk/calendar/versions";
import type { DavServer } from "spoolway/sdk/calendar/web-dav";
import { lookThrough, multistatus, pathOf, readAll, textOf } from "spoolway/sdk/calendar/web-dav";

export type Calendar = Record<"url" | "path" | "name", string>;

/** Where the account's calendars are. */
export async function findHome(dav: DavServer, serverUrl: string): Promise<string> {
  const account = { serverUrl, accountType: "caldav" as const };
  const find = dav.discover((access) => createAccount({ account, ...access }));
  return (await reading(find)).homeUrl ?? serverUrl;
}

export async function listCalendars(dav: DavServer): Promise<Calendar[]> {
  const asked = { "d:displayname": {}, "d:resourcetype": {} };
  const answers = await reading(propfind({ url: dav.at, props: asked, depth: "1", ...dav.access }));
  return multistatus(answers).flatMap(({ href = "", props }) => {
    if (!("calendar" in ((props?.resourcetype ?? {}) as object))) return [];
    const url = new URL(href.replace(/\/*$/, "/"), dav.at).href;
    return [{ url, path: pathOf(url), name: textOf(props?.displayname) || pathOf(url) }];
  });
}

/** Since the token; without one, or with one that the server forgot, all that there is. */
export async function lookInto(dav: DavServer, url: string, token?: string): Promise<Look> {
  const asked = { url, props: { "d:getetag": {} }, syncLevel: 1, ...dav.access };
  try {
    return await lookThrough(url, token, (at) => syncCollection({ ...asked, ...(at && { syncToken: at }) }));
  } catch (error) {
    if (token === undefined || (error as SpoolwayError).code !== "stale_token") throw error;
    return lookInto(dav, url);
  }
}

/** Those that are still there, as they are now. */
export function read({ access }: DavServer, url: string, versions: readonly Version[]) {
  const names = { "xmlns:d": "DAV:", "xmlns:c": "urn:ietf:params:xml:ns:caldav" };
  const props = { "d:getetag": {}, "c:calendar-data": {} };
  return readAll(versions, url, "calendarData", (hrefs) => {
    const body = { "c:calendar-multiget": { _attributes: names, "d:prop": props, "d:href": hrefs } };
    return davRequest({
      url,
      init: { method: "REPORT", headers: access.headers, body },
      fetch: access.fetch,
    });
  });
}
