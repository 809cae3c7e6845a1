// What a ledger and a spool say together about each drop: whether it was promised, whether it is there, where it may end.
import type { Dropping, Entry, Ledger } from "./ledger.ts";
import { type Place, type Survey, surveyOf } from "./survey.ts";

export interface Judged {
  spool: string;
  name: string;
  ledger: Ledger;
  /** on_uncertain: hold: nothing may ever be sent twice. */
  hold?: boolean;
  /** The power was cut, on a file system that may give old names back. */
  oldNames?: boolean;
}

/** What the ledger and the spool say together. */
export class Facts {
  readonly ledger: Ledger;
  readonly survey: Survey;
  readonly drops: Dropping[];
  readonly spool: string;
  readonly #hold: boolean;
  readonly #begun = new Set<string>();

  constructor({ spool, name, ledger, hold }: Judged) {
    this.ledger = ledger;
    this.spool = spool;
    this.#hold = hold ?? false;
    this.drops = ledger.of("dropping");
    const derived = new Map(this.drops.map((drop) => [drop.file, drop.id]));
    this.survey = surveyOf(spool, name, undefined, (file) => derived.get(file));
    for (const entry of ledger.entries)
      if ("id" in entry && typeof entry.id === "string") this.#begun.add(`${entry.what} ${entry.id}`);
  }

  has(what: Entry["what"], id: string): boolean {
    return this.#begun.has(`${what} ${id}`);
  }

  /** Whether the bus, or the producer, has said that it is safe. */
  isPromised({ id, file, as }: Dropping): boolean {
    if (as === "repeated") return false;
    const byFile = this.ledger.of("dropped", "refused").some((entry) => entry.file === file);
    return byFile || this.has("accepted", id);
  }

  /** Whether the last thing that was begun with it is durable: a copy of its dead letter may be torn as any drop may. */
  isAcceptedNow(id: string): boolean {
    const last = this.ledger.of("accepted", "redriving").findLast((entry) => entry.id === id);
    return last?.what === "accepted";
  }

  isThere(drop: Dropping): boolean {
    const { byId, entries } = this.survey;
    // A conflicting one has its own id only when it is refused, and no letter yet when that was interrupted (R6).
    const hasName = (): boolean => [...byId.values()].flat().some((one) => one.file === drop.file);
    if (drop.as === "conflicting" && (entries.has(drop.id) || hasName())) return true;
    if (drop.as !== "bad") return byId.has(drop.id);
    const bytes = [...this.survey.unreadable.values(), ...entries.values()];
    return bytes.some((one) => one.toString() === drop.text);
  }

  mayBeGone(id: string): boolean {
    return this.has("sweeping", id) || this.has("purging", id);
  }

  /** The dead letter is all there is of it, though a person was told that it waits in the outbox again, and nothing was sent since. */
  isOnlyFailed(id: string): boolean {
    const since = this.ledger.entries.findLastIndex((entry) => entry.what === "redriving" && entry.id === id);
    const wentOn = this.ledger.entries
      .slice(since)
      .some(
        (entry) =>
          (entry.what === "accepted" || entry.what === "crashed") &&
          (entry.what === "crashed" || entry.id === id),
      );
    const waits = [...this.survey.unreadable.values()].map(String);
    const inOutbox = this.drops.some((drop) => drop.id === id && waits.includes(drop.text));
    const found = this.survey.byId.get(id) ?? [];
    const isFailed =
      found.length > 0 ? found.every(({ place }) => place === "failed") : this.survey.entries.has(id);
    return !wentOn && isFailed && !inOutbox;
  }

  isInOutbox(file: string): boolean {
    const messages = [...this.survey.byId.values()].flat();
    return (
      this.survey.unreadable.has(file) || messages.some((one) => one.place === "outbox" && one.file === file)
    );
  }

  /** The folders of an id without what a second drop of it, or a copy that a person made of its dead letter, adds to them. */
  withoutCopies(id: string, found: Place[]): Place[] {
    if (!this.isDroppedTwice(id)) return found;
    const isUnderWay = found.includes("sending") || found.includes("retry") || found.includes("outbox");
    const letter = this.has("redriving", id) && isUnderWay;
    const rest = found.filter((place) => place !== "outbox" && !(letter && place === "failed"));
    return rest.length === 0 ? found.slice(0, 1) : rest;
  }

  /** Its producer was told of an error and dropped it again, or a person copied it. */
  isDroppedTwice(id: string): boolean {
    // One that takes another's id has its own only once it is refused.
    const hasId = (drop: Dropping): boolean =>
      drop.id === id || (drop.as === "conflicting" && drop.id?.startsWith(`${id}+`) === true);
    return this.drops.filter(hasId).length > 1 || this.has("redriving", id);
  }

  /** Where it may be in the end; undefined: anywhere. */
  expectedEnds(drop: Dropping): string[] | undefined {
    const { id, as } = drop;
    const ends: string[] = [];
    const promised = this.isPromised(drop);
    if (!promised || this.mayBeGone(id)) ends.push("nowhere");
    if (as === "bad") return promised && !this.mayBeGone(id) ? ["failed"] : undefined;
    if (as === "conflicting") return [...ends, "failed"];
    if (drop.isScheduled) return [...ends, "retry"];
    const last = this.ledger.of("arrived").findLast((entry) => entry.id === id)?.answer;
    const died = this.ledger.of("crashed").length > 0;
    if (this.has("purged", id)) return ["nowhere"];
    // Torn before it was accepted, and refused as what it was then.
    const torn = this.survey.entries.get(id);
    if (torn !== undefined && !promised && this.isTornFrom(torn, drop)) ends.push("failed");
    if (last === "ok") ends.push("sent");
    const outcome = this.ledger.of("settled", "found").findLast((entry) => entry.id === id)?.as;
    if (last === "no" || outcome === "failed" || drop.isExpired) ends.push("failed");
    if (this.#hold && (died || last === "late")) ends.push("failed");
    return ends;
  }

  /** Dropped; or a dead letter of something that a power cut tore before its producer had synced it. */
  isKnown(id: string): boolean {
    if (this.drops.some((drop) => drop.id === id || drop.id.startsWith(`${id}+`))) return true;
    const entry = this.survey.entries.get(id);
    if (entry === undefined) return false;
    return this.drops.some((drop) => this.isTornFrom(entry, drop));
  }

  /** Whether these bytes may be what a power cut left of a drop that nobody had synced, or the bad drop itself. */
  isTornFrom(bytes: Buffer, { id, as, text, bytes: own }: Dropping): boolean {
    if (as === "bad" && bytes.toString() === text) return true;
    const copies = this.ledger
      .of("redriving")
      .flatMap((entry) => (entry.id === id ? (entry.copy ?? []) : []));
    const isPart = [own, ...copies].some((whole) => whole?.startsWith(bytes.toString()));
    return isPart || bytes.every((byte) => byte === 0);
  }
}
