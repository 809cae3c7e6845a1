// The life of a connector's sessions.
//
//   connect ─ok─▶ tasks: receive, sync, probe, sending ─any ends─▶ abort ─▶ ALL tasks end ─▶ close ─▶ wait ─▶ connect …
//      └─throws─▶ wait (backoff) ─▶ connect …            stop asked ─▶ drain ─▶ abort ─▶ …▶ return
//
// A task that survives its session could send twice, so a session that does not end in time ends the process (exit 111).
import type { ConnectorSettings } from "../config/model.ts";
import { SpoolwayError, toSpoolwayError } from "../errors.ts";
import type { ConnectorDefinition, Context, Logger } from "../sdk.ts";
import { backoffMs, sleep } from "../timing.ts";
import type { Pump } from "./pump.ts";
import type { SendPort } from "./sender.ts";
import { clearError, setError, type Status } from "./status.ts";
import type { Syncer } from "./sync.ts";

const reconnectBaseMs = 1000;
const reconnectMaxMs = 60_000;
/** A session that lived so long forgets earlier failures. */
const stableMs = 30_000;
const endTasksMs = 10_000;
const closeMs = 5000;

export interface SessionParts {
  definition: ConnectorDefinition<unknown, unknown>;
  settings: ConnectorSettings;
  status: Status;
  log: Logger;
  /** Undefined where the connector cannot send. */
  pump: Pump | undefined;
  syncer: Syncer | undefined;
  newContext: (signal: AbortSignal) => Context;
  beat: () => void;
}

/** Sessions one after the other until `stop` aborts. Throws an error of fate stop, or `session_stuck`, when the process has to end. */
export async function runSessions(parts: SessionParts, stop: AbortSignal): Promise<void> {
  const { status, log, beat } = parts;
  for (let failures = 0; !stop.aborted;) {
    const began = performance.now();
    const error = await runSession(parts, stop);
    if (stop.aborted) return;
    if (error.fate === "stop" || error.code === "session_stuck") throw error;
    failures = performance.now() - began > stableMs ? 1 : failures + 1;
    status.state = "offline";
    status.liveness = "offline";
    setError(status, error);
    const waitMs = error.retryAfterMs ?? backoffMs(failures, reconnectBaseMs, reconnectMaxMs);
    log.warn("session.lost", { code: error.code, error: error.message, failures, wait_ms: waitMs });
    beat();
    await sleep(waitMs, stop);
  }
}

/** One session. Returns why it ended. */
async function runSession(parts: SessionParts, stop: AbortSignal): Promise<SpoolwayError> {
  const { definition, settings, status, log } = parts;
  const ending = new AbortController();
  const ctx = parts.newContext(ending.signal);
  const giveUpConnecting = (): void => ending.abort();
  stop.addEventListener("abort", giveUpConnecting, { once: true });
  let session: unknown;
  try {
    const connecting = definition.connect(ctx);
    // One that comes too late is nobody's: left open it would go on receiving beside the next.
    connecting.then(
      (late) => void (session === undefined && ending.signal.aborted && closeSession(parts, late)),
      () => undefined,
    );
    session = await withTimeout(connecting, settings.connectTimeoutMs, "connect", ending);
  } catch (thrown) {
    ending.abort();
    return connectError(thrown);
  } finally {
    stop.removeEventListener("abort", giveUpConnecting);
  }
  clearError(status);
  status.state = "live";
  status.liveness = definition.receive || definition.probe || definition.sync ? "live" : "unknown";
  log.info("session.opened");
  parts.beat();
  const tasks = startTasks(parts, session, ctx);
  const stopped = aborted(stop).then(() => new SpoolwayError("disconnected", "asked to stop"));
  const reason = await Promise.race([...tasks, stopped]);
  if (stop.aborted && parts.pump !== undefined) {
    status.state = "stopping";
    await Promise.race([parts.pump.drain(), sleep(settings.drainMs)]);
  }
  ending.abort();
  const stuck = !(await endsWithin(Promise.all([...tasks, parts.pump?.drain()]), endTasksMs));
  await closeSession(parts, session);
  return stuck
    ? new SpoolwayError("session_stuck", "the connector did not end its tasks", { fate: "retry" })
    : reason;
}

