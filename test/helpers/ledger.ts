// What was promised to whom, written down in the moment in which it was promised: what the oracle judges a spool by. Everything in it is outside of the machine
// that dies: the producers' memory of what they dropped, the platform's memory of what it got and said.
//
// "Begun" entries (dropping, redriving, setting …) stand before the act, the others after it: a crash in between leaves both outcomes open.

/** How the platform answers a message, by the first word of its text: "no 1", "busy 2", "late 1" are that many times not ok. */
export type Answer = "ok" | "no" | "busy" | "late";

export type Entry =
  /** A producer begins to drop. `id`: what it will be found under, declared or derived. */
  | {
      what: "dropping";
      file: string;
      id: string;
      conversation: string;
      text: string;
      /** The file's content, where the producer wrote it itself and synced nothing: a power cut may tear it. */
      bytes?: string;
      /** What becomes of it whatever happens: a message, a drop that must be refused, one that repeats the same message, or one that takes the id of another. */
      as: "message" | "bad" | "repeated" | "conflicting";
      /** Waits for a time that does not come during the test. */
      isScheduled?: boolean;
      isExpired?: boolean;
    }
  /** The drop is on stable storage: its producer synced it. */
  | { what: "dropped"; file: string }
  /** The bus has taken it: claimed or scheduled, and durable. */
  | { what: "accepted"; id: string }
  | { what: "arrived"; id: string; conversation: string; answer: Answer }
  | { what: "settled"; id: string; as: "sent" | "failed" }
  /** The oracle saw this outcome on the disk after a crash: as good as settled, whoever knew of it. */
  | { what: "found"; id: string; as: "sent" | "failed" }
  | { what: "refused"; file: string }
  /** It repeated a message and was removed. */
  | { what: "removed"; file: string }
  | { what: "redriven" | "purging" | "purged" | "sweeping" | "swept"; id: string }
  /** `copy`: not moved, but copied by a person, who synced nothing. */
  | { what: "redriving"; id: string; copy?: string }
  /** The platform has an event for us. `cursor`: it is given again only to who asks from before it. */
  | { what: "said"; key: string; id: string; conversation: string; text: string; cursor?: number }
  /** We told the platform that we have it. */
  | { what: "delivered"; id: string }
  /** A reader removed it from the inbox. */
  | { what: "consuming"; id: string }
  | { what: "setting" | "set"; key: string; value: string }
  | { what: "stored"; sha256: string }
  | { what: "pausing" | "paused" | "resuming" | "resumed"; name: string }
  /** What a scenario made beforehand, for the process that goes on with it. */
  | { what: "prepared"; data: unknown }
  /** The machine or the process died here. */
  | { what: "crashed" };

export type Dropping = Extract<Entry, { what: "dropping" }>;
export type Said = Extract<Entry, { what: "said" }>;

export class Ledger {
  readonly entries: Entry[];
  readonly #sink: ((entry: Entry) => void) | undefined;

  /** `sink` is called before add() returns: whoever is killed afterwards has been heard. */
  constructor(entries: readonly Entry[] = [], sink?: (entry: Entry) => void) {
    this.entries = [...entries];
    this.#sink = sink;
  }

  add(entry: Entry): void {
    this.entries.push(entry);
    this.#sink?.(entry);
  }

  of<What extends Entry["what"]>(...what: What[]): Array<Entry & { what: What }> {
    return this.entries.filter((entry): entry is Entry & { what: What } =>
      (what as string[]).includes(entry.what),
    );
  }

  /** The platform's answer to the next arrival of this message. */
  nextAnswer(id: string, text: string): Answer {
    const [, answer, times] = /^(no|busy|late) (\d+)/.exec(text) ?? [];
    if (answer === undefined) return "ok";
    const before = this.of("arrived").filter((entry) => entry.id === id && entry.answer === answer).length;
    return before < Number(times) ? (answer as Answer) : "ok";
  }
}
