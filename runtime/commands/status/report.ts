// What a status says: the JSON of `spoolway status --json` (docs/cli.md).
import type { ConnectorStatus, Heartbeat, SupervisorStatus } from "../../../schema/types.ts";
import type { BusState } from "../bus.ts";

export interface Report {
  /** True when the bus runs and nothing needs a person. */
  ok: boolean;
  bus: {
    state: BusState;
    pid?: number;
    host?: string;
    started_at?: string;
    beat_at?: string;
    version?: string;
  };
  connectors: ConnectorReport[];
  orphan_outboxes: NonNullable<SupervisorStatus["orphan_outboxes"]>;
  config_errors: string[];
  /** What a person should do, most urgent first. */
  to_do: string[];
}

export interface ConnectorReport {
  name: string;
  type: string;
  /** As in the supervisor's status; "unknown" while no bus runs, whatever the last one said. */
  state: ConnectorStatus["state"] | "unknown";
  /** About receiving. "unknown" when nothing fresh says otherwise. */
  liveness: Heartbeat["liveness"];
  pid?: number;
  restarts?: number;
  next_start_at?: string;
  last_received_at?: string;
  last_sent_at?: string;
  last_sync_at?: string;
  /** Files now: in outbox/, sending/, retry/ and failed/. */
  waiting: number;
  in_flight: number;
  retrying: number;
  failed: number;
  /** Files in its outbox that are no drops. */
  unclaimed?: number;
  oldest_waiting_s?: number;
  error?: { code: string; message: string };
  user_action?: string;
}
