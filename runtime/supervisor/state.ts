// The life of one connector, as one table: in which state, on which event, becomes which state, with which effects. Pure: the keeper
// (keeper.ts) feeds events in and carries the effects out.
//
//            spawned          beats                    ends unasked
//   queued ─────────▶ starting ◀─▶ live ◀─▶ offline ◀─▶ failing ─────────▶ backoff | parked ──timer──▶ queued
//                         └──────── asked to end, or killed ──▶ stopping>X ──exited──▶ X
//
// An event without a cell in a state's row changes nothing there: `resumed` while live, for instance. That makes level-triggered sources
// harmless (a scan of control/ says "not paused" every second).
import type { ConnectorStatus } from "../../schema/types.ts";

export type State =
  | "new" // nothing was decided yet
  | "queued" // waits for its turn to be started
  | "starting" // a process, no session yet
  | "live"
  | "offline" // cannot reach its platform
  | "failing" // a session that its probe calls deaf
  | "backoff" // ended unasked, waits for its next start
  | "parked" // ended unasked too often, waits for long
  | "stopped" // exited 100: nothing will work until a person acts
  | "paused"
  | "disabled"
  | "invalid" // its entry in connectors.yml has errors, and no older one runs
  | "stopping>queued" // asked to end in order to be started again; the part after > is where it ends
  | "stopping>paused"
  | "stopping>disabled"
  | "stopping>gone"
  | "stopping>backoff" // being killed: hung, or too big
  | "gone";

export type Event =
  | "spawned"
  | "beat:starting"
  | "beat:live"
  | "beat:offline"
  | "beat:failing"
  | "exited:retry" // the restart policy says: again, after a backoff
  | "exited:park" // the restart policy says: park it
  | "exited:permanent" // exit code 100
  | "hung"
  | "over_memory"
  | "timer_due" // the backoff or the parking is over
  | "paused"
  | "resumed"
  | "restart_requested"
  | "config_changed" // its entry is valid, enabled, and new or different
  | "config_disabled"
  | "config_invalid"
  | "removed"; // its entry is gone, or the supervisor shuts down

export type Effect =
  | "spawn" // queue for a start
  | "stop" // ask to end: finish what is in flight; in the end SIGTERM, SIGKILL
  | "kill" // SIGTERM, then SIGKILL
  | "arm" // set the timer for the next start
  | "disarm"
  | "forgive" // a person acted: earlier crashes are forgotten
  | "forget"; // the keeper is done

type Cell = readonly [State, ...Effect[]];
type Row = Readonly<Partial<Record<Event, Cell>>>;

/** However the process ends, this follows. */
const anyExit = (...cell: Cell): Row => ({
  "exited:retry": cell,
  "exited:park": cell,
  "exited:permanent": cell,
});

/** A process that goes wrong while it is asked to end is killed, and ends where it was going. */
const unfit = (state: State): Row => ({ hung: [state, "kill"], over_memory: [state, "kill"] });

/** How a process that nobody asked to end is followed up. */
const unaskedExit: Row = {
  "exited:retry": ["backoff", "arm"],
  "exited:park": ["parked", "arm"],
  "exited:permanent": ["stopped"],
};

/**
 * Every state with a working process. There is no cell for config_invalid: an edit that breaks a running connector's entry leaves the process
 * on its last good configuration, with the error in the status. Stopping it would turn a typing error into an outage; nothing is hidden,
 * and the next valid save applies.
 */
const running: Row = {
  ...unaskedExit,
  "beat:starting": ["starting"],
  "beat:live": ["live"],
  "beat:offline": ["offline"],
  "beat:failing": ["failing"],
  hung: ["stopping>backoff", "kill"],
  over_memory: ["stopping>backoff", "kill"],
  paused: ["stopping>paused", "stop"],
  restart_requested: ["stopping>queued", "forgive", "stop"],
  config_changed: ["stopping>queued", "forgive", "stop"],
  config_disabled: ["stopping>disabled", "stop"],
  removed: ["stopping>gone", "stop"],
};

