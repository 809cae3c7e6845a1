// spoolway/sdk/deliveries: events on their way into the inbox from a source that cannot be asked to repeat them: in order, a bounded number at once, each kept and
// tried until it can be written. Whoever adds waits for room, which stops the reading of the source, which in the end stops the source: backpressure instead of memory.
//
//   waiting ──▶ under way ──durable──▶ delivered
//                  │  ▲   └─reject──▶ refused
//                  └──┘ anything else: again after 1 s … 30 s; at the end of the session: lost, with a line in the log
import { type Context, type Draft, sleep, SpoolwayError, toSpoolwayError } from "../sdk.ts";

/** One event to deliver. */
export interface Delivery {
  /** The event, or what makes it: called at each try, because a stream can be read only once. A throw counts like one of deliver. */
  draft: Draft | (() => Draft | Promise<Draft>);
  /** About how much memory it takes. */
  bytes: number;
  /** For the log lines about it. */
  fields?: Record<string, unknown>;
  /** Called once: without an error when it is durable, with one when it is refused for good. Not called for what is lost. */
  settled?(error?: SpoolwayError): void;
}

const maxWaiting = 64;
const maxWaitingBytes = 4 << 20;
const retryBaseMs = 1000;
const retryMaxMs = 30_000;

export class Deliveries {
  readonly #ctx: Context;
  readonly #queue: Delivery[] = [];
  #queuedBytes = 0;
  #running: Promise<void> | undefined;
  #room: (() => void) | undefined;
  /** How many are durable. */
  delivered = 0;

  constructor(ctx: Context) {
    this.#ctx = ctx;
  }

  /** Takes an event; resolves when there is room for the next. One caller at a time. */
  async add(delivery: Delivery): Promise<void> {
    this.#queue.push(delivery);
    this.#queuedBytes += delivery.bytes;
    this.#running ??= this.#run();
    if (this.#queue.length >= maxWaiting || this.#queuedBytes >= maxWaitingBytes)
      await new Promise<void>((resolve) => (this.#room = resolve));
  }

  /** Resolves when everything that was taken is delivered, refused or lost. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    // In the next turn, so that the events of one chunk share a commit.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const window = this.#queue.splice(0, this.#windowSize());
      if (this.#queue.length === 0) this.#queuedBytes = 0;
      if (this.#queue.length < maxWaiting) this.#room?.();
      await Promise.all(window.map((delivery) => this.#deliver(delivery)));
    }
    this.#running = undefined;
  }

  /** Streaming an attachment takes its time, and nothing behind it may overtake: such an event goes alone. */
  #windowSize(): number {
    const first = this.#queue.findIndex(({ draft }) => takesTime(draft));
    return first === 0 ? 1 : first < 0 ? maxWaiting : first;
  }

  async #deliver({ draft, fields, settled }: Delivery): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const error = await this.#try(draft);
      if (error === undefined) {
        this.delivered += 1;
        return settled?.();
      }
      const why = { code: error.code, error: error.message, ...fields };
      if (error.fate === "reject") {
        this.#ctx.log.warn("event.refused", { ...why, hint: error.hint });
        return settled?.(error);
      }
      if (this.#ctx.signal.aborted) return this.#ctx.log.error("event.lost", why);
      if (attempt === 1) this.#ctx.log.warn("event.delayed", why);
      // Without jitter, so that those of one window stay in order.
      await sleep(Math.min(retryMaxMs, retryBaseMs * 2 ** Math.min(10, attempt - 1)), this.#ctx.signal);
    }
  }

  /** Nothing is awaited before deliver has a finished draft: the order of calls is the order of events. */
  async #try(draft: Delivery["draft"]): Promise<SpoolwayError | undefined> {
    try {
      await this.#ctx.deliver(typeof draft === "function" ? await draft() : draft);
      return undefined;
    } catch (thrown) {
      return toSpoolwayError(thrown);
    }
  }
}

const takesTime = (draft: Delivery["draft"]): boolean =>
  typeof draft === "function" ||
  (draft.content?.attachments?.some((item) => item.data !== undefined) ?? false);
