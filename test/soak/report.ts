// The soak's tables, for people.
import type { Flatness } from "./samples.ts";
import type { Storm } from "./storm.ts";
import type { Direction, Tally } from "./tally.ts";

/** One line per connector and direction. */
export function messageTable(rows: ReadonlyArray<{ storm: Storm; tallies: Tally[] }>): string {
  const head = [
    "bus",
    "connector",
    "",
    "messages",
    "lost",
    "doubled, same id",
    "other id",
    "out of order",
    "wrong end",
  ];
  const lines = rows.flatMap(({ storm, tallies }) =>
    tallies.flatMap(({ connector, out, in: inbound, wrongEnd }) => [
      [storm.name, connector, "out", ...figures(out), String(wrongEnd)],
      [storm.name, connector, "in", ...figures(inbound), "-"],
    ]),
  );
  const kills = rows.map(({ storm: { name, kills } }) => {
    const { connector, supervisor, connection } = kills;
    return `${name}: killed ${connector} connectors and ${supervisor} supervisors, reset ${connection} connections`;
  });
  return [table([head, ...lines]), "", ...kills].join("\n");
}

/** One line per process and measure. "first" and "last" are medians of the first and the last quarter. */
export function flatTable(flat: readonly Flatness[]): string {
  const head = ["process", "holds", "first", "last", "max", "per hour", "at most", ""];
  const lines = flat.map((one) => [
    one.process,
    { rssMb: "memory, MB", descriptors: "descriptors", watches: "inotify watches" }[one.measure],
    ...[one.first, one.last, one.max, one.slopePerHour, one.limit].map((figure) => figure.toFixed(1)),
    one.flat === undefined ? "too short to say" : one.flat ? "flat" : "GROWS",
  ]);
  return table([head, ...lines]);
}

function figures({ messages, lost, doubledSameId, doubledOtherId, outOfOrder }: Direction): string[] {
  return [messages, lost, doubledSameId, doubledOtherId, outOfOrder].map(String);
}

/** Columns as wide as their widest cell. */
function table(rows: readonly string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, n) => cell.padEnd(widths[n] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
