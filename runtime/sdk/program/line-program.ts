// spoolway/sdk/program/line-program: a program that is spoken to in lines, from its start to the end of its last process: a bridge, a platform's own command line tool, a
// user's script. Its stdout is read line by line, its stderr becomes log lines, its stdin is a LineWriter.
//
//   running ──▶ over: it exits, closes its stdout, or the session is to end
//                │ the group is ended, stdout is read to its end, everything in it was taken
//                └ run() resolves with the reason
import { type Context, type Logger, toSpoolwayError, within } from "../../sdk.ts";
import { LineLog } from "./line-log.ts";
import { LineWriter } from "../line-writer.ts";
import { forEachLine, type Line } from "../lines.ts";
import { type Exit, type Program, type ProgramConfig, startProgram } from "./child.ts";
import { RateCap } from "../rate-cap.ts";

const exitAfterEofMs = 500;
const silentMs = 1000;
const warningsPerSecond = 20;
const maxWarningChars = 200;

/** How it ended. */
export interface End extends Exit {
  /** In words, with the last line of its stderr: "the program exited with code 3; its last words: …". */
  why: string;
}

export class LineProgram {
  readonly program: Program;
  readonly stdin: LineWriter;
  /** Lines read so far: the number of the one that is being taken. */
  lines = 0;
  /** How many of them were refused. */
  invalidLines = 0;
  readonly #log: Logger;
  readonly #signal: AbortSignal;
  readonly #stderr: LineLog;
  readonly #warnings: RateCap;
  #stdout: Promise<void> = Promise.resolve();
  #taking = false;
  #over: Promise<End> | undefined;

  /** Starts it; run() begins to read. Throws `stop` when the command is not there. */
  static async start(ctx: Context, config: ProgramConfig): Promise<LineProgram> {
    return new LineProgram(await startProgram(config, ctx.home), ctx);
  }

  private constructor(program: Program, { log, signal }: Context) {
    this.program = program;
    this.#log = log;
    this.#signal = signal;
    this.stdin = new LineWriter(program.child.stdin);
    this.#stderr = new LineLog(program.child.stderr, log, "program.stderr");
    this.#warnings = new RateCap(warningsPerSecond, (suppressed) => log.warn("line.invalid", { suppressed }));
  }

  /**
   * Until nothing of the program is left and each of its lines was taken; it is ended when ctx.signal aborts. `take` gets one line after the other, of at most
   * `maxLineBytes`; while it waits, nothing is read. When it throws with fate reject, the line is logged as line.invalid, with code and message, and the next one is
   * read; anything else that it throws ends the program and rejects this.
   */
  run(maxLineBytes: number, take: (line: Line) => Promise<void> | void): Promise<End> {
    this.#stdout = forEachLine(this.program.child.stdout, maxLineBytes, async (line) => {
      this.lines += 1;
      this.#taking = true;
      await this.#take(line, take);
      this.#taking = false;
    });
    this.#over = this.#run();
    return this.#over;
  }

  /** A warning about the line that is being taken, unless there were too many in this second. */
  warn(event: string, fields: Record<string, unknown>): void {
    if (this.#warnings.allows()) this.#log.warn(event, { line: this.lines, ...fields });
  }

  /** Ends it, if it still runs; resolves when run() is over, whose outcome is for those who wait for that. */
  async stop(): Promise<void> {
    await this.program.stop();
    await this.#over?.catch(() => undefined);
  }

  async #take(line: Line, take: (line: Line) => Promise<void> | void): Promise<void> {
    try {
      await take(line);
    } catch (thrown) {
      const { code, fate, message } = toSpoolwayError(thrown);
      if (fate !== "reject") throw thrown;
      this.invalidLines += 1;
      this.warn("line.invalid", { code, error: message.slice(0, maxWarningChars) });
    }
  }

  async #run(): Promise<End> {
    const { child, exited, pid } = this.program;
    const aborted = Promise.withResolvers<void>();
    if (this.#signal.aborted) aborted.resolve();
    this.#signal.addEventListener("abort", () => aborted.resolve(), { once: true });

    await Promise.race([this.#stdout.catch(() => undefined), exited, aborted.promise]);
    // The end of stdout usually comes just before the exit that explains it.
    if (!this.#signal.aborted) await within(exitAfterEofMs, exited, aborted.promise);
    const exit: Exit = { code: child.exitCode, signal: child.signalCode };
    if (!(await this.program.stop())) this.#log.warn("program.survived", { pid });
    try {
      await this.#readToTheEnd();
    } finally {
      this.#warnings.flush();
      await within(exitAfterEofMs, this.#stderr.done);
      child.stderr.destroy();
    }
    return { ...exit, why: this.#describe(exit) };
  }

  /**
   * The program's processes are gone; what they wrote is still read. Somebody who left the group can hold stdout open for ever: not for us, when it stays silent.
   */
  async #readToTheEnd(): Promise<void> {
    let done = false;
    const end = this.#stdout.finally(() => (done = true));
    for (let before = -1; !done && (this.#taking || this.lines !== before);) {
      before = this.lines;
      await within(silentMs, end);
    }
    if (!done) {
      this.#log.warn("program.stdout_held", { pid: this.program.pid });
      this.program.child.stdout.destroy();
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
