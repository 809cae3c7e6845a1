// spoolway/sdk/handover: messages that the other side takes exactly once, where it knows them by a number of ours until we say that we know (MQTT's QoS 2). What
// was reached is durable before the next step is taken, so that after a crash each goes on where it was.
//
//   new ─▶ given (number chosen) ─▶ the other side has it ─▶ released (a second `give` would be a second message) ─▶ done
//            └─ refused, or tried again later ─▶ new
//
// A number that nobody comes back for (its message expired, or a person took it away) would be held on the other side for as long as the session lives, and all that it
// takes at once would be used up in the end: see `resume`.
import { rateLimited, type State, toSpoolwayError } from "../sdk.ts";

export interface Steps {
  /**
   * `again`: it may have been given before, under the same number. Resolves with true where the other side keeps the number until it is released, with false where it
   * forgets it by itself: then a crash may bring the message twice.
   */
  give(number: number, again: boolean): Promise<boolean>;
  /** Lets the other side forget the number. */
  release(number: number): Promise<unknown>;
}

type Reached = Record<string, { number: number; step: "given" | "released" | "done" }>;

export interface Limits {
  /** Numbers are 1 to this. */
  maxNumber: number;
  /** What the other side takes at once; default: any number. */
  maxUnderWay?: number | undefined;
}

const key = "handover";
const busyMs = 100;
/** Finished messages are remembered until their receipts are durable for sure: more than can be under way at once. */
const maxDone = 200;
/** Numbers that were given and wait for their messages' next try; all in one lane each, so seldom more than a few. At most half of what the other side takes at once. */
const maxGiven = 50;

export class Handover {
  readonly #state: State;
  readonly #reached: Reached;
  readonly #limits: Limits;
  #underWay = 0;
  #lastNumber = 0;

  private constructor(state: State, reached: Reached, limits: Limits) {
    this.#state = state;
    this.#reached = reached;
    this.#limits = limits;
  }

  /** `isKept`: the other side still knows our numbers; else what was not done is new. */
  static async open(state: State, isKept: boolean, limits: Limits): Promise<Handover> {
    const before = Object.entries((await state.get<Reached>(key)) ?? {});
    const kept = before.filter(([, { step }]) => isKept || step === "done");
    const handover = new Handover(state, Object.fromEntries(kept), limits);
    await state.set(key, handover.#reached);
    return handover;
  }

  /**
   * For the beginning of a session: goes on with what was released. What was given is its message's, which is tried again; of too many the oldest are let go, and may come to be
   * seen at last: their messages were given up, or else are new.
   */
  async resume(release: Steps["release"]): Promise<void> {
    const all = Object.entries(this.#reached);
    const given = all.filter(([, { step }]) => step === "given").map(([id]) => id);
    const kept = Math.min(maxGiven, Math.floor((this.#limits.maxUnderWay ?? Infinity) / 2));
    const old = new Set(given.slice(0, Math.max(0, given.length - kept)));
    for (const [id, { number, step }] of all) {
      if (step !== "released" && !old.has(id)) continue;
      await release(number);
      if (step === "released") await this.#reach(id, number, "done");
      else await this.#forget(id);
    }
  }

  /**
   * Resolves when the message is handed over, at once where it was before. Rejects as a step does: the fates uncertain and reconnect leave it where it is, with the others
   * the other side did not take it. Throws rate_limited while too much is under way.
   */
  async hand(id: string, steps: Steps): Promise<void> {
    if (this.#underWay >= (this.#limits.maxUnderWay ?? Infinity))
      throw rateLimited("as much is under way as the other side takes at once", busyMs);
    this.#underWay += 1;
    await this.#goOn(id, steps).finally(() => (this.#underWay -= 1));
  }

  async #goOn(id: string, { give, release }: Steps): Promise<void> {
    const before = this.#reached[id];
    if (before?.step === "done") return;
    const number = before?.number ?? this.freeNumber();
    if (before?.step !== "released") {
      await this.#reach(id, number, "given");
      const isHeld = await give(number, before !== undefined).catch((thrown) => this.#failed(id, thrown));
      if (isHeld) await this.#reach(id, number, "released");
    }
    if (this.#reached[id]?.step === "released") await release(number);
    const done = Object.keys(this.#reached).filter((one) => this.#reached[one]?.step === "done");
    for (const old of done.slice(0, -maxDone)) delete this.#reached[old];
    await this.#reach(id, number, "done");
  }

  /** One that no message under way has. */
  freeNumber(): number {
    const taken = new Set(
      Object.values(this.#reached).map(({ number, step }) => (step === "done" ? 0 : number)),
    );
    do this.#lastNumber = (this.#lastNumber % this.#limits.maxNumber) + 1;
    while (taken.has(this.#lastNumber));
    return this.#lastNumber;
  }

  #reach(id: string, number: number, step: "given" | "released" | "done"): Promise<void> {
    this.#reached[id] = { number, step };
    return this.#state.set(key, this.#reached);
  }

  async #failed(id: string, thrown: unknown): Promise<never> {
    if (!["uncertain", "reconnect"].includes(toSpoolwayError(thrown).fate)) await this.#forget(id);
    throw thrown;
  }

  async #forget(id: string): Promise<void> {
    delete this.#reached[id];
    await this.#state.set(key, this.#reached);
  }
}