/** Each task resolves with the reason for which the session has to end. */
function startTasks(parts: SessionParts, session: unknown, ctx: Context): Array<Promise<SpoolwayError>> {
  const { definition, pump, syncer } = parts;
  const tasks: Array<Promise<void>> = [];
  if (definition.receive) {
    tasks.push(definition.receive(session, ctx).then(() => endedEarly(ctx, "receiving ended")));
  }
  if (syncer) tasks.push(syncer.run(session, ctx));
  if (definition.probe) tasks.push(probe(parts, session, ctx));
  if (pump) tasks.push(pump.run(sendPort(parts, session, ctx)));
  if (tasks.length === 0) tasks.push(aborted(ctx.signal));
  return tasks.map((task) =>
    task.then(() => new SpoolwayError("disconnected", "the session ended"), lostBecause),
  );
}

function endedEarly(ctx: Context, message: string): void {
  if (!ctx.signal.aborted) throw new SpoolwayError("disconnected", message);
}

/** Whatever a task of a session throws ends the session; only `stop` ends more. */
function lostBecause(thrown: unknown): SpoolwayError {
  if (thrown instanceof SpoolwayError) return thrown;
  return new SpoolwayError("disconnected", thrown instanceof Error ? thrown.message : String(thrown), {
    cause: thrown,
  });
}

function connectError(thrown: unknown): SpoolwayError {
  const error = toSpoolwayError(thrown);
  return error.code === "send_failed"
    ? new SpoolwayError("disconnected", error.message, { cause: thrown })
    : error;
}

function sendPort({ definition }: SessionParts, session: unknown, ctx: Context): SendPort {
  return {
    signal: ctx.signal,
    send: async (message, attempt, mayHaveBeenSent, signal) => {
      if (definition.send === undefined)
        throw new SpoolwayError("not_supported", "this connector cannot send");
      return definition.send(session, message, { ...ctx, signal, attempt, mayHaveBeenSent });
    },
    reconcile: async (message) => definition.reconcile?.(session, message, ctx),
  };
}

/** Twice in a row deaf: the session is over. */
async function probe(
  { definition, settings, status, log, beat }: SessionParts,
  session: unknown,
  ctx: Context,
): Promise<void> {
  for (let failures = 0; ;) {
    await sleep(failures === 0 ? settings.probeEveryMs : Math.min(settings.probeEveryMs, 5000), ctx.signal);
    if (ctx.signal.aborted) return;
    try {
      const answer = definition.probe?.(session, ctx) ?? Promise.resolve();
      await withTimeout(answer, settings.probeTimeoutMs, "probe");
      status.lastProbeOkAt = new Date().toISOString();
      if (failures > 0) clearError(status);
      failures = 0;
      status.state = "live";
      status.liveness = "live";
    } catch (thrown) {
      if (ctx.signal.aborted) return;
      failures += 1;
      const error = toSpoolwayError(thrown);
      if (error.fate === "stop") throw error;
      log.warn("probe.failed", { error: error.message, failures });
      status.state = "failing";
      status.liveness = "failing";
      setError(status, error);
      beat();
      if (failures >= 2)
        throw new SpoolwayError("disconnected", `the connection is dead: ${error.message}`, {
          cause: thrown,
        });
    }
  }
}

async function closeSession({ definition, log }: SessionParts, session: unknown): Promise<void> {
  if (definition.close === undefined) return;
  try {
    await withTimeout(definition.close(session), closeMs, "close");
  } catch (error) {
    log.warn("session.close_failed", { error });
  }
}

async function withTimeout<T>(
  work: Promise<T>,
  ms: number,
  what: string,
  abort?: AbortController,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      abort?.abort();
      reject(new SpoolwayError("disconnected", `${what} took longer than ${ms} ms`));
    }, ms);
  });
  const cancelled =
    abort &&
    aborted(abort.signal).then(() =>
      Promise.reject(new SpoolwayError("disconnected", `${what} was given up`)),
    );
  try {
    return await Promise.race(cancelled ? [work, timeout, cancelled] : [work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

async function endsWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  const given = new AbortController();
  try {
    return await Promise.race([work.then(() => true), sleep(ms, given.signal).then(() => false)]);
  } finally {
    given.abort();
  }
}
