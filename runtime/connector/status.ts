// What a connector's process knows about itself; the heartbeat writes it down.
import type { Heartbeat } from "../../schema/types.ts";
import type { SpoolwayError } from "../errors.ts";
import { Redactor } from "../redact.ts";

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
  /** What of the configuration is secret: a library's error may quote the URL or the command that it stands in. */
  redactor: Redactor;
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
    redactor: new Redactor(),
  };
}

/** Shows an error in the heartbeat until clearError. */
export function setError(status: Status, error: SpoolwayError): void {
  const message = status.redactor.text(error.message); // before it is cut, or the beginning of a secret may stay
  status.error = { code: error.code, message: message.slice(0, 500) };
  status.userAction = error.hint === "" ? undefined : status.redactor.text(error.hint);
}

export function clearError(status: Status): void {
  status.error = undefined;
  status.userAction = undefined;
}
