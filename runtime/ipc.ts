// The messages between the supervisor and a connector's process, over Node's IPC channel. When the channel closes, the connector ends.
import type { Heartbeat } from "../schema/types.ts";
import type { ConnectorConfig } from "./config/model.ts";

/** Supervisor to connector. `start` is the first message and comes once. */
export type ToConnector =
  | { type: "start"; connector: ConnectorConfig; home: string; spool: string }
  /** Finish what is in flight within drainMs, then exit 0. */
  | { type: "stop" }
  /** Run a sync now. */
  | { type: "sync" };

/** Connector to supervisor, just before it exits 100 or 111: why, for status and log. `user_action` is for a person. */
export type Ending = { type: "ending"; code: string; message: string; user_action?: string };

/** Connector to supervisor, when its heartbeat could not be written: it is alive all the same, and the file of the last one is not true any more. */
export type Alive = { type: "alive"; heartbeat: Heartbeat };

export type FromConnector = Ending | Alive;
