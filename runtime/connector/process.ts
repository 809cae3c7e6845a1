// The process that runs one connector. Started by the supervisor, told what to run by the first IPC message, ended by the last.
//
//   start ─▶ load the connector, or start its sandbox ─▶ recover the outbox ─▶ sessions (session.ts) ─▶ exit
//
// Exit codes: 0 asked to stop; 100 permanent, a person must change something; 111 temporary. Anything else is a crash.
import type { ConnectorConfig } from "../config/model.ts";
import { exitCode, type SpoolwayError, toSpoolwayError } from "../errors.ts";
import type { Ending, ToConnector } from "../ipc.ts";
import { loadConnector } from "../load-connector.ts";
import type { Logger } from "../sdk.ts";
import { InboxWriter } from "../spool/inbox.ts";
import { Outbox } from "../spool/outbox.ts";
import type { SpoolPaths } from "../spool/names.ts";
import { removeOldReceipts } from "../spool/retention.ts";
import { DiskSpace } from "../spool/space.ts";
import { openConnector, prepareReserve } from "../spool/spool.ts";
import { LazyStateDb } from "../spool/statedb.ts";
import { sleep } from "../timing.ts";
import { Beat } from "./beat.ts";
import { createContext } from "./context.ts";
import { createLogger } from "./log.ts";
import { Pump } from "./pump.ts";
import type { Sandboxed } from "./sandboxed.ts";
import { Sender } from "./sender.ts";
import { runSessions } from "./session.ts";
import { newStatus, setError } from "./status.ts";
import { Syncer } from "./sync.ts";
import { Unsendable } from "./unsendable.ts";

const log = createLogger();
const status = newStatus();
const stop = new AbortController();
let syncer: Syncer | undefined;
/** The reason for the exit was said, or there is none to say. */
let ending = false;

process.on("message", (message: ToConnector) => {
  if (message.type === "start") void main(message.connector, message.home, message.spool);
  else if (message.type === "stop") stop.abort();
  else syncer?.demand();
});
process.on("SIGTERM", () => stop.abort());
// Ctrl-C in a terminal reaches the whole process group: the supervisor decides when we stop.
process.on("SIGINT", () => undefined);
// Without a supervisor nobody watches this process, and a new one may start a second sender.
process.on("disconnect", () => process.exit(exitCode.temporary));

async function main(connector: ConnectorConfig, home: string, spool: string): Promise<void> {
  try {
    await run(connector, home, spool);
    process.exit(exitCode.stopped);
  } catch (thrown) {
    await end(toSpoolwayError(thrown));
  }
}

async function run(connector: ConnectorConfig, home: string, spool: string): Promise<void> {
  const { name, settings } = connector;
  status.redactor.add(connector.secrets);
  const paths = await openConnector(spool, name);
  prepareReserve(spool, name, settings.reserveBytes);
  const space = new DiskSpace(spool, settings);
  const sandboxed = settings.sandbox ? await startInSandbox(connector, home, paths) : undefined;
  const definition = sandboxed?.definition ?? (await loadConnector(connector.entry, connector.type));
  const state = new LazyStateDb(paths, settings.seenKeepMs);
  const inbox = new InboxWriter(paths, state, space);
  const outbox = new Outbox(name, paths, settings, space);
  const sender = new Sender(outbox, settings, status, log, stop.signal);
  const pump = definition.send && new Pump(outbox, sender, settings, status, log);
  const unsendable = pump ? undefined : new Unsendable(paths.outbox, status);
  const beat = new Beat(
    spool,
    name,
    connector.type,
    status,
    () => (pump ?? unsendable ?? noDepths).depths,
    space,
    log,
    sandboxed?.vital,
  );
  syncer = definition.sync && new Syncer(definition.sync.bind(definition), settings, state, status, log);
  beat.start();
  void sweepReceipts(paths.sent, settings.sentKeepMs, log);
  await pump?.start();
  const parts = { connector, home, canSend: pump !== undefined, paths, log, status, state, inbox, space };
  try {
    await runSessions(
      {
        definition,
        settings,
        status,
        log,
        pump,
        syncer,
        newContext: (signal) => createContext(parts, signal),
        beat: () => beat.now(),
      },
      stop.signal,
    );
  } finally {
    status.state = "stopping";
    await pump?.close();
    unsendable?.close();
    await inbox.idle();
    await state.close();
    beat.stop();
    await sandboxed?.end();
  }
}

const noDepths = {
  depths: { outbox_depth: 0, retry_depth: 0, in_flight: 0, unclaimed: 0, oldestMs: undefined },
};

/** What belongs to the sandbox is as large as all the rest, and a sixth of a start: it is loaded only where it is asked for. */
async function startInSandbox(
  connector: ConnectorConfig,
  home: string,
  paths: SpoolPaths,
): Promise<Sandboxed> {
  const { startSandboxed } = await import("./sandboxed.ts");
  return startSandboxed(connector, home, paths, log, (reason) => void crashed(reason));
}

/** The guest of a sandboxed connector has ended: what was under way is as uncertain as after any other crash of a connector, and settled as such. */
async function crashed(error: SpoolwayError): Promise<void> {
  await end(error, error.fate === "stop" ? exitCode.permanent : exitCode.crashed);
}

/** Says why, to the log, the heartbeat and the supervisor, and exits. */
async function end(
  error: SpoolwayError,
  code: number = error.fate === "stop" ? exitCode.permanent : exitCode.temporary,
): Promise<void> {
  if (ending) return;
  ending = true;
  status.state = "stopping";
  setError(status, error);
  log.error("connector.ended", {
    code: error.code,
    error: error.message,
    hint: error.hint,
    cause: error.cause,
  });
  const reason: Ending = {
    type: "ending",
    code: error.code,
    message: status.redactor.text(error.message),
    ...(error.hint === "" ? {} : { user_action: status.redactor.text(error.hint) }),
  };
  // The channel is asynchronous: an exit right away would lose the message.
  await Promise.race([new Promise((resolve) => process.send?.(reason, resolve)), sleep(1000)]);
  process.exit(code);
}

const sweepEveryMs = 3_600_000;

async function sweepReceipts(folder: string, keepMs: number, log: Logger): Promise<void> {
  while (!stop.signal.aborted) {
    // Not at once: a start has better things to do.
    await sleep(sweepEveryMs / 60, stop.signal);
    try {
      const removed = await removeOldReceipts(folder, keepMs, stop.signal);
      if (removed > 0) log.info("receipts.removed", { removed });
    } catch (error) {
      log.warn("receipts.not_removed", { error });
    }
    await sleep(sweepEveryMs, stop.signal);
  }
}
