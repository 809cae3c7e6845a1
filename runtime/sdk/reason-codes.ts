// spoolway/sdk/reason-codes: a protocol's numbers for what went wrong, by a table of the connector's, as errors with the fate that each calls for, and in the words of
// whoever sent it where there are any.
import type { SpoolwayError } from "../errors.ts";
import { reconnect, reject, retry, stop } from "../sdk.ts";

export interface Reason {
  /** What the protocol's specification calls it. */
  words: string;
  /** What to do about it, where only a person can help when a login ends with it: such a login is not tried again. */
  stop?: string;
  /** What to do about it elsewhere. */
  hint?: string;
  /** Of the dead letter; default: rejected. */
  code?: string;
  /** The same message may be taken another time. */
  later?: boolean;
}

const tryAgain = "Nothing: it is tried again by itself.";
const change = "The server's log may say more. Change the message, then: spoolway failed retry";

export class ReasonCodes {
  readonly #table: Readonly<Record<string, Reason>>;

  constructor(table: Readonly<Record<string, Reason>>) {
    this.#table = table;
  }

  words(code: number, said?: string): string {
    const name = this.#table[code]?.words ?? `reason ${code}`;
    return said === undefined ? name : `${name}: ${said}`;
  }

  /** The server refused the connection. */
  refusedLogin(who: string, code: number, said?: string): SpoolwayError {
    const message = `${who} refused the connection: ${this.words(code, said)}`;
    const { stop: what, hint = tryAgain } = this.#table[code] ?? {};
    return what === undefined ? reconnect(message, { hint }) : stop(message, what);
  }

  /** The server ended the session. */
  ended(who: string, code: number, said?: string): SpoolwayError {
    const hint = this.#table[code]?.hint ?? tryAgain;
    return reconnect(`${who} ended the session: ${this.words(code, said)}`, { hint });
  }

  /** The server did not take something, a message or a subscription; undefined where it did (codes below 128). */
  refused(to: string, code: number, said?: string): SpoolwayError | undefined {
    if (code < 128) return undefined;
    const { later = false, hint = change, code: name = "rejected" } = this.#table[code] ?? {};
    const message = `${to}: ${this.words(code, said)}`;
    return later ? retry(message, { hint }) : reject(message, name, { hint });
  }

  /** The server took nothing of what a session begins with. Another time it may, where it says so of anything. */
  refusedAll(what: string, refused: readonly SpoolwayError[], hint: string): SpoolwayError {
    const one = refused.find(({ fate }) => fate === "retry") ?? refused[0];
    const message = `${what}: ${one?.message}`;
    return one?.fate === "retry" ? reconnect(message, { hint: one.hint }) : stop(message, hint);
  }
}
