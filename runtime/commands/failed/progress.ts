// How far long work has come: one line that is overwritten in a terminal, a line per thousand without one. On stderr, so that stdout stays the answer.
import type { CommandContext } from "../context.ts";

const everyMs = 200;
const everyCount = 1000;

export class Progress {
  private readonly context: CommandContext;
  private readonly done: string;
  private shownMs = performance.now();
  private thousands = 0;
  private drawn = false;

  /** `done`: what was done to each, e.g. "redriven". */
  constructor(context: CommandContext, done: string) {
    this.context = context;
    this.done = done;
  }

  at(count: number): void {
    const { err, errIsTerminal } = this.context;
    if (errIsTerminal) {
      if (performance.now() - this.shownMs < everyMs) return;
      this.shownMs = performance.now();
      this.drawn = true;
      err.write(`\r${count.toLocaleString("en-US")} ${this.done} …\x1b[K`);
    } else if (Math.floor(count / everyCount) > this.thousands) {
      this.thousands = Math.floor(count / everyCount);
      err.write(`${this.thousands * everyCount} ${this.done}\n`);
    }
  }

  /** Clears the line. */
  end(): void {
    if (this.drawn) this.context.err.write("\r\x1b[K");
  }
}
