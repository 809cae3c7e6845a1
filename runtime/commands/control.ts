// spoolway pause, resume, restart, sync: a request for one connector as a file in control/, and what came of it.
//
// Without a running bus a pause and its end are kept for the next start; a restart and a sync make no sense then.
import type { ConnectorStatus } from "../../schema/types.ts";
import { painter } from "../config/report.ts";
import { SpoolwayError } from "../errors.ts";
import { isRequested, request, withdraw } from "../spool/control.ts";
import { readHeartbeat } from "../spool/heartbeats.ts";
import { type Bus, lookAtBus, notRunning } from "./bus.ts";
import { expectConnector } from "./connectors.ts";
import type { CommandContext } from "./context.ts";
import { oneLine } from "./text.ts";
import { waitUntil } from "./watch.ts";

/** Longer than a connector may take to finish its sends, and to connect again. */
const obeyMs = 20_000;
const syncMs = 10_000;

interface Result {
  /** 0: done or noted. 1: obeyed, but the connector is not live. 3: not obeyed in time. */
  code: 0 | 1 | 3;
  text: string;
  state?: string | undefined;
}

export async function pause(
  context: CommandContext,
  name: string,
  flags: { reason?: string },
): Promise<number> {
  const bus = await expectConnector(context, name);
  await request(context.spool, name, "pause", flags.reason ?? "paused with spoolway pause");
  if (bus.state !== "running")
    return say(context, "pause", name, kept(bus, "It stays paused when the bus starts"));
  const reached = await waitForState(context.spool, name, ({ state }) =>
    ["paused", "disabled", "invalid"].includes(state),
  );
  const result: Result = reached
    ? {
        code: 0,
        text: "paused; what is dropped waits. Go on with: spoolway resume " + name,
        state: reached.state,
      }
    : late(context.spool, name, "it is still finishing its sends");
  return say(context, "pause", name, result);
}

export async function resume(context: CommandContext, name: string): Promise<number> {
  const bus = await expectConnector(context, name);
  const was = await withdraw(context.spool, name, "pause");
  if (!was)
    return say(context, "resume", name, {
      code: 0,
      text: "was not paused",
      state: stateOf(context.spool, name)?.state,
    });
  if (bus.state !== "running") return say(context, "resume", name, kept(bus, "It runs when the bus starts"));
  const settled = await waitForState(context.spool, name, isSettled);
  return say(
    context,
    "resume",
    name,
    settled ? came(settled, "resumed") : late(context.spool, name, "not live yet"),
  );
}

export async function restart(context: CommandContext, name: string): Promise<number> {
  const bus = await expectConnector(context, name);
  expectRunning(bus, "There is nothing to restart.");
  const before = bus.status?.connectors.find((one) => one.name === name);
  await request(context.spool, name, "restart");
  if (!(await obeyed(context.spool, name, "restart"))) {
    return say(context, "restart", name, late(context.spool, name, "the bus has not looked at it yet"));
  }
  const settled = await waitForState(
    context.spool,
    name,
    // A stopped connector has no pid: then only a later `since` tells that this is what the restart came to.
    (now) => (now.pid !== before?.pid || now.since !== before?.since) && isSettled(now),
  );
  return say(
    context,
    "restart",
    name,
    settled ? came(settled, "restarted") : late(context.spool, name, "not live yet"),
  );
}

export async function sync(context: CommandContext, name: string): Promise<number> {
  const bus = await expectConnector(context, name);
  expectRunning(bus, "A sync needs the connector's process.");
  const before = readHeartbeat(context.spool, name)?.last_sync_at;
  await request(context.spool, name, "sync");
  if (!(await obeyed(context.spool, name, "sync"))) {
    return say(
      context,
      "sync",
      name,
      late(context.spool, name, "the connector does not run; it syncs when it does"),
    );
  }
  const at = await waitUntil(() => {
    const now = readHeartbeat(context.spool, name)?.last_sync_at;
    return now === before ? undefined : now;
  }, syncMs);
  const text =
    at === undefined ? "asked for; nothing was synced yet (not every connector can)" : `synced at ${at}`;
  return say(context, "sync", name, { code: 0, text, state: stateOf(context.spool, name)?.state });
}

function expectRunning(bus: Bus, why: string): void {
  const problem = notRunning(bus);
  if (problem !== undefined) throw new SpoolwayError("not_running", problem, { hint: why });
}

const kept = (bus: Bus, text: string): Result => ({
  code: 0,
  text: `noted. ${text}: ${notRunning(bus) ?? ""}`,
});

/** What a connector that was started came to. */
function came({ state, error, user_action }: ConnectorStatus, done: string): Result {
  if (state === "live") return { code: 0, text: `${done}; it is live`, state };
  const why = user_action ?? error?.message;
  return { code: 1, text: `${done}; it is ${state}${why === undefined ? "" : `: ${why}`}`, state };
}

function late(spool: string, name: string, why: string): Result {
  const state = stateOf(spool, name)?.state;
  return {
    code: 3,
    text: `asked for, but ${why}${state === undefined ? "" : ` (${state})`}. See: spoolway status`,
    state,
  };
}

const isSettled = ({ state }: ConnectorStatus): boolean =>
  !["starting", "stopping", "paused"].includes(state);

const stateOf = (spool: string, name: string): ConnectorStatus | undefined =>
  lookAtBus(spool).status?.connectors.find((one) => one.name === name);

const waitForState = (
  spool: string,
  name: string,
  wanted: (status: ConnectorStatus) => boolean,
): Promise<ConnectorStatus | undefined> =>
  waitUntil(() => {
    const status = stateOf(spool, name);
    return status !== undefined && wanted(status) ? status : undefined;
  }, obeyMs);

const obeyed = async (spool: string, name: string, what: "restart" | "sync"): Promise<boolean> =>
  (await waitUntil(() => (isRequested(spool, name, what) ? undefined : true), 5000)) === true;

function say(
  { json, out, color }: CommandContext,
  what: string,
  name: string,
  { code, text, state }: Result,
): number {
  if (json)
    out.write(
      `${JSON.stringify({ request: what, connector: name, done: code === 0, state, message: text })}\n`,
    );
  else out.write(`${painter(color)(code === 0 ? "green" : "yellow", name)} ${oneLine(text)}\n`);
  return code;
}
