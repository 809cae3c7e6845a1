// Two-way load between a bus and the test's own platform (servers/wire.ts), and what must have become of it: for the tests that kill and cut while it flows.
import { closeSync, fsyncSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { InboundEvent } from "../../schema/types.ts";
import { orderProblem } from "./oracle.ts";
import type { Random } from "./random.ts";
import type { Answering, Wire } from "./servers/wire.ts";
import type { Spool } from "./spool.ts";

export const conversations = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"];

/** A text that the platform refuses for good. */
const poison = "poison";

/** A platform's answers: mostly yes, a little late; sometimes busy, which is a retry; the poison never. */
export function moodyAnswers(random: Random): Answering {
  return (_id, text) => {
    if (text.startsWith(poison)) return { answer: "no", afterMs: 0 };
    return { answer: random.chance(0.03) ? "busy" : "ok", afterMs: random.below(15) };
  };
}

export interface TrafficOptions {
  /** The connector's name. Default "wire". */
  name?: string;
  /** Share of the drops whose producer syncs them; the others are as naive as a shell. Default 0. */
  syncedShare?: number;
  /** No more events and drops while so many are under way. Default 300. */
  underWayMax?: number;
  /** Pause between two rounds of messages, of which each conversation has half a message each way. Default 30. */
  everyMs?: number;
}

export interface Dropped {
  conversation: string;
  text: string;
  /** Its producer saw fsync succeed, of the file and of the folder. */
  synced: boolean;
}

export class Traffic {
  /** By id, in the order of dropping. The file's name is the id's. */
  readonly dropped = new Map<string, Dropped>();
  /** True: the producers and the platform's users are silent. */
  paused = false;
  syncedShare: number;
  private readonly name: string;
  private readonly underWayMax: number;
  private readonly everyMs: number;
  private readonly spool: Spool;
  private readonly wire: Wire;
  private readonly random: Random;
  private count = 0;

  constructor(spool: Spool, wire: Wire, random: Random, options: TrafficOptions = {}) {
    this.spool = spool;
    this.wire = wire;
    this.random = random;
    this.name = options.name ?? "wire";
    this.syncedShare = options.syncedShare ?? 0;
    this.underWayMax = options.underWayMax ?? 300;
    this.everyMs = options.everyMs ?? 30;
  }

  /** A few messages each way every few milliseconds, also while nothing runs; waits while more than a few hundred are under way. */
  async flow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await delay(this.everyMs);
      for (const conversation of this.paused ? [] : conversations) {
        if (this.random.chance(0.5) && this.wire.waiting < this.underWayMax)
          this.wire.say(conversation, `in ${this.wire.said.length}`);
        if (this.random.chance(0.5) && this.spool.list(`outbox/${this.name}`).length < this.underWayMax)
          this.drop(conversation);
      }
    }
  }

  /** What a drop must have become. */
  fateOf(id: string): "sent" | "failed" {
    return this.dropped.get(id)?.text.startsWith(poison) ? "failed" : "sent";
  }

  /** What every drop must have become. */
  expected(): Map<string, "sent" | "failed"> {
    return new Map([...this.dropped.keys()].map((id) => [id, this.fateOf(id)]));
  }

  /** Everything that was dropped has its receipt or dead letter, of which `removed` were taken away since, and nothing is on its way. */
  settled(removed = 0): boolean {
    const count = (folder: string) => this.spool.list(`${folder}/${this.name}`).length;
    if (["outbox", "retry", "sending"].some((folder) => count(folder) > 0)) return false;
    return count("sent") + count("failed") + removed >= this.dropped.size;
  }

  /** Problems in the order in which the platform saw the conversations' messages: each must be there, repetitions only at once. */
  orderOut(): string[] {
    const expected = Map.groupBy(
      [...this.dropped].filter(([id]) => this.fateOf(id) === "sent"),
      ([, { conversation }]) => conversation,
    );
    return conversations.flatMap((conversation) => {
      const seen = (this.wire.arrivals.get(conversation) ?? []).map(({ id }) => id);
      const wanted = (expected.get(conversation) ?? []).map(([id]) => id);
      return named(`out, ${conversation}`, orderProblem(seen, wanted));
    });
  }

  /** The same for these events: of what the platform's users said each must be there exactly once. */
  orderIn(events: readonly InboundEvent[]): string[] {
    const said = Map.groupBy(this.wire.said, ({ conversation }) => conversation);
    const seen = Map.groupBy(events, (one) => one.conversation?.id ?? "");
    const problems = conversations.flatMap((conversation) => {
      const texts = (seen.get(conversation) ?? []).map((one) => one.content?.text ?? "");
      const wanted = (said.get(conversation) ?? []).map(({ text }) => text);
      return named(`in, ${conversation}`, orderProblem(texts, wanted));
    });
    if (events.length !== this.wire.said.length)
      problems.push(`${events.length} files for ${this.wire.said.length} events`);
    return problems;
  }

  /** How many messages the platform got more than once. */
  sentTwice(): number {
    const arrived = [...this.wire.arrivals.values()].flat();
    return arrived.length - new Set(arrived.map(({ id }) => id)).size;
  }

  private drop(conversation: string): void {
    const n = this.count++;
    const id = `m${String(n).padStart(7, "0")}`;
    const text = this.random.chance(0.01) ? `${poison} ${n}` : `out ${n}`;
    const synced = this.random.chance(this.syncedShare);
    const folder = join(this.spool.spool, "outbox", this.name);
    const bytes = JSON.stringify({ id, conversation_id: conversation, text });
    // As naive as a shell: created under its final name, then written, with nothing synced; or the same with care for power cuts.
    const fd = openSync(join(folder, `${id}.json`), "w", 0o600);
    this.dropped.set(id, { conversation, text, synced });
    writeFileSync(fd, bytes);
    if (synced) fsyncSync(fd);
    closeSync(fd);
    if (synced) syncFolder(folder);
  }
}

function syncFolder(path: string): void {
  const fd = openSync(path, "r");
  fsyncSync(fd);
  closeSync(fd);
}

function named(what: string, problem: string | undefined): string[] {
  return problem === undefined ? [] : [`${what}: ${problem}`];
}
