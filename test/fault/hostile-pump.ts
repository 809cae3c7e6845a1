// The real outbox pump on a real spool, in this process, behind a platform that answers as a message's id decides: thousands of drops a second. The spool lies in
// memory where the system has such a place, since what is asked here is what happens to a drop and not what a disk keeps.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../../runtime/config/load.ts";
import type { ConnectorSettings } from "../../runtime/config/model.ts";
import { Pump } from "../../runtime/connector/pump.ts";
import { Sender } from "../../runtime/connector/sender.ts";
import { newStatus, type Status } from "../../runtime/connector/status.ts";
import { SpoolwayError } from "../../runtime/errors.ts";
import type { Logger, Outgoing } from "../../runtime/sdk.ts";
import { parseRetryName } from "../../runtime/spool/names.ts";
import { Outbox } from "../../runtime/spool/outbox.ts";
import { openSpool, prepareConnector } from "../../runtime/spool/spool.ts";
import { memoryFolder } from "../helpers/memoryFolder.ts";
import { waitFor } from "../helpers/wait.ts";

const scripted = join(import.meta.dirname, "../helpers/connectors/scripted");

export interface Place {
  home: string;
  outbox: Outbox;
  settings: ConnectorSettings;
  /** Names in one of the connector's folders. */
  list(folder: "outbox" | "sending" | "retry" | "sent" | "failed"): string[];
  remove(): void;
}

/** A spool with the folders of one connector. */
export async function makePlace(settings: Partial<ConnectorSettings> = {}): Promise<Place> {
  const home = memoryFolder("hostile");
  writeFileSync(
    join(home, "connectors.yml"),
    JSON.stringify({ connectors: [{ name: "one", type: scripted, log: "log" }] }),
  );
  const { connectors, problems } = await loadConfig(home);
  if (connectors[0] === undefined) throw new Error(JSON.stringify(problems));
  const merged = { ...connectors[0].settings, concurrency: 32, settleMs: 0, ...settings };
  const root = join(home, "spool");
  mkdirSync(root);
  await openSpool(root);
  const paths = prepareConnector(root, "one");
  return {
    home,
    outbox: new Outbox("one", paths, merged),
    settings: merged,
    list: (folder) => readdirSync(paths[folder]),
    remove: () => rmSync(home, { recursive: true }),
  };
}

export interface RunningPump {
  /** What the platform was given, by id. */
  seen: Map<string, Outgoing[]>;
  status: Status;
  /** Lines of level error. */
  errors: string[];
  /** Resolves when nothing but scheduled messages waits; rejects when the session ends. `except`: what is no drop. */
  settled(options?: { except?: string[] }): Promise<void>;
  close(): Promise<void>;
}

/** The first try of some messages fails, by their ids: every way out of a send is taken. */
function answer(message: Outgoing, attempt: number): void {
  const dice = message.id.charCodeAt(message.id.length - 1) % 8;
  if (dice === 0) throw new SpoolwayError("rejected", "no");
  if (dice === 1 && attempt === 1) throw new SpoolwayError("send_failed", "later", { retryAfterMs: 0 });
  if (dice === 2 && attempt === 1) throw new SpoolwayError("timed_out", "no answer", { retryAfterMs: 0 });
}

/** Waits for a time that does not come while a test runs. */
const isScheduled = (file: string): boolean => (parseRetryName(file)?.dueMs ?? 0) > Date.now() + 3_600_000;

export async function startPump({ outbox, settings, list }: Place): Promise<RunningPump> {
  const status = newStatus();
  const errors: string[] = [];
  const stop = new AbortController();
  const quiet = (): void => undefined;
  const log: Logger = {
    debug: quiet,
    info: quiet,
    warn: quiet,
    error: (event, fields) => errors.push(`${event} ${String(fields?.file)} ${String(fields?.error)}`),
  };
  const seen = new Map<string, Outgoing[]>();
  const pump = new Pump(
    outbox,
    new Sender(outbox, settings, status, log, stop.signal),
    settings,
    status,
    log,
  );
  await pump.start();
  let ended: unknown;
  const running = pump
    .run({
      signal: stop.signal,
      send: async (message, attempt) => {
        seen.set(message.id, [...(seen.get(message.id) ?? []), message]);
        answer(message, attempt);
      },
      reconcile: async () => undefined,
    })
    .catch((error: unknown) => (ended = error));
  const isSettled = (except: string[]): boolean => {
    if (ended !== undefined) return true;
    const waiting = list("outbox").filter((file) => !except.includes(file));
    return waiting.length + list("sending").length === 0 && list("retry").every(isScheduled);
  };
  return {
    seen,
    status,
    errors,
    async settled({ except = [] } = {}) {
      await waitFor(() => isSettled(except), {
        timeoutMs: 120_000,
        everyMs: 100,
        message: () => leftIn(list, errors),
      });
      if (ended !== undefined) throw new Error(`the session ended: ${errors.join("\n")}`, { cause: ended });
    },
    async close() {
      stop.abort();
      await running;
      await pump.drain();
      await pump.close();
    },
  };
}

function leftIn(list: Place["list"], errors: string[]): string {
  const folders = (["outbox", "sending", "retry"] as const).map(
    (folder) => `${folder}: ${JSON.stringify(list(folder).slice(0, 5))}`,
  );
  return `all to be settled; ${folders.join("; ")}\n${errors.slice(0, 5).join("\n")}`;
}

/** A JSON file of the connector's, by folder and name. */
export function readJson<T>({ outbox }: Place, folder: "sent" | "failed" | "retry", file: string): T {
  return JSON.parse(readFileSync(join(outbox.paths[folder], file), "utf8")) as T;
}
