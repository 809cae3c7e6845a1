// spoolway/sdk/sources: several places that one connector reads (feeds, calendars), on servers of their own: one that fails takes no other down and is logged once for each
// reason; when all fail, that is the connector's failure.
//
//   all unreachable ─▶ reconnect (offline)       all refuse our login ─▶ stop       all fail, each in its way ─▶ retry (failing)
//   one asks to wait (429, Retry-After) ─▶ it is left alone until then
import { type Logger, reconnect, retry, type SpoolwayError, stop } from "../sdk.ts";

/** Resolves with what is wrong with this place; rejects where the fault is not the place's (an event could not be written). */
export type Visit = (name: string) => Promise<SpoolwayError | undefined>;

const away = new Set(["reconnect", "uncertain"]);

export class Sources {
  readonly #names: readonly string[];
  readonly #log: Logger;
  readonly #atOnce: number;
  readonly #wrong = new Map<string, SpoolwayError>();
  /** On performance.now's clock. */
  readonly #waits = new Map<string, number>();

  constructor(names: readonly string[], log: Logger, atOnce = 8) {
    this.#names = names;
    this.#log = log;
    this.#atOnce = atOnce;
  }

  /** Resolves when one answered, whatever it said but "no login". */
  async knock(visit: Visit): Promise<void> {
    const problems: SpoolwayError[] = [];
    for (const name of this.#names) {
      const problem = await visit(name);
      if (problem === undefined || !(problem.fate === "stop" || away.has(problem.fate))) return;
      problems.push(problem);
    }
    throw inAll(problems);
  }

  /** Each, some at once. Rejects when all failed. */
  async each(visit: Visit): Promise<void> {
    const waiting = [...this.#names];
    const worker = async (): Promise<void> => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
        if (performance.now() < (this.#waits.get(name) ?? 0)) continue;
        this.#note(name, await visit(name));
      }
    };
    await Promise.all(Array.from({ length: this.#atOnce }, worker));
    if (this.#wrong.size === this.#names.length) throw inAll([...this.#wrong.values()]);
  }

  #note(name: string, problem: SpoolwayError | undefined): void {
    const before = this.#wrong.get(name)?.message;
    this.#wrong.delete(name);
    this.#waits.delete(name);
    if (problem === undefined) {
      if (before !== undefined) this.#log.info("source.recovered", { source: name });
      return;
    }
    const { code, message, hint, retryAfterMs } = problem;
    this.#wrong.set(name, problem);
    if (retryAfterMs !== undefined) this.#waits.set(name, performance.now() + retryAfterMs);
    if (message !== before) this.#log.warn("source.failed", { source: name, code, error: message, hint });
  }
}

/** What it means that every place failed. */
function inAll(problems: readonly SpoolwayError[]): SpoolwayError {
  const [first] = problems;
  const message = `${first?.message ?? "nothing answers"}${problems.length > 1 ? ` (and ${problems.length - 1} more)` : ""}`;
  const waits = problems.map(({ retryAfterMs }) => retryAfterMs).filter((ms) => ms !== undefined);
  const options = {
    ...(first?.hint === undefined ? {} : { hint: first.hint }),
    ...(waits.length > 0 ? { retryAfterMs: Math.min(...waits) } : {}),
  };
  if (problems.every(({ fate }) => fate === "stop")) return stop(message, first?.hint);
  if (problems.every(({ fate }) => away.has(fate))) return reconnect(message, options);
  return retry(message, options);
}
