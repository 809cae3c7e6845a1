// One run of the program, from its start to the end of its last process.
//
//   starting ──first line, {"ready"} or 500 ms──▶ running ──▶ over: it exits, closes its stdout, or the session is to end
//                                                              │ the group is ended, stdout is read to its end
//                                                              └ what waits for an answer gets its fate
import { join, resolve } from "node:path";
import { type Context, type Outgoing, type SendResult, sleep, SpoolwayError, stop } from "spoolway/sdk";
import { Deliveries } from "./deliveries.ts";
import { type Exit, type Program, type ProgramConfig, within } from "./program.ts";
import type { Said } from "./protocol.ts";
import { Sends } from "./sends.ts";
import { StderrLog } from "./stderr.ts";
import { StdinWriter } from "./stdin.ts";
import { StdoutReader } from "./stdout.ts";

export interface ExecConfig extends ProgramConfig {
  ready: boolean;
  max_line_bytes: number;
}

const startMs = 500;
const exitAfterEofMs = 500;
const silentMs = 1000;
const maxUnreadAnswers = 1 << 20;

export class Session {
  /** Rejects with the reason when the program is over; resolves when the session was asked to end. */
  readonly over: Promise<void>;
  readonly #program: Program;
  readonly #ctx: Context<ExecConfig>;
  readonly #stdin: StdinWriter;
  readonly #stdout: StdoutReader;
  readonly #stderr: StderrLog;
  readonly #sends: Sends;
  readonly #deliveries: Deliveries;
  #failure: SpoolwayError | undefined;
  readonly #started = Promise.withResolvers<void>();

  constructor(program: Program, ctx: Context<ExecConfig>) {
    const { child } = program;
    this.#program = program;
    this.#ctx = ctx;
    this.#stdin = new StdinWriter(child.stdin);
    this.#sends = new Sends(this.#stdin);
    this.#deliveries = new Deliveries(ctx, resolve(ctx.home, ctx.config.cwd), (line) => this.#answer(line));
    this.#stderr = new StderrLog(child.stderr, ctx.log);
    this.#stdout = new StdoutReader(child.stdout, ctx.config.max_line_bytes, ctx.log, (said, bytes) =>
      this.#take(said, bytes),
    );
    this.over = this.#run();
    this.over.catch(() => undefined); // thrown by whoever waits for it: started() or receive
  }

  /** Resolves when the program counts as connected; rejects when it is over before that. */
  async started(): Promise<void> {
    const { promise } = this.#started;
    const { child, exited } = this.#program;
    await Promise.race([this.over, this.#ctx.config.ready ? promise : within(startMs, promise, exited)]);
    if (child.exitCode !== null || child.signalCode !== null) await this.over;
    this.#ctx.signal.throwIfAborted();
  }

  send(message: Outgoing, signal: AbortSignal): Promise<SendResult> {
    // A program has no Context: it gets the path of each attachment, in a spool of which it need not know.
    const attachments = message.attachments?.map((item) => ({
      ...item,
      path: join(this.#ctx.home, "spool", item.path),
    }));
    return this.#sends.send(attachments === undefined ? message : { ...message, attachments }, signal);
  }

  /** Ends the program, if it still runs; resolves when nothing of it is left. */
  async close(): Promise<void> {
    await this.#program.stop();
    await this.over.catch(() => undefined); // receive has thrown it
  }

  async #run(): Promise<void> {
    const { child, exited, pid } = this.#program;
    const { signal, log } = this.#ctx;
    const aborted = Promise.withResolvers<void>();
    if (signal.aborted) aborted.resolve();
    signal.addEventListener("abort", () => aborted.resolve(), { once: true });

    await Promise.race([this.#stdout.done, exited, aborted.promise]);
    // The end of stdout usually comes just before the exit that explains it.
    if (!signal.aborted) await within(exitAfterEofMs, exited, aborted.promise);
    const exit: Exit = { code: child.exitCode, signal: child.signalCode };
    if (!(await this.#program.stop())) log.warn("program.survived", { pid });
    await this.#readToTheEnd();
    await within(exitAfterEofMs, this.#stderr.done);
    child.stderr.destroy();
    const why = this.#describe(exit);
    this.#sends.end(why);
    await this.#deliveries.idle();
    const counts = { events: this.#deliveries.delivered, invalid_lines: this.#stdout.invalidLines };
    log.info("program.ended", { pid, code: exit.code, signal: exit.signal, ...counts });
    if (!signal.aborted) throw this.#failure ?? reason(exit, why);
  }

  /**
   * The program's processes are gone; what they wrote is still read. Somebody who left the group can hold stdout open for ever: not for us.
   */
  async #readToTheEnd(): Promise<void> {
    const done = this.#stdout.done.then(() => true);
    while (!(await Promise.race([done, sleep(50).then(() => false)]))) {
      if (this.#deliveries.busy || performance.now() - this.#stdout.activeAt < silentMs) continue;
      this.#ctx.log.warn("program.stdout_held", { pid: this.#program.pid });
      this.#stdout.destroy();
      await done;
    }
  }

  async #take(said: Said, bytes: number): Promise<void> {
    if (said.type === "ready" || !this.#ctx.config.ready) this.#started.resolve();
    if (said.type === "event") await this.#deliveries.add(said, bytes);
    else if (said.type === "sent") this.#known(said.id, this.#sends.sent(said.id, said.platformId));
    else if (said.type === "failed") this.#known(said.id, this.#sends.failed(said.id, said.error));
  }

  #known(id: string, known: boolean): void {
    // Answered twice, or after its time was up, or never sent.
    if (!known) this.#stdout.warn("answer.unknown", { id: id.slice(0, 120) });
  }

  #answer(line: object): void {
    this.#stdin.write(line);
    if (this.#stdin.waitingChars < maxUnreadAnswers || this.#failure !== undefined) return;
    const words = "the program asks for acks and does not read them from its stdin";
    this.#failure = new SpoolwayError("program_deaf", words, { fate: "reconnect" });
    void this.#program.stop();
  }

  #describe({ code, signal }: Exit): string {
    const exited = code === null ? `was ended by ${signal}` : `exited with code ${code}`;
    const what = code === null && signal === null ? "closed its stdout but did not exit" : exited;
    const words = this.#stderr.lastWords === "" ? "" : `; its last words: ${this.#stderr.lastWords}`;
    return `the program ${what}${words}`;
  }
}

function reason({ code }: Exit, why: string): SpoolwayError {
  if (code === 100) {
    const hint =
      "By exiting with 100 the program says that only a person can help. Correct what it complains about.";
    return stop(why, hint, "program_stopped");
  }
  const hint = "Run the command by hand in its cwd; what it writes to stderr is in the log (program.stderr).";
  return new SpoolwayError("program_exited", why, { fate: "reconnect", hint });
}
