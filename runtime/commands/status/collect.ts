// What `spoolway status` knows, from files alone: the supervisor's status, the heartbeats, and the folders as they are now.
import { opendir } from "node:fs/promises";
import { join } from "node:path";
import type { ConnectorStatus } from "../../../schema/types.ts";
import { errnoOf } from "../../errors.ts";
import { readHeartbeat } from "../../spool/heartbeats.ts";
import { isDropName, spoolPaths } from "../../spool/names.ts";
import { lookAtBus, notRunning } from "../bus.ts";
import { advise } from "./advice.ts";
import type { ConnectorReport, Report } from "./report.ts";

/** Name and type of what connectors.yml has, and its mistakes. */
export interface Configured {
  connectors: Array<{ name: string; type: string }>;
  errors: string[];
}

/** `names` is asked for only where no running bus knows. */
export async function collect(spool: string, names: () => Promise<Configured>): Promise<Report> {
  const { state, status } = lookAtBus(spool);
  // What a dead bus said last is not true any more: only what it left in the folders is.
  const isTrue = state === "running" || state === "stopping";
  const configured = isTrue ? undefined : await names();
  const known = isTrue ? (status?.connectors ?? []) : (configured?.connectors ?? []);
  const connectors = await Promise.all(
    known.map((one) => reportOn(spool, one, isTrue ? (one as ConnectorStatus) : undefined)),
  );
  const configErrors = isTrue ? (status?.config_errors ?? []) : (configured?.errors ?? []);
  const { pid, host, started_at, beat_at, spoolway_version: version } = status ?? {};
  const report: Report = {
    ok: false,
    bus: { state, ...given({ pid, host, started_at, beat_at, version }) },
    connectors,
    orphan_outboxes: isTrue ? (status?.orphan_outboxes ?? []) : [],
    config_errors: configErrors,
    to_do: [],
  };
  const why = notRunning({ state, status });
  report.to_do = [...(why === undefined ? [] : [capital(why)]), ...advise(report)];
  report.ok = why === undefined && isHealthy(report);
  return report;
}

/** Dead letters are history that a person may keep; everything else that needs one is not healthy. */
function isHealthy({ connectors, orphan_outboxes, config_errors }: Report): boolean {
  const fine = ["live", "paused", "disabled"];
  return (
    orphan_outboxes.length + config_errors.length === 0 &&
    connectors.every(({ state, error }) => fine.includes(state) && error?.code !== "spool_full")
  );
}

async function reportOn(
  spool: string,
  { name, type }: { name: string; type: string },
  status: ConnectorStatus | undefined,
): Promise<ConnectorReport> {
  const beat = readHeartbeat(spool, name);
  const { outbox, sending, retry, failed } = spoolPaths(spool, name);
  const [waiting, inFlight, retrying, dead] = await Promise.all([
    countFiles(outbox, isDropName),
    countFiles(sending, isDropName),
    countFiles(retry, isDropName),
    countFiles(failed, isDropName),
  ]);
  // A heartbeat of an earlier process says what was, not what is.
  const fresh = status?.pid !== undefined && beat?.pid === status.pid ? beat : undefined;
  const { pid, restarts, next_start_at } = status ?? {};
  const { last_received_at, last_sent_at, last_sync_at } = beat ?? {};
  return {
    name,
    type,
    state: status?.state ?? "unknown",
    liveness: fresh?.liveness ?? "unknown",
    ...given({ pid, restarts, next_start_at, last_received_at, last_sent_at, last_sync_at }),
    waiting,
    in_flight: inFlight,
    retrying,
    failed: dead,
    ...given({ unclaimed: fresh?.unclaimed, oldest_waiting_s: fresh?.oldest_waiting_s }),
    ...given({
      error: status?.error ?? fresh?.error,
      user_action: status?.user_action ?? fresh?.user_action,
    }),
  };
}

/** Counts the entries whose name is accepted, one by one: a million of them take time, and no memory. 0 when there is no folder. */
export async function countFiles(folder: string, accept: (name: string) => boolean): Promise<number> {
  let files = 0;
  try {
    for await (const { name } of await opendir(folder, { bufferSize: 1024 })) if (accept(name)) files += 1;
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
  return files;
}

/** The names of a home whose bus does not run. */
export async function configuredAt(home: string, spool: string): Promise<Configured> {
  const { loadConfig } = await import("../../config/load.ts");
  const { placeOf } = await import("../../config/report.ts");
  const { connectors, invalid, problems, unusable } = await loadConfig(home);
  const listed = [...connectors, ...invalid].map(({ name, type }) => ({ name, type }));
  return {
    // Without a usable file the folders still tell what was there.
    connectors: unusable ? await namesInOutbox(spool) : listed,
    errors: problems.map((problem) => `${placeOf(problem)}: ${problem.message}`),
  };
}

async function namesInOutbox(spool: string): Promise<Configured["connectors"]> {
  const found: Configured["connectors"] = [];
  try {
    for await (const entry of await opendir(join(spool, "outbox"))) {
      if (entry.isDirectory()) found.push({ name: entry.name, type: "?" });
    }
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Without the keys that have no value. */
function given<T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };
}
