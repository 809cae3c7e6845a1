// The programs around a bus, as in real life: one takes events out of the inbox as they come, one clears old receipts and dead letters away. What they take is
// remembered, since the folders do not show it any more.
import { statSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseInboxName } from "../../runtime/spool/names.ts";
import type { InboundEvent } from "../../schema/types.ts";
import type { Spool } from "../helpers/spool.ts";

/** Names of different moments may appear in another order: what is younger is left for the next look (schema/README.md, "reader of the inbox"). */
const lookBackMs = 2000;
/** As with retention: long after the message is settled. */
const receiptAgeMs = 60_000;

export interface Taken {
  id: string;
  conversation: string;
  text: string;
}

export class Consumer {
  /** Connector → its events, in the order of their names. */
  readonly events = new Map<string, Taken[]>();
  /** Connector → id → where it ended. */
  readonly outcomes = new Map<string, Map<string, "sent" | "failed">>();
  readonly problems: string[] = [];
  private readonly spool: Spool;
  private readonly connectors: readonly string[];

  constructor(spool: Spool, connectors: readonly string[]) {
    this.spool = spool;
    this.connectors = connectors;
  }

  async consume(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.takeEvents(lookBackMs);
      this.takeReceipts(receiptAgeMs);
      await delay(300);
    }
  }

  /** Everything that is there, for the end. */
  takeAll(): void {
    this.takeEvents(0);
    this.takeReceipts(0);
  }

  /** How many receipts and dead letters of this connector were taken away. */
  removed(connector: string): number {
    return this.outcomes.get(connector)?.size ?? 0;
  }

  private takeEvents(minAgeMs: number): void {
    for (const file of this.spool.list("inbox")) {
      const parsed = parseInboxName(file);
      if (parsed === undefined)
        this.problems.push(`inbox/${file} has a name that the protocol does not know`);
      if (parsed === undefined || Date.now() - parsed.timeMs < minAgeMs) continue;
      const event = this.spool.json<InboundEvent>(`inbox/${file}`);
      if (event === undefined) continue;
      unlinkSync(join(this.spool.spool, "inbox", file));
      const { instance } = event.connector;
      const taken = {
        id: event.id,
        conversation: event.conversation?.id ?? "",
        text: event.content?.text ?? "",
      };
      listOf(this.events, instance).push(taken);
    }
  }

  private takeReceipts(minAgeMs: number): void {
    for (const connector of this.connectors) {
      let outcomes = this.outcomes.get(connector);
      if (outcomes === undefined) this.outcomes.set(connector, (outcomes = new Map()));
      for (const where of ["sent", "failed"] as const) {
        for (const file of this.spool.list(`${where}/${connector}`)) {
          const path = join(this.spool.spool, where, connector, file);
          if (Date.now() - statSync(path).mtimeMs < minAgeMs) continue;
          const id = file.replace(/\.json$/, "");
          const before = outcomes.get(id);
          if (before !== undefined)
            this.problems.push(`${connector}: ${id} is in ${where}, and was in ${before}`);
          outcomes.set(id, where);
          unlinkSync(path);
        }
      }
    }
  }
}

function listOf<K, V>(map: Map<K, V[]>, key: K): V[] {
  let list = map.get(key);
  if (list === undefined) map.set(key, (list = []));
  return list;
}
