// spoolway/sdk/nick: our name where it is first come, first served: the one that is wanted, and the one that we have until that is free.
import { type Context, reconnect } from "../sdk.ts";

const maxOthers = 4;
/** Platforms cut long names off, so that a tail would make no other name of it. */
const keptChars = 6;

export class Nick {
  readonly #wanted: string;
  readonly #fold: (name: string) => string;
  readonly #ctx: Pick<Context, "log" | "type">;
  #current: string;
  #others = 0;

  /** `fold` makes names equal that are the same to the platform. */
  constructor(wanted: string, fold: (name: string) => string, ctx: Pick<Context, "log" | "type">) {
    this.#wanted = wanted;
    this.#fold = fold;
    this.#ctx = ctx;
    this.#current = wanted;
  }

  /** As the platform said last; the wanted one before that. */
  get current(): string {
    return this.#current;
  }

  get isWanted(): boolean {
    return this.is(this.#wanted);
  }

  /** Whether this name means us. */
  is(name: string): boolean {
    return this.#fold(name) === this.#fold(this.#current);
  }

  /** Another name to try where the last one was taken: `ada_`, then ada and a number. Throws reconnect after a few. */
  another(): string {
    this.#others += 1;
    if (this.#others > maxOthers)
      throw reconnect(`${this.#wanted} is taken, and so are the names like it that were tried`);
    if (this.#others === 1) return `${this.#wanted}_`;
    return `${this.#wanted.slice(0, keptChars)}${Math.floor(100 + Math.random() * 900)}`;
  }

  /** The platform says that this is our name now. Logged when the wanted one is taken, and when it is ours again. */
  now(name: string): void {
    const wasWanted = this.isWanted;
    this.#current = name;
    const { log, type } = this.#ctx;
    if (!this.isWanted) log.warn(`${type}.nick_taken`, { wanted: this.#wanted, nick: name });
    else if (!wasWanted) log.info(`${type}.nick_recovered`, { nick: name });
  }
}
