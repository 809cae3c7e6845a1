// One run of the program, from its start to the end of its last process.
//
//   starting ──first line, {"ready"} or 500 ms──▶ running ──▶ over: it exits, closes its stdout, or the session is to end
//                                                              └ what waits for an answer gets its fate
import { join, resolve } from "node:path";
import type { Context, Outgoing, SendResult } from "spoolway/sdk";
import { SpoolwayError, stop, within } from "spoolway/sdk";
import { Answers } from "spoolway/sdk/program/answers";
import { Deliveries } from "spoolway/sdk/deliveries";
import { parseJsonLine } from "spoolway/sdk/program/json-line";
import type { End, LineProgram } from "spoolway/sdk/program/line-program";
import type { Line } from "spoolway/sdk/lines";
import type { Config } from "./manifest.d.ts";
import { understand } from "./protocol.ts";

const startMs = 500;
const maxUnreadAcks = 1 << 20;

export class Session {
  /** Rejects with the reason when the program is over; resolves when the session was asked to end. */
  readonly over: Promise<void>;
  readonly #program: LineProgram;
  readonly #ctx: Context<Config>;
  readonly #answers: Answers;
  readonly #deliveries: Deliveries;
  readonly #started = Promise.withResolvers<void>();
  #failure: SpoolwayError | undefined;

  constructor(program: LineProgram, ctx: Context<Config>) {
    this.#program = program;
    this.#ctx = ctx;
    this.#answers = new Answers(program.stdin, "the program", "its stdin");
    this.#deliveries = new Deliveries(ctx);
    this.over = this.#run();
    this.over.catch(() => undefined); // thrown by whoever waits for it: started() or receive
  }

  /** Resolves when the program counts as connected; rejects when it is over before that. */
  async started(): Promise<void> {
    const { promise } = this.#started;
    const { program } = this.#program;
    await Promise.race([
      this.over,
      this.#ctx.config.ready ? promise : within(startMs, promise, program.exited),
    ]);
    if (!program.running) await this.over;
    this.#ctx.signal.throwIfAborted();
  }

  /** The id stands first, so that a shell script finds it without a JSON parser; paths are absolute, because a program knows nothing of the spool. */
  send(message: Outgoing, signal: AbortSignal): Promise<SendResult> {
    const { id, attachments, ...rest } = message;
    const spool = join(this.#ctx.home, "spool");
    const files = attachments?.map((item) => ({ ...item, path: join(spool, item.path) }));
    return this.#answers.ask(id, { send: { id, ...rest, attachments: files } }, signal);
  }

  /** Ends the program, if it still runs; resolves when nothing of it is left. */
  async close(): Promise<void> {
    await this.#program.stop();
    await this.over.catch(() => undefined); // receive has thrown it
  }

  async #run(): Promise<void> {
    const { log, signal, config } = this.#ctx;
    const end = await this.#program.run(config.max_line_bytes, (line) => this.#take(line));
    this.#answers.end(end.why);
    await this.#deliveries.idle();
    const counts = { events: this.#deliveries.delivered, invalid_lines: this.#program.invalidLines };
    log.info("program.ended", {
      pid: this.#program.program.pid,
      code: end.code,
      signal: end.signal,
      ...counts,
    });
    if (!signal.aborted) throw this.#failure ?? reason(end);
  }

  async #take(line: Line): Promise<void> {
    const { max_line_bytes: max, ready, cwd } = this.#ctx.config;
    const value = parseJsonLine(line, `${max} (max_line_bytes)`);
    if (value === undefined) return;
    const said = understand(value, resolve(this.#ctx.home, cwd));
    if (said.type === "ready" || !ready) this.#started.resolve();
    if (said.type === "answer" && !this.#answers.settle(said.id, said.answer)) {
      // Answered twice, or after its time was up, or never sent.
      this.#program.warn("answer.unknown", { id: said.id.slice(0, 120) });
    }
    if (said.type !== "event") return;
    const { draft, ack } = said;
    const asked = ack === undefined ? {} : { fields: { ack }, settled: this.#answer.bind(this, ack) };
    await this.#deliveries.add({ draft, bytes: line.bytes.length, ...asked });
  }

  #answer(ack: string | number, error?: Error): void {
    this.#program.stdin.write(error ? { refused: ack, error: error.message } : { delivered: ack });
    if (this.#program.stdin.waitingChars < maxUnreadAcks || this.#failure !== undefined) return;
    const words = "the program asks for acks and does not read them from its stdin";
    this.#failure = new SpoolwayError("program_deaf", words, { fate: "reconnect" });
    void this.#program.stop();
  }
}

function reason({ code, why }: End): SpoolwayError {
  const asked =
    "By exiting with 100 the program says that only a person can help. Correct what it complains about.";
  if (code === 100) return stop(why, asked, "program_stopped");
  const hint = "Run the command by hand in its cwd; what it writes to stderr is in the log (program.stderr).";
  return new SpoolwayError("program_exited", why, { fate: "reconnect", hint });
}
