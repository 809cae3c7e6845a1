// spoolway/sdk/redelivered: events of a platform whose messages have no ids of their own, only numbers that are used again and again, and a mark on what it delivers
// once more (MQTT, AMQP): each is acknowledged when it is durable, and is one event however often it comes. A number means the same event from its first delivery until
// the platform is known to have our acknowledgement.
//
//   arrived ─▶ key chosen, or found again ─▶ keys durable ─▶ events durable ─▶ acknowledged, in the order of arrival ─▶ confirmed, or freed: forgotten
import { randomUUID } from "node:crypto";
import type { Draft } from "../draft.ts";
import { type Context, type State, toSpoolwayError } from "../sdk.ts";
import { fingerprint } from "./fingerprint.ts";

export interface Arrival {
  /** Its event. With a key that is kept, else by its number, else each time a new one. */
  draft?: Draft;
  /** Absent where the platform delivers it once at most. */
  number?: number | undefined;
  /** Marked as delivered once more. */
  isAgain?: boolean;
  /** What was delivered under the number, by which it is told from what the number stood for before. */
  standsFor?: unknown[];
  /** Its number stands for it until it is freed; else until the acknowledgement is confirmed. */
  untilFreed?: boolean;
  /** This number stands for nothing any more. */
  frees?: number | undefined;
  /** Tells the platform that we have it. */
  acknowledge?(): void;
}

type Held = Record<string, { key: string; print: string }>;

const key = "redelivered";

export class Redelivered {
  readonly #state: State;
  /** By number. */
  readonly #held: Held;

  private constructor(state: State, held: Held) {
    this.#state = state;
    this.#held = held;
  }

  /** `isKept`: the platform still knows what its numbers stood for. */
  static async open(state: State, isKept: boolean): Promise<Redelivered> {
    const redelivered = new Redelivered(state, (isKept ? await state.get<Held>(key) : undefined) ?? {});
    await redelivered.#save();
    return redelivered;
  }

  /** Resolves with what was acknowledged and is to be confirmed. Rejects, having acknowledged nothing, when an event could not be written. */
  async take(ctx: Context, arrivals: Arrival[]): Promise<Map<number, string>> {
    for (const { frees } of arrivals) if (frees !== undefined) delete this.#held[frees];
    const taken = new Map<number, string>();
    const drafts = arrivals.map((arrival) => {
      const found = this.#keyOf(arrival);
      const { draft, number, untilFreed = false } = arrival;
      if (number !== undefined && found !== undefined && !untilFreed) taken.set(number, found);
      return draft && { ...draft, key: draft.key ?? (found === undefined ? undefined : [found]) };
    });
    if (arrivals.some(({ number, frees }) => (number ?? frees) !== undefined)) await this.#save();
    await deliverAll(ctx, drafts);
    for (const arrival of arrivals) arrival.acknowledge?.();
    return taken;
  }

  /** The platform has these acknowledgements. */
  async confirm(taken: Map<number, string>): Promise<void> {
    for (const [number, found] of taken) if (this.#held[number]?.key === found) delete this.#held[number];
    if (taken.size > 0) await this.#save();
  }

  #keyOf({ number, isAgain = false, standsFor = [] }: Arrival): string | undefined {
    if (number === undefined) return undefined;
    const print = fingerprint(...standsFor);
    const known = isAgain ? this.#held[number] : undefined;
    const found = known?.print === print ? known.key : randomUUID();
    this.#held[number] = { key: found, print };
    return found;
  }

  #save(): Promise<void> {
    return this.#state.set(key, this.#held);
  }
}

/** In order: bytes take their time to be stored, and nothing may overtake them, so an event that has some goes alone. */
async function deliverAll(ctx: Context, drafts: Array<Draft | undefined>): Promise<void> {
  let together: Array<Promise<void>> = [];
  const settled = (): Promise<unknown> => Promise.all(together).finally(() => (together = []));
  for (const draft of drafts) {
    if (draft === undefined) continue;
    const isAlone = draft.content?.attachments !== undefined;
    if (isAlone) await settled();
    together.push(deliver(ctx, draft));
    if (isAlone) await settled();
  }
  await settled();
}

/** An event that is refused for good would come again and again: it is logged, and acknowledged. */
async function deliver(ctx: Context, draft: Draft): Promise<void> {
  await ctx.deliver(draft).catch((thrown: unknown) => {
    const { fate, code, message, hint } = toSpoolwayError(thrown);
    if (fate !== "reject") throw thrown;
    ctx.log.warn("event.refused", { code, error: message, hint, conversation: draft.conversation?.id });
  });
}
