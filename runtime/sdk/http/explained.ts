// spoolway/sdk/http/explained: what a platform's own error codes mean, as a table (a JSON file beside the connector): the fate, a code for people, and what to do.
//
//   { "50001": { "hint": "Let the bot see the channel." }, "4004": { "fate": "stop", "code": "unauthorized", "hint": "Make a new token." } }
import { type Logger, SpoolwayError, toSpoolwayError } from "../../sdk.ts";
import type { Fate } from "../../errors.ts";

export interface Explanation {
  /** Default reject. */
  fate?: string;
  /** Default rejected; unauthorized where the fate is stop. */
  code?: string;
  hint?: string;
}

/** The error for a code, with the platform's words; what the table does not have is explained as `otherwise`. */
export function explained(
  table: Readonly<Record<string, Explanation>>,
  code: string | number,
  words: string,
  otherwise: Explanation = {},
): SpoolwayError {
  const { fate = "reject", code: ours, hint } = table[code] ?? otherwise;
  const name = ours ?? { stop: "unauthorized", reconnect: "disconnected" }[fate] ?? "rejected";
  return new SpoolwayError(name, words, { fate: fate as Fate, ...(hint === undefined ? {} : { hint }) });
}

/** For what may be hidden from us, or gone: then `instead`. Throws every other failure. */
export function unlessRefused<T>(answer: Promise<T>, instead: T, log: Logger, what: string): Promise<T> {
  return answer.catch((thrown: unknown) => {
    const { fate, message: error } = toSpoolwayError(thrown);
    if (fate !== "reject") throw thrown;
    log.warn("platform.refused", { what, error });
    return instead;
  });
}
