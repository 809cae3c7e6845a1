// spoolway/sdk/line-writer: lines of JSON into a pipe or a socket: one write at a time, so that what was not begun can still be taken back, and so that it is
// known of each line whether the other side can have acted on it.
//
//   waiting ──▶ writing ──flushed──▶ given          (given: the whole line is in the pipe, the other side may act on it)
//      │ cancel()    └─the pipe broke──▶ lost       (lost: it never was whole, and half a line of JSON is nothing)
//      └──▶ lost
import type { Writable } from "node:stream";

/** One line on its way. */
export class Ticket {
  readonly line: string;
  state: "waiting" | "writing" | "given" | "lost" = "waiting";
  /** Resolves when the state is final. */
  readonly settled: Promise<void>;
  settle!: () => void;

  constructor(line: string) {
    this.line = line;
    this.settled = new Promise((resolve) => (this.settle = resolve));
  }
}

export class LineWriter {
  readonly #out: Writable;
  #queue: Ticket[] = [];
  #writing = false;
  #waitingChars = 0;
  /** Why nothing can be written any more. */
  broken: Error | undefined;

  constructor(out: Writable) {
    this.#out = out;
    // EPIPE: the other side closed it or is gone. Each write hears of it too.
    out.on("error", (error) => this.#break(error));
  }

  /** Characters that wait because the other side does not read. */
  get waitingChars(): number {
    return this.#waitingChars;
  }

  /** The value as one line. Never throws: the ticket says what became of it. */
  write(value: unknown): Ticket {
    const ticket = new Ticket(`${JSON.stringify(value)}\n`);
    if (this.broken !== undefined || this.#out.writableEnded) {
      end(ticket, "lost");
    } else {
      this.#queue.push(ticket);
      this.#waitingChars += ticket.line.length;
      this.#next();
    }
    return ticket;
  }

  /** Takes a line back; false when that is too late. */
  cancel(ticket: Ticket): boolean {
    if (ticket.state !== "waiting") return ticket.state === "lost";
    this.#queue = this.#queue.filter((other) => other !== ticket);
    this.#waitingChars -= ticket.line.length;
    end(ticket, "lost");
    return true;
  }

  #next(): void {
    const ticket = this.#writing || this.broken !== undefined ? undefined : this.#queue.shift();
    if (ticket === undefined) return;
    this.#writing = true;
    ticket.state = "writing";
    this.#out.write(ticket.line, (error) => {
      this.#writing = false;
      this.#waitingChars -= ticket.line.length;
      end(ticket, error ? "lost" : "given");
      if (error) this.#break(error);
      else this.#next();
    });
  }

  #break(error: Error): void {
    this.broken ??= error;
    for (const ticket of this.#queue.splice(0)) end(ticket, "lost");
    this.#waitingChars = 0;
  }
}

function end(ticket: Ticket, state: "given" | "lost"): void {
  ticket.state = state;
  ticket.settle();
}
