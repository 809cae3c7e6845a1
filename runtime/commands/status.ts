// spoolway status: what the bus and its connectors do, and what needs a person. Reads files only; works without a bus, and says that there is none.
//
//   once      the table, or JSON; exit code 0 when all is well, else 1
//   --watch   in a terminal the table anew every second; else a line (or a JSON object) when something has changed. Until Ctrl-C
import { sleep } from "../timing.ts";
import type { CommandContext } from "./context.ts";
import { collect, configuredAt } from "./status/collect.ts";
import type { Report } from "./status/report.ts";
import { show, summary } from "./status/show.ts";
import { clock, print } from "./text.ts";
import { untilAsked } from "./watch.ts";

const everyMs = 1000;
/** Counting may take a while in folders with a million files: then looks are rarer, so that watching costs a fifth of a core at most. */
const restFactor = 4;

/** Resolves with the exit code. */
export async function status(context: CommandContext, flags: { watch?: boolean }): Promise<number> {
  const { home, spool, json, color, out } = context;
  const look = (): Promise<Report> => collect(spool, () => configuredAt(home, spool));
  if (flags.watch === true) return watchStatus(context, look);
  const report = await look();
  out.write(json ? `${JSON.stringify(report, null, 2)}\n` : `${show(report, color, Date.now())}\n`);
  return report.ok ? 0 : 1;
}

async function watchStatus(context: CommandContext, look: () => Promise<Report>): Promise<number> {
  const { json, color, out, outIsTerminal } = context;
  const redraw = outIsTerminal && !json;
  const stop = untilAsked();
  let before = "";
  let report: Report | undefined;
  if (redraw) out.write("\x1b[?25l\x1b[2J"); // no cursor, an empty screen
  try {
    while (!stop.signal.aborted) {
      const startedMs = performance.now();
      report = await look();
      if (redraw)
        out.write(`\x1b[H${show(report, color, Date.now()).replaceAll("\n", "\x1b[K\n")}\x1b[K\x1b[J\n`);
      else before = await printChange(context, report, before);
      await sleep(Math.max(everyMs, restFactor * (performance.now() - startedMs)), stop.signal);
    }
  } finally {
    if (redraw) out.write("\x1b[?25h");
    stop.done();
  }
  return report?.ok === true ? 0 : 1;
}

/** Prints what is worth a line; returns what was printed. */
async function printChange({ json, out }: CommandContext, report: Report, before: string): Promise<string> {
  const now = summary(report);
  if (now === before) return before;
  const time = new Date();
  await print(out, json ? `${JSON.stringify(report)}\n` : `${clock(time.toISOString(), time)} ${now}\n`);
  return now;
}
