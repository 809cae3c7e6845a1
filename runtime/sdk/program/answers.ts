// spoolway/sdk/program/answers: messages that were written to somebody (a LineWriter) and wait for the answer that names their id. Each ends with the fate that
// keeps it from being lost or doubled:
//
//   ask ──▶ the line waits ──▶ it was written ──settle──▶ resolves, or rejects with what the other side said
//                │                    ├─time is up: uncertain
//                │ time is up: retry  └─end: uncertain
//                └ end: reconnect
import { reconnect, retry, type SendResult, type SpoolwayError, uncertain } from "../../sdk.ts";
import type { LineWriter, Ticket } from "../line-writer.ts";
import { Outcomes } from "../outcomes.ts";

/** How long `end` may follow a write that failed: it knows better why. */
const endMs = 1000;

export class Answers {
  readonly #writer: LineWriter;
  readonly #who: string;
  readonly #input: string;
  readonly #outcomes: Outcomes;

  /** `who` is the other side in error messages, `input` what it reads: "the program", "its stdin". */
  constructor(writer: LineWriter, who: string, input: string) {
    this.#writer = writer;
    this.#who = who;
    this.#input = input;
    this.#outcomes = new Outcomes(who);
  }

  /** Writes `line` and resolves with the answer to `id`; rejects with the message's fate. `signal` is the time limit. */
  async ask(id: string, line: unknown, signal: AbortSignal): Promise<SendResult> {
    const [writer, who, input] = [this.#writer, this.#who, this.#input];
    let ticket: Ticket | undefined;
    const silence = {
      late: () =>
        ticket === undefined || writer.cancel(ticket)
          ? retry(`${who} did not read ${input} in time`)
          : uncertain(`${who} did not answer in time`),
      over: (why: string) =>
        ticket?.state === "given" ? uncertain(`${why} before it answered`) : reconnect(why),
    };
    let waits = true;
    // The other side closed its end, and perhaps it is about to go, which is for `end` to say.
    const closed = (): void => {
      if (waits) this.settle(id, retry(`${who} has closed ${input}: it takes no messages`));
    };
    const say = (): void => {
      const written = writer.write(line);
      void written.settled.then(() => written.state === "lost" && setTimeout(closed, endMs).unref());
      ticket = written;
    };
    try {
      return await this.#outcomes.ask(id, say, signal, silence);
    } finally {
      waits = false;
    }
  }

  /** The answer came: a result, or an error with its fate. False when nobody waits for this id (any more). */
  settle(id: string, answer: SendResult | SpoolwayError): boolean {
    return this.#outcomes.settle(id, answer);
  }

  /** The other side is gone: what it was given may have been sent, the rest was not. */
  end(why: string): void {
    this.#outcomes.end(why);
  }
}
