// A status as text: a line about the bus, a table of the connectors, what to do.
import { columns } from "../../config/columns.ts";
import { painter } from "../../config/report.ts";
import { ago, count, oneLine, span } from "../text.ts";
import type { ConnectorReport, Report } from "./report.ts";

type Paint = ReturnType<typeof painter>;

/** Without a final line end. */
export function show(report: Report, color: boolean, now: number): string {
  const paint = painter(color);
  const parts = [headline(report, paint, now)];
  const head = ["NAME", "TYPE", "STATE", "LIVENESS", "RECEIVED", "SENT", "WAITING", "RETRYING", "FAILED"];
  const rows = report.connectors.map((connector) => row(connector, color, paint, now));
  parts.push(rows.length > 0 ? columns(head, rows, color) : "No connectors yet. Add some to connectors.yml.");
  if (report.to_do.length > 0) {
    const lines = report.to_do.map((line) => `  ${oneLine(line)}`);
    parts.push([paint("bold", "What to do"), ...lines].join("\n"));
  }
  return parts.join("\n\n");
}

function headline({ bus, ok }: Report, paint: Paint, now: number): string {
  const { state, pid, version, started_at, beat_at } = bus;
  const name = `spoolway${version === undefined ? "" : ` ${version}`}`;
  if (state === "running" || state === "stopping") {
    const since = started_at === undefined ? "" : ` for ${span(Math.max(0, now - Date.parse(started_at)))}`;
    return `${paint(ok ? "green" : "yellow", paint("bold", `${name} is ${state}`))}${since}, process ${pid}`;
  }
  if (state === "none") return paint("red", paint("bold", "The bus is not running")) + ", and never was here";
  const what = state === "stale" ? "The bus does not answer" : "The bus is not running";
  return `${paint("red", paint("bold", what))}; its last sign was ${ago(beat_at, now)} (process ${pid})`;
}

const colors = {
  live: "green",
  paused: "yellow",
  disabled: "dim",
  unknown: "dim",
  starting: "cyan",
  stopping: "cyan",
  offline: "red",
  failing: "red",
  backoff: "red",
  parked: "red",
  stopped: "red",
  invalid: "red",
} as const;

function row(connector: ConnectorReport, color: boolean, paint: Paint, now: number): string[] {
  const { name, type, state, liveness, last_received_at, last_sent_at, waiting, retrying, failed } =
    connector;
  const shade = colors[state];
  const some = (n: number, style: "yellow" | "red"): string =>
    n === 0 ? paint("dim", "0") : paint(style, n.toLocaleString("en-US"));
  return [
    oneLine(name),
    oneLine(type),
    // The dot is for eyes; programs that cut columns get the word.
    paint(shade, color ? `● ${state}` : state),
    paint(
      liveness === "live" ? "green" : liveness === "unknown" ? "dim" : "red",
      liveness === "unknown" ? "–" : liveness,
    ),
    ago(last_received_at, now),
    ago(last_sent_at, now),
    some(waiting + connector.in_flight, "yellow"),
    some(retrying, "yellow"),
    some(failed, "red"),
  ];
}

/** One line for a log: what is what now. */
export function summary({ bus, connectors }: Report): string {
  const states = connectors.map(({ name, state, liveness }) =>
    liveness === "unknown" || liveness === state ? `${name} ${state}` : `${name} ${state} (${liveness})`,
  );
  const backlog = connectors.reduce(
    (sum, { waiting, in_flight, retrying }) => sum + waiting + in_flight + retrying,
    0,
  );
  const failed = connectors.reduce((sum, one) => sum + one.failed, 0);
  return [`bus ${bus.state}`, ...states, `${count(backlog, "message")} waiting`, `${failed} failed`]
    .map(oneLine)
    .join("; ");
}
