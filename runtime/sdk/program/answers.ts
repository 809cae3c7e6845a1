// spoolway/sdk/program/answers: messages that were written to somebody (a LineWriter) and wait for the answer that names their id. Each ends with the fate that
// keeps it from being lost or doubled:
//
//   ask ──▶ the line waits ──▶ it was written ──settle──▶ resolves, or rejects with what the other side said
//                │                    ├─time is up: uncertain
//                │ time is up: retry  └─end: uncertain
//                └ end: reconnect
import { reconnect, retry, type SendResult, type SpoolwayError, uncertain } from "../../sdk.ts";
import type { LineWriter, Ticket } from "../line-writer.ts";

/** How long `end` may follow a write that failed: it knows better why. */
const endMs = 1000;

interface Waiting {
  ticket: Ticket;
  resolve: (result: SendResult) => void;
  reject: (error: SpoolwayError) => void;
}

export class Answers {
  readonly #writer: LineWriter;
  readonly #who: string;
  readonly #input: string;
  readonly #waiting = new Map<string, Waiting>();
  /** Why nobody will answer any more; set once. */
  #over: string | undefined;

  /** `who` is the other side in error messages, `input` what it reads: "the program", "its stdin". */
  constructor(writer: LineWriter, who: string, input: string) {
    this.#writer = writer;
    this.#who = who;
    this.#input = input;
  }

  /** Writes `line` and resolves with the answer to `id`; rejects with the message's fate. `signal` is the time limit. */
  async ask(id: string, line: unknown, signal: AbortSignal): Promise<SendResult> {
    if (this.#over !== undefined) throw reconnect(this.#over);
    const ticket = this.#writer.write(line);
    const answer = new Promise<SendResult>((resolve, reject) => {
      this.#waiting.set(id, { ticket, resolve, reject });
    });
    const abort = (): void => this.#timeIsUp(id);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    void ticket.settled.then(() => this.#ifLost(id, ticket));
    try {
      return await answer;
    } finally {
      signal.removeEventListener("abort", abort);
      this.#waiting.delete(id);
    }
  }

  /** The answer came: a result, or an error with its fate. False when nobody waits for this id (any more). */
  settle(id: string, answer: SendResult | SpoolwayError): boolean {
    const waiting = this.#waiting.get(id);
    if (answer instanceof Error) waiting?.reject(answer);
    else waiting?.resolve(answer);
    return this.#waiting.delete(id);
  }

  /** The other side is gone: what it was given may have been sent, the rest was not. */
  end(why: string): void {
    this.#over ??= why;
    for (const [id, { ticket }] of this.#waiting)
      this.settle(id, ticket.state === "given" ? uncertain(`${why} before it answered`) : reconnect(why));
  }

  #timeIsUp(id: string): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    const unread = this.#writer.cancel(waiting.ticket);
    const words = unread ? `did not read ${this.#input} in time` : "did not answer in time";
    this.settle(id, (unread ? retry : uncertain)(`${this.#who} ${words}`));
  }

  /** A line that never became whole: the other side closed its end, and perhaps it is about to go, which is for `end` to say. */
  #ifLost(id: string, ticket: Ticket): void {
    if (ticket.state !== "lost") return;
    setTimeout(() => {
      if (this.#waiting.get(id)?.ticket !== ticket) return;
      this.settle(id, retry(`${this.#who} has closed ${this.#input}: it takes no messages`));
    }, endMs).unref();
  }
}
