// Lines to the program's stdin: one write at a time, so that what was not begun can still be taken back.
//
//   waiting ──▶ writing ──flushed──▶ given          (given: the whole line is in the pipe, the program may act on it)
//      │ cancel()    └─the pipe broke──▶ lost       (lost: it never was whole, and half a line of JSON is nothing)
//      └──▶ lost
import type { Writable } from "node:stream";

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

export class StdinWriter {
  readonly #stdin: Writable;
  #queue: Ticket[] = [];
  #writing = false;
  #waitingChars = 0;
  /** Why nothing can be written any more. */
  broken: Error | undefined;

  constructor(stdin: Writable) {
    this.#stdin = stdin;
    // EPIPE: the program closed its stdin or is gone. Each write hears of it too.
    stdin.on("error", (error) => this.#break(error));
  }

  /** Characters that wait because the program does not read. */
  get waitingChars(): number {
    return this.#waitingChars;
  }

  write(value: unknown): Ticket {
    const ticket = new Ticket(`${JSON.stringify(value)}\n`);
    if (this.broken !== undefined || this.#stdin.writableEnded) {
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
    this.#stdin.write(ticket.line, (error) => {
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
