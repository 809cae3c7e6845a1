// What a connector's process knows about itself; the heartbeat writes it down.
import type { Heartbeat } from "../../schema/types.ts";
import type { SpoolwayError } from "../errors.ts";

export interface Status {
  state: Heartbeat["state"];
  liveness: Heartbeat["liveness"];
  received: number;
  sent: number;
  failed: number;
  retried: number;
  /** Drops that were refused. */
  refused: number;
  /** Redelivered events and repeated drops. */
  duplicates: number;
  lastReceivedAt: string | undefined;
  lastSentAt: string | undefined;
  lastProbeOkAt: string | undefined;
  lastSyncAt: string | undefined;
  error: { code: string; message: string } | undefined;
  userAction: string | undefined;
}

export function newStatus(): Status {
  return {
    state: "starting",
    liveness: "unknown",
    received: 0,
    sent: 0,
    failed: 0,
    retried: 0,
    refused: 0,
    duplicates: 0,
    lastReceivedAt: undefined,
    lastSentAt: undefined,
    lastProbeOkAt: undefined,
    lastSyncAt: undefined,
    error: undefined,
    userAction: undefined,
  };
}

/** Shows an error in the heartbeat until clearError. */
export function setError(status: Status, error: SpoolwayError): void {
  status.error = { code: error.code, message: error.message.slice(0, 500) };
  status.userAction = error.hint === "" ? undefined : error.hint;
}

export function clearError(status: Status): void {
  status.error = undefined;
  status.userAction = undefined;
}
