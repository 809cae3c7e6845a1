// spoolway/sdk/refusals: what an HTTP API answers when it does not do what it was asked, or that it answered nothing, as the fate that this asks for.
//
//   401 stop   403 reject, forbidden   409 reconnect, conflict   413 or "too long" reject, too_large   429 rate_limited   5xx uncertain   else reject
import { rateLimited, reconnect, reject, SpoolwayError, stop, uncertain } from "../sdk.ts";

export interface Refusal {
  status: number;
  /** The platform's own. */
  words: string;
  retryAfterS?: number | undefined;
}

export interface Advice {
  /** What to do where the credentials are refused, and where somebody else uses them. */
  unauthorized: string;
  conflict: string;
  /** About a message: the first whose pattern is in the platform's words. */
  hints: ReadonlyArray<readonly [RegExp, string]>;
}

/** For a platform that says "wait" and not for how long. */
const defaultWaitS = 30;

export function refused(
  { status, words, retryAfterS = defaultWaitS }: Refusal,
  advice: Advice,
): SpoolwayError {
  if (status === 429) return rateLimited(words, retryAfterS * 1000);
  if (status === 401) return stop(words, advice.unauthorized);
  if (status === 409)
    return new SpoolwayError("conflict", words, { fate: "reconnect", hint: advice.conflict });
  if (status >= 500) return uncertain(words);
  if (status === 413 || /\btoo (?:long|big|large)\b/i.test(words)) return reject(words, "too_large");
  const hint = advice.hints.find(([pattern]) => pattern.test(words))?.[1];
  return reject(words, status === 403 ? "forbidden" : "rejected", hint === undefined ? {} : { hint });
}

/** What ctx.fetch threw, or the reading of an answer: nothing was sent when nobody was reached; anything later may have been done. */
export function unanswered(error: unknown): SpoolwayError {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "unreachable") return reconnect(message, { cause: error });
  return error instanceof SpoolwayError ? error : uncertain(message, { cause: error });
}

/** For a catch: passes by when the error's words say that all is as it should be, as after a try whose answer was lost. */
export function unless(done: RegExp): (error: Error) => void {
  return (error) => {
    if (!done.test(error.message)) throw error;
  };
}

/** A number that is an id of the platform's. Refuses anything else: as JSON it would be null, which many take for left out. */
export function numericId(text: string, what: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const hint = "Take it from an event or a receipt of this conversation.";
  throw reject(`${what} ${JSON.stringify(text)} is not an id of this platform`, "invalid_target", { hint });
}
