// A bus whose connector `calendar` is on a Radicale of its own, with one calendar in which there is one old entry; with a front between them where the test wants one.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Bus, type BusOptions, startBus } from "../bus.ts";
import { atEnd } from "../children.ts";
import { type DavFront, startFront } from "./davFront.ts";
import { icalOf, makeRadicale, password, type Radicale, user } from "./radicale.ts";

export const team = `/${user}/team/`;
export const nowS = Math.floor(Date.now() / 1000);

export interface OpenCalendar {
  server: Radicale;
  front: DavFront;
  bus: Bus;
}

export interface OpenOptions {
  until?: BusOptions["until"];
  /** Before the connector sees it. */
  prepare?: (server: Radicale, front: DavFront) => Promise<void> | void;
}

/** `changes`: of the connector's entry. */
export async function openCalendar(
  changes: Record<string, unknown> = {},
  { until = "live", prepare }: OpenOptions = {},
): Promise<OpenCalendar> {
  const folder = mkdtempSync(join(tmpdir(), "spoolway-caldav-"));
  const server = await makeRadicale(folder);
  atEnd(async () => {
    await server.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  await server.start();
  const front = await startFront(server.port);
  await server.makeCalendar(team, "Team");
  await put(server, "old", "long ago");
  await prepare?.(server, front);
  const entry = {
    ...{ name: "calendar", type: "caldav", server: front.url, user, password },
    runtime: { sync_every: "200ms", retry: { base: "100ms", max: "500ms" } },
    ...changes,
  };
  return { server, front, bus: await startBus({ connectors: [entry], until }) };
}

/** Somebody's calendar program writes an entry; `lines` are further ones of its VEVENT. */
export const put = (
  server: Radicale,
  uid: string,
  summary: string,
  lines?: readonly string[],
  changedS = nowS,
): Promise<unknown> =>
  server.ask(
    "PUT",
    `${team}${encodeURIComponent(uid)}.ics`,
    icalOf({ uid, summary, changedS, ...(lines && { lines }) }),
  );

/** An entry as the server has it. */
export const stored = (server: Radicale, name: string): string =>
  server.entries(team).find(({ path }) => path === `${team}${name}.ics`)?.text ?? "";
