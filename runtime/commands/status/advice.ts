// What a person should do, in the order in which it matters: mistakes in the configuration, connectors that do not work, what lies around.
import { hintFor } from "../../errors.ts";
import { count } from "../text.ts";
import type { ConnectorReport, Report } from "./report.ts";

/** One line each, without control over the terminal: the caller cleans them. */
export function advise(report: Omit<Report, "ok" | "to_do">): string[] {
  return [
    ...adviseOnDisk(report.connectors),
    ...report.config_errors.map((error) => `${error} (spoolway check shows the place)`),
    ...report.connectors.flatMap(adviseOn),
    ...report.orphan_outboxes.map(({ name, files }) =>
      name === "."
        ? `${count(files, "file")} in spool/outbox itself: move them into the folder of a connector`
        : `${name}: ${count(files, "message")} for a connector that connectors.yml does not have: add it, or move them away`,
    ),
  ];
}

/** Once: it is one disk. */
function adviseOnDisk(connectors: readonly ConnectorReport[]): string[] {
  const full = connectors.find(({ error }) => error?.code === "spool_full");
  return full?.error === undefined ? [] : [`${full.error.message}. ${hintFor("spool_full")}`];
}

function adviseOn(connector: ConnectorReport): string[] {
  const { name, failed, unclaimed = 0 } = connector;
  const trouble = troubleOf(connector);
  return [
    ...(trouble === undefined ? [] : [`${name}: ${trouble}`]),
    ...(unclaimed > 0
      ? [
          `${name}: ${count(unclaimed, "file")} in spool/outbox/${name} that are no drops (*.json): attachments, or forgotten`,
        ]
      : []),
    ...(failed > 0
      ? [`${name}: ${count(failed, "message")} could not be sent: spoolway failed list ${name}`]
      : []),
  ];
}

function troubleOf({ name, state, error, user_action, next_start_at }: ConnectorReport): string | undefined {
  const why = error === undefined ? "" : ` ${error.message}${user_action === undefined ? "" : "."}`;
  const action = user_action === undefined ? "" : ` ${user_action}`;
  const next =
    next_start_at === undefined ? "" : ` Tried again at ${next_start_at}, or now: spoolway restart ${name}`;
  switch (state) {
    case "live":
      return error?.code === "spool_full" ? undefined : user_action;
    case "paused":
      return `paused. Go on with: spoolway resume ${name}`;
    case "parked":
      return `crashed too often.${why}${action}${next}`;
    case "backoff":
      return `crashed.${why}${action}${next}`;
    case "stopped":
      return `stopped until its configuration changes.${why}${action}`;
    case "invalid":
      return `its entry has mistakes.${why}${action}`;
    case "offline":
    case "failing":
      return `${state}.${why}${action}`;
    case "starting":
    case "stopping":
      return error === undefined ? undefined : `${state}.${why}${action}`;
    case "disabled":
    case "unknown":
      return undefined;
  }
}
