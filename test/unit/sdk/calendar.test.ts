// What the parts for calendars and WebDAV promise where no server is needed: paths, where a login may go, when an entry was changed.
import { expect, test } from "vitest";
import { changedMs } from "../../../runtime/sdk/calendar/entry.ts";
import { mayAsk, pathOf } from "../../../runtime/sdk/calendar/web-dav.ts";

test("paths are in clear, whatever a server encodes; a slash in a name stays apart from those between names", () => {
  const base = "https://example.test/x";
  const all = {
    "/a/b%40c.ics": "/a/b@c.ics",
    "/a/b@c.ics": "/a/b@c.ics",
    "https://example.test/%C3%BC%20/1%23.ics": "/ü /1#.ics",
    "/a/b%2Fc%252f": "/a/b%2Fc%2f",
    "/a/%FC.ics": "/a/%FC.ics",
  };
  for (const [href, path] of Object.entries(all)) expect(pathOf(href, base)).toBe(path);
});

test("the login goes to the server, to the same over TLS, and to its neighbours over TLS, nowhere else", () => {
  const may = (server: string, where: string): boolean => mayAsk(new URL(where), new URL(server));
  const icloud = "https://caldav.icloud.com/";
  for (const [server, where] of [
    [icloud, "https://caldav.icloud.com/x"],
    [icloud, "https://p42-caldav.icloud.com/1/"],
    [icloud, "https://p42-caldav.icloud.com:443/1/"],
    ["http://cloud.example.org/", "https://cloud.example.org/dav"],
    ["http://127.0.0.1:5232/", "http://127.0.0.1:5232/ada/"],
  ] as const)
    expect(may(server, where), `${server} to ${where}`).toBe(true);
  for (const [server, where] of [
    [icloud, "http://caldav.icloud.com/"],
    [icloud, "https://p42-caldav.icloud.com:8443/"],
    [icloud, "https://icloud.com.example.test/"],
    [icloud, "https://evilicloud.com/"],
    ["https://example.org/", "https://example.net/"],
    ["https://example.co.uk/", "https://example2.co.uk/"],
    ["http://127.0.0.1:5232/", "http://127.0.0.1:6379/"],
    ["https://127.0.0.1/", "https://10.0.0.1/"],
    ["http://nas.local/", "http://router.local/"],
  ] as const)
    expect(may(server, where), `${server} to ${where}`).toBe(false);
});

test("an entry was changed when it, or an instance of it, was: not when its time zone was", () => {
  const lines = [
    ...["BEGIN:VCALENDAR", "BEGIN:VTIMEZONE", "LAST-MODIFIED:20300101T000000Z", "END:VTIMEZONE"],
    ...["BEGIN:VEVENT", "DTSTAMP:20310101T000000Z", "LAST-MODIFIED:20260102T030405Z", "END:VEVENT"],
    ...["BEGIN:VEVENT", "LAST-MODIFIED;X=1:20260202T030405Z", "END:VEVENT", "END:VCALENDAR"],
  ];
  for (const end of ["\n", "\r\n"])
    expect(changedMs(lines.join(end))).toBe(Date.parse("2026-02-02T03:04:05Z"));
  expect(changedMs("BEGIN:VEVENT\nDTSTAMP:20260102T030405Z\nEND:VEVENT")).toBe(
    Date.parse("2026-01-02T03:04:05Z"),
  );
  expect(changedMs("BEGIN:VEVENT\nLAST-MODIFIED:soon\nEND:VEVENT")).toBe(0);
});