/** Waits for the timer. As with a running one, an invalid edit does not end the supervision of the last good configuration. */
const waiting: Row = {
  timer_due: ["queued", "spawn"],
  paused: ["paused", "disarm"],
  restart_requested: ["queued", "disarm", "forgive", "spawn"],
  config_changed: ["queued", "disarm", "forgive", "spawn"],
  config_disabled: ["disabled", "disarm"],
  removed: ["gone", "disarm", "forget"],
};

const table: Readonly<Record<State, Row>> = {
  new: {
    config_changed: ["queued", "spawn"],
    config_disabled: ["disabled"],
    config_invalid: ["invalid"],
    removed: ["gone", "forget"],
  },
  queued: {
    ...unaskedExit, // it could not be spawned
    spawned: ["starting"],
    paused: ["paused"],
    config_disabled: ["disabled"],
    removed: ["gone", "forget"],
  },
  starting: running,
  live: running,
  offline: running,
  failing: running,
  backoff: waiting,
  parked: waiting,
  stopped: {
    paused: ["paused"],
    restart_requested: ["queued", "forgive", "spawn"],
    config_changed: ["queued", "forgive", "spawn"],
    config_disabled: ["disabled"],
    config_invalid: ["invalid"],
    removed: ["gone", "forget"],
  },
  // A restart does not lift a pause: both are a person's word, and the pause is the one that still stands there as a file.
  paused: {
    resumed: ["queued", "forgive", "spawn"],
    config_disabled: ["disabled"],
    removed: ["gone", "forget"],
  },
  disabled: {
    config_changed: ["queued", "forgive", "spawn"],
    config_invalid: ["invalid"],
    removed: ["gone", "forget"],
  },
  invalid: {
    config_changed: ["queued", "forgive", "spawn"],
    config_disabled: ["disabled"],
    removed: ["gone", "forget"],
  },
  "stopping>queued": {
    ...anyExit("queued", "spawn"),
    ...unfit("stopping>queued"),
    paused: ["stopping>paused"],
    config_disabled: ["stopping>disabled"],
    removed: ["stopping>gone"],
  },
  "stopping>paused": {
    ...anyExit("paused"),
    ...unfit("stopping>paused"),
    resumed: ["stopping>queued"],
    config_disabled: ["stopping>disabled"],
    removed: ["stopping>gone"],
  },
  "stopping>disabled": {
    ...anyExit("disabled"),
    ...unfit("stopping>disabled"),
    config_changed: ["stopping>queued"],
    removed: ["stopping>gone"],
  },
  "stopping>gone": {
    ...anyExit("gone", "forget"),
    ...unfit("stopping>gone"),
    // Its entry came back before the old process had ended.
    config_changed: ["stopping>queued"],
    config_disabled: ["stopping>disabled"],
  },
  "stopping>backoff": {
    ...unaskedExit,
    paused: ["stopping>paused"],
    restart_requested: ["stopping>queued", "forgive"],
    config_changed: ["stopping>queued", "forgive"],
    config_disabled: ["stopping>disabled"],
    removed: ["stopping>gone"],
  },
  gone: {},
};

/** What `event` does in `state`. Nothing (the same state, no effects) where the table has no cell. */
export function transition(state: State, event: Event): { state: State; effects: readonly Effect[] } {
  const cell = table[state][event];
  if (cell === undefined) return { state, effects: [] };
  const [next, ...effects] = cell;
  return { state: next, effects };
}

/** The state as people and `_supervisor.json` see it. */
export function publicState(state: State): ConnectorStatus["state"] {
  if (state.startsWith("stopping>") || state === "gone") return "stopping";
  return state === "new" || state === "queued" ? "starting" : (state as ConnectorStatus["state"]);
}

/** Whether a process exists in this state that should be working. */
export const isRunning = (state: State): boolean => table[state] === running;

/** Whether a process exists that is on its way out. */
export const isStopping = (state: State): boolean => state.startsWith("stopping>");

/** All of it, for tests and for the documentation. */
export const stateTable = table;
