// Messages that were given to the program and wait for its answer.
//
//   send ──▶ the line waits ──▶ it is in the pipe ──{"sent"}──▶ resolves
//                │                    ├─{"failed"}──▶ its fate
//                │ time is up: retry  ├─time is up: uncertain
//                └ exit: reconnect    └─exit: uncertain
import {
  type Outgoing,
  reconnect,
  retry,
  type SendResult,
  type SpoolwayError,
  uncertain,
} from "spoolway/sdk";
import type { StdinWriter, Ticket } from "./stdin.ts";

interface Waiting {
  ticket: Ticket;
  resolve: (result: SendResult) => void;
  reject: (error: SpoolwayError) => void;
}

export class Sends {
  readonly #stdin: StdinWriter;
  readonly #waiting = new Map<string, Waiting>();
  /** Why the program is gone; set once. */
  #over: string | undefined;

  constructor(stdin: StdinWriter) {
    this.#stdin = stdin;
  }

  /** Resolves with the program's answer. Rejects with the message's fate; `signal` is the time limit. */
  async send(message: Outgoing, signal: AbortSignal): Promise<SendResult> {
    if (this.#over !== undefined) throw reconnect(this.#over);
    // The id stands first, so that a shell script finds it without a JSON parser.
    const { id, ...rest } = message;
    const ticket = this.#stdin.write({ send: { id, ...rest } });
    const answer = new Promise<SendResult>((resolve, reject) => {
      this.#waiting.set(message.id, { ticket, resolve, reject });
    });
    const abort = (): void => this.#abandon(message.id);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    // A line that never became whole: the program closed its stdin, and perhaps it is about to exit, which is for `end` to say.
    void ticket.settled.then(() => this.#ifLost(message.id, ticket));
    try {
      return await answer;
    } finally {
      signal.removeEventListener("abort", abort);
      this.#waiting.delete(message.id);
    }
  }

  /** False when nobody waits for this id. */
  sent(id: string, platformId: string | undefined): boolean {
    const waiting = this.#waiting.get(id);
    waiting?.resolve(platformId === undefined ? {} : { platform_id: platformId });
    return this.#waiting.delete(id);
  }

  /** False when nobody waits for this id. */
  failed(id: string, error: SpoolwayError): boolean {
    this.#waiting.get(id)?.reject(error);
    return this.#waiting.delete(id);
  }

  /** The program is gone: what it was given may have been sent, the rest was not. */
  end(why: string): void {
    this.#over ??= why;
    for (const [id, { ticket, reject }] of this.#waiting) {
      this.#waiting.delete(id);
      reject(ticket.state === "given" ? uncertain(`${why} before it answered`) : reconnect(why));
    }
  }

  #abandon(id: string): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    const { ticket, reject } = waiting;
    if (this.#stdin.cancel(ticket)) reject(retry("the program did not read its stdin in time"));
    else reject(uncertain("the program did not answer in time"));
  }

  #ifLost(id: string, ticket: Ticket): void {
    if (ticket.state !== "lost") return;
    setTimeout(() => {
      const waiting = this.#waiting.get(id);
      if (waiting?.ticket !== ticket) return;
      this.#waiting.delete(id);
      waiting.reject(retry("the program has closed its stdin: it takes no messages"));
    }, 1000).unref();
  }
}
