// spoolway tail: the events in the inbox, in order.
//
//   neither --since nor --lines   the last 10
//   --since                       all since then
//   --follow                      and then every new one, until Ctrl-C
//
// Following: the watch only hints at names; a scan finds what it missed. Names of different processes can be out of order by milliseconds, so a scan
// looks back a few seconds from the newest name, past the names that were seen (schema/README.md, "RACE reader of the inbox").
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { InboundEvent } from "../../schema/types.ts";
import { inbound } from "../../schema/validators/messages.js";
import { painter } from "../config/report.ts";
import { SpoolwayError } from "../errors.ts";
import { formatTime, parseInboxName } from "../spool/names.ts";
import { sleep } from "../timing.ts";
import type { CommandContext } from "./context.ts";
import { toCount, toTime } from "./flags.ts";
import { readRegularFile, Turns } from "./read-file.ts";
import { nextPage, pageBefore } from "./tail/inbox.ts";
import { line } from "./tail/show.ts";
import { oneLine, print } from "./text.ts";
import { hintOf, untilAsked } from "./watch.ts";

export interface TailFlags {
  connector?: string;
  since?: string;
  lines?: string;
  follow?: boolean;
}

const defaultLines = 10;
const lookBackMs = 5000;
const scanEveryMs = 1000;
/** In a huge inbox scans are rarer, so that following costs a tenth of a core at most; the hints are as quick as ever. */
const restFactor = 10;
/** Hints that come together are one batch, in order. */
const gatherMs = 20;

/** Resolves with the exit code. */
export async function tail(context: CommandContext, flags: TailFlags): Promise<number> {
  const sinceMs = flags.since === undefined ? undefined : toTime(flags.since, "--since", -1);
  const lines = flags.lines === undefined ? undefined : toCount(flags.lines, "--lines");
  if (!existsSync(join(context.spool, "inbox"))) {
    throw new SpoolwayError("usage", `there is no inbox in ${context.spool}`, {
      hint: "Start the bus once, or name its folder with --home.",
    });
  }
  const reader = new Tail(context, flags.connector);
  const stop = untilAsked();
  try {
    // Watch first: what arrives while the past is printed is hinted at.
    if (flags.follow === true) reader.watch();
    if (sinceMs === undefined || lines !== undefined)
      await reader.last(lines ?? defaultLines, sinceMs, stop.signal);
    else await reader.since(sinceMs, stop.signal);
    if (flags.follow === true) await reader.follow(stop.signal);
  } finally {
    reader.close();
    stop.done();
  }
  return 0;
}

class Tail {
  private readonly context: CommandContext;
  private readonly folder: string;
  private readonly connector: string | undefined;
  private readonly paint: ReturnType<typeof painter>;
  /** Names within the look-back that were printed (or passed over). */
  private seen = new Set<string>();
  private newest = "";
  /** Nothing below it is shown. */
  private floor = "";
  private readonly hinted = new Set<string>();
  private hint = new AbortController();
  private readonly turns = new Turns();
  private watcher: { close(): void } | undefined;

  constructor(context: CommandContext, connector: string | undefined) {
    this.context = context;
    this.folder = join(context.spool, "inbox");
    this.connector = connector;
    this.paint = painter(context.color);
  }

  watch(): void {
    this.watcher ??= hintOf(this.folder, (name) => {
      if (name !== undefined && parseInboxName(name) !== undefined) this.hinted.add(name);
      this.hint.abort();
    });
  }

  close(): void {
    this.watcher?.close();
  }

  /** The last `wanted` events, oldest first. */
  async last(wanted: number, sinceMs: number | undefined, signal: AbortSignal): Promise<void> {
    if (sinceMs !== undefined) this.floor = nameAt(sinceMs);
    const found: string[] = [];
    let before: string | undefined;
    for (;;) {
      // Without a filter the last names are the last events.
      const page = await pageBefore(
        this.folder,
        before,
        this.connector === undefined ? wanted + 1 : undefined,
      );
      if (before === undefined) await this.passOver(page.names[0]);
      for (const name of page.names) {
        if (found.length >= wanted || name < this.floor || signal.aborted) break;
        const event = this.connector === undefined ? undefined : await this.read(name, false);
        if (this.connector === undefined || event?.event.connector.instance === this.connector)
          found.push(name);
      }
      before = page.names.at(-1);
      if (
        !page.more ||
        found.length >= wanted ||
        before === undefined ||
        before < this.floor ||
        signal.aborted
      )
        break;
    }
    for (const name of found.reverse()) await this.show(name);
  }

