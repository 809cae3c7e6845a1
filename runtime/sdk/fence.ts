// spoolway/sdk/fence: a link to somebody who confirms nothing but works off what it is told in order. Whatever is said is followed by a question that is always
// answered (IRC: PING). When that answer, the fence, is back, every complaint about what was said has come before it, and silence means yes.
//
//   exchange(lines) ──▶ line, line, fence ──▶ what was heard meanwhile and is about them … ──fence is back──▶ resolves with it
//                              └─ lost or silent: reconnect when nothing was written, else uncertain
import { randomBytes } from "node:crypto";
import { reconnect, uncertain } from "../sdk.ts";
import { type Pace, Pacer } from "./pacer.ts";

const fenceMs = 30_000;

/** A question that is always answered, with a token of its own in it, and how to know its answer. */
export interface Fence<Message> {
  line: string;
  isBack: (message: Message) => boolean;
}

/** Gets a message; returns whether it is dealt with, so that nobody else makes an event of it. */
export type Listener<Message> = (message: Message) => boolean;

export class FencedLink<Message> {
  /** The other side, in error messages. */
  readonly who: string;
  readonly #pacer: Pacer;
  /** Writes one line now, past the pace; nothing happens when the connection is gone. */
  readonly write: (line: string) => void;
  readonly #newFence: (token: string) => Fence<Message>;
  readonly #lost = new AbortController();
  readonly #listeners = new Set<Listener<Message>>();

  /** Lines are written no faster than `pace`. */
  constructor(
    who: string,
    pace: Pace,
    write: (line: string) => void,
    newFence: (token: string) => Fence<Message>,
  ) {
    this.who = who;
    this.#pacer = new Pacer(pace);
    this.write = write;
    this.#newFence = newFence;
  }

  /** Aborts once, when the connection is gone or the session is over; its reason is the error. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Ends it with this reason; later calls change nothing. */
  lose(reason: Error): void {
    this.#lost.abort(reason);
  }

  /** Ends it when the session ends. */
  endWith(session: AbortSignal): void {
    const end = (): void => this.lose(reconnect("the session is over"));
    if (session.aborted) end();
    else session.addEventListener("abort", end, { once: true });
  }

  /** Calls the listener with every message until the returned function is called. */
  listen(listener: Listener<Message>): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** To be called with everything that comes in. Returns whether a listener has dealt with it. */
  hear(message: Message): boolean {
    return [...this.#listeners].map((listener) => listener(message)).includes(true);
  }

  /**
   * Writes the lines, each in its turn (`urgent`: at once), and resolves with those messages that `isAnswer` chose from all that came until the other side had
   * worked off the last line. Throws reconnect when nothing was written, uncertain when the link was lost or silent afterwards.
   */
  async exchange(
    lines: readonly string[],
    isAnswer: Listener<Message>,
    { timeoutMs = fenceMs, urgent = false } = {},
  ): Promise<Message[]> {
    const answers: Message[] = [];
    const { line: question, isBack } = this.#newFence(`spoolway-${randomBytes(6).toString("hex")}`);
    const back = Promise.withResolvers<void>();
    back.promise.catch(() => undefined); // it may be rejected while a turn is awaited; it is awaited below
    let written = 0;
    const fail = (why: string): void => back.reject(written === 0 ? reconnect(why) : uncertain(why));
    const onLost = (): void => fail((this.lost.reason as Error).message);
    const unlisten = this.listen((message) => {
      if (isBack(message)) back.resolve();
      const isOurs = isAnswer(message);
      if (isOurs) answers.push(message);
      return isOurs;
    });
    let late: NodeJS.Timeout | undefined;
    this.lost.addEventListener("abort", onLost);
    try {
      for (const line of [...lines, question]) {
        if (!urgent) await this.#pacer.turn(this.lost);
        if (this.lost.aborted) break;
        this.write(line);
        written += 1;
      }
      if (this.lost.aborted) onLost();
      late = setTimeout(() => fail(`${this.who} did not answer within ${timeoutMs / 1000} s`), timeoutMs);
      await back.promise;
      return answers;
    } finally {
      clearTimeout(late);
      unlisten();
      this.lost.removeEventListener("abort", onLost);
    }
  }
}
