// spoolway/sdk/http/refusals: what an HTTP API answers when it does not do what it was asked, or that it answered nothing, as the fate that this asks for.
//
//   401 stop   403 reject, forbidden   409 reconnect, conflict   413 or "too long" reject, too_large   429 rate_limited   5xx uncertain   else reject
//   no answer of the API's: reconnect where nothing was done, else uncertain
import { rateLimited, reconnect, reject, SpoolwayError, stop, uncertain } from "../../sdk.ts";

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
  /** Where the API does not answer, or somebody else does. */
  unanswered: string;
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
  if (status === 413 || /(?:\b|_)too[ _](?:long|big|large)\b/i.test(words)) return reject(words, "too_large");
  const hint = advice.hints.find(([pattern]) => pattern.test(words))?.[1];
  return reject(words, status === 403 ? "forbidden" : "rejected", hint === undefined ? {} : { hint });
}

/** What ctx.fetch threw, or the reading of an answer: nothing was sent when nobody was reached; anything later may have been done. */
export function unanswered(
  error: unknown,
  { unanswered: hint }: Partial<Pick<Advice, "unanswered">> = {},
): SpoolwayError {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "unreachable") return reconnect(message, { cause: error });
  if (error instanceof SpoolwayError) return error;
  return new SpoolwayError("timed_out", message, { cause: error, ...(hint === undefined ? {} : { hint }) });
}

/** The answer's JSON as it stands there. Throws where it is none of the API's: a page of something that stands before it, another server, or one that sends us elsewhere. */
export async function answerOf(
  response: Response,
  isAnswer: (json: unknown) => boolean,
  { unanswered: hint }: Pick<Advice, "unanswered">,
): Promise<string> {
  const { status } = response;
  const text = await response.text();
  if (isAnswer(jsonOf(text))) return text;
  const words = `answered ${status} with something else than the API does`;
  if (status === 413) throw reject(words, "too_large");
  // Followed, a redirect would make a question without its parameters of what was sent.
  if (status >= 300 && status < 400) throw reconnect(`answered ${status}: a redirect`, { hint });
  throw new SpoolwayError("timed_out", words, { hint });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // as what is not there: no answer
  }
}

/** For a catch: passes by when the error's words say that all is as it should be, as after a try whose answer was lost. */
export function unless(done: RegExp): (error: Error) => void {
  return (error) => {
    if (!done.test(error.message)) throw error;
  };
}

/** For a catch: another way to do it, where the error's words say that this one is closed. Nothing was done, or they would not. */
export function instead<T>(closed: RegExp, other: () => Promise<T>): (error: Error) => Promise<T> {
  return (error) => (closed.test(error.message) ? other() : Promise.reject(error));
}

/** A number that is an id of the platform's. Refuses anything else: as JSON it would be null, which many take for left out. */
export function numericId(text: string, what: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const hint = "Take it from an event or a receipt of this conversation.";
  throw reject(`${what} ${JSON.stringify(text)} is not an id of this platform`, "invalid_target", { hint });
}