  /** All events since then. */
  async since(sinceMs: number, signal: AbortSignal): Promise<void> {
    this.floor = nameAt(sinceMs);
    for (let after = this.floor; ;) {
      const page = await nextPage(this.folder, after);
      for (const name of page.names) {
        if (signal.aborted) return;
        await this.show(name);
      }
      this.note(page.names);
      after = page.names.at(-1) ?? after;
      if (!page.more) return;
    }
  }

  /** Every new event, until the signal aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.hint.abort(), { once: true });
    let nextScanMs = 0;
    while (!signal.aborted) {
      this.watch(); // the folder may not have been there before
      const names = [...this.hinted];
      this.hinted.clear();
      if (performance.now() >= nextScanMs) {
        const startedMs = performance.now();
        names.push(...(await this.scan()));
        nextScanMs = performance.now() + Math.max(scanEveryMs, restFactor * (performance.now() - startedMs));
      }
      const fresh = [...new Set(names)].filter((name) => !this.seen.has(name)).sort();
      this.note(fresh);
      for (const name of fresh) if (!signal.aborted) await this.show(name);
      if (this.hinted.size > 0) continue;
      this.hint = new AbortController();
      if (signal.aborted) return;
      await sleep(Math.max(0, nextScanMs - performance.now()), this.hint.signal);
      if (this.hinted.size > 0) await sleep(gatherMs, signal);
    }
  }

  /** What is there now counts as seen, up to `newest`: whether it is shown is decided. What the watch hinted at came later. */
  private async passOver(newest: string | undefined): Promise<void> {
    if (newest === undefined) return;
    this.note([newest]);
    const there = await this.scan();
    this.note(there.filter((name) => name <= newest && !this.hinted.has(name)));
  }

  /** Names from the look-back on. */
  private async scan(): Promise<string[]> {
    const names: string[] = [];
    for (let after = this.horizon(); ;) {
      const page = await nextPage(this.folder, after);
      names.push(...page.names);
      after = page.names.at(-1) ?? after;
      if (!page.more) return names;
    }
  }

  /** Remembers names as seen, and forgets those that no scan will come across any more. */
  private note(names: readonly string[]): void {
    for (const name of names) {
      this.seen.add(name);
      if (name > this.newest) this.newest = name;
    }
    const horizon = this.horizon();
    if (this.seen.size > 1000) this.seen = new Set([...this.seen].filter((name) => name > horizon));
  }

  private horizon(): string {
    const newest = parseInboxName(this.newest);
    const lookBack = newest === undefined ? "" : nameAt(newest.timeMs - lookBackMs);
    return lookBack > this.floor ? lookBack : this.floor;
  }

  private async show(name: string): Promise<void> {
    const found = await this.read(name, true);
    if (found === undefined) return;
    const { event, text } = found;
    if (this.connector !== undefined && event.connector.instance !== this.connector) return;
    const { json, out } = this.context;
    await print(out, `${json ? text : line(event, this.paint, new Date())}\n`);
  }

  /** undefined when a consumer was faster, or when it is no event (which is said where `complain`). */
  private async read(
    name: string,
    complain: boolean,
  ): Promise<{ event: InboundEvent; text: string } | undefined> {
    await this.turns.turn();
    let text: string;
    try {
      const found = readRegularFile(join(this.folder, name));
      if (found === undefined) return undefined;
      text = found.trim();
    } catch (error) {
      if (complain) this.complain(name, (error as Error).message);
      return undefined;
    }
    const event = parse(text);
    if (event === undefined) {
      if (complain) this.complain(name, "it is no event");
      return undefined;
    }
    // One line per event, also where a person has formatted the file.
    return { event, text: text.includes("\n") ? JSON.stringify(event) : text };
  }

  private complain(name: string, why: string): void {
    this.context.err.write(`passed over inbox/${oneLine(name)}: ${oneLine(why)}\n`);
  }
}

function parse(text: string): InboundEvent | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return inbound(value) ? (value as InboundEvent) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Sorts before every name of that millisecond. */
const nameAt = (ms: number): string => formatTime(BigInt(Math.max(0, Math.floor(ms))) * 1000n);
