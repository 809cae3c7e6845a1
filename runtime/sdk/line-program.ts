// spoolway/sdk/line-program: a program that is spoken to in lines, from its start to the end of its last process: a bridge, a platform's own command line tool, a
// user's script. Its stdout is read line by line, its stderr becomes log lines, its stdin is a LineWriter.
//
//   running ──▶ over: it exits, closes its stdout, or the session is to end
//                │ the group is ended, stdout is read to its end, everything in it was taken
//                └ `over` resolves with the reason
import { type Context, type Logger, within } from "../sdk.ts";
import { LineLog } from "./line-log.ts";
import { LineWriter } from "./line-writer.ts";
import { forEachLine, type Line } from "./lines.ts";
import { type Exit, type Program, type ProgramConfig, startProgram } from "./program.ts";

const exitAfterEofMs = 500;
const silentMs = 1000;

/** How it ended. */
export interface End extends Exit {
  /** In words, with the last line of its stderr: "the program exited with code 3; its last words: …". */
  why: string;
}

export class LineProgram {
  readonly stdin: LineWriter;
  /** Resolves when nothing of the program is left and each of its lines was taken. Rejects only as `take` does. */
  readonly over: Promise<End>;
  /** Lines read so far: the number of the one that is being taken. */
  lines = 0;
  readonly #program: Program;
  readonly #log: Logger;
  readonly #signal: AbortSignal;
  readonly #stderr: LineLog;
  readonly #stdout: Promise<void>;
  #taking = false;

  /**
   * Starts it. `take` gets one line after the other, of at most `maxLineBytes`; while it waits, nothing is read. It is ended when ctx.signal aborts. Throws `stop` when the
   * command is not there.
   */
  static async start(
    ctx: Context,
    config: ProgramConfig,
    maxLineBytes: number,
    take: (line: Line) => Promise<void> | void,
  ): Promise<LineProgram> {
    return new LineProgram(await startProgram(config, ctx.home), ctx, maxLineBytes, take);
  }

  private constructor(
    program: Program,
    { log, signal }: Context,
    maxLineBytes: number,
    take: (line: Line) => Promise<void> | void,
  ) {
    this.#program = program;
    this.#log = log;
    this.#signal = signal;
    this.stdin = new LineWriter(program.child.stdin);
    this.#stderr = new LineLog(program.child.stderr, log, "program.stderr");
    this.#stdout = forEachLine(program.child.stdout, maxLineBytes, async (line) => {
      this.lines += 1;
      this.#taking = true;
      await take(line);
      this.#taking = false;
    });
    this.over = this.#run();
    this.over.catch(() => undefined); // thrown by whoever waits for it
  }

  get pid(): number {
    return this.#program.pid;
  }

  /** Whether it has exited; its last lines may still be on their way. */
  get exited(): Promise<unknown> {
    return this.#program.exited;
  }

  /** Ends it, if it still runs; resolves when `over` has. */
  async stop(): Promise<void> {
    await this.#program.stop();
    await this.over;
  }

  async #run(): Promise<End> {
    const { child, exited, pid } = this.#program;
    const aborted = Promise.withResolvers<void>();
    if (this.#signal.aborted) aborted.resolve();
    this.#signal.addEventListener("abort", () => aborted.resolve(), { once: true });

    await Promise.race([this.#stdout, exited, aborted.promise]);
    // The end of stdout usually comes just before the exit that explains it.
    if (!this.#signal.aborted) await within(exitAfterEofMs, exited, aborted.promise);
    const exit: Exit = { code: child.exitCode, signal: child.signalCode };
    if (!(await this.#program.stop())) this.#log.warn("program.survived", { pid });
    await this.#readToTheEnd();
    await within(exitAfterEofMs, this.#stderr.done);
    child.stderr.destroy();
    return { ...exit, why: this.#describe(exit) };
  }

  /**
   * The program's processes are gone; what they wrote is still read. Somebody who left the group can hold stdout open for ever: not for us, when it stays silent.
   */
  async #readToTheEnd(): Promise<void> {
    let done = false;
    const end = this.#stdout.finally(() => (done = true));
    for (let before = -1; !done && (this.#taking || this.lines !== before); ) {
      before = this.lines;
      await within(silentMs, end);
    }
    if (!done) {
      this.#log.warn("program.stdout_held", { pid: this.pid });
      this.#program.child.stdout.destroy();
    }
    await end;
  }

  #describe({ code, signal }: Exit): string {
    const exited = code === null ? `was ended by ${signal}` : `exited with code ${code}`;
    const what = code === null && signal === null ? "closed its stdout but did not exit" : exited;
    const words = this.#stderr.lastWords === "" ? "" : `; its last words: ${this.#stderr.lastWords}`;
    return `the program ${what}${words}`;
  }
}
