// spoolway/sdk/http/named-errors: a platform that refuses with a name (invalid_auth, not_in_channel): what each means for a message, and what to do, as a table in the connector's
// folder (errors.json).
//
//   "invalid_auth": ["stop", "Put a valid token into …"]     stop: only a person can help · reject: never · too_large: never, it is too long ·
//   "internal_error": ["retry"]                              retry: the platform's own trouble, which leaves it open whether it was done · done: it is as was wanted
import { rateLimited, reject, retry, SpoolwayError, stop, uncertain } from "../../sdk.ts";

export type ErrorTable = Readonly<Record<string, readonly string[]>>;

export interface Refusal {
  name: string;
  /** The platform's own, with the name. */
  words: string;
  /** Whether the request was to change something. */
  changes: boolean;
  /** Nothing goes without this request (a login): what it refuses for good, it refuses until a person has changed something. */
  isVital?: boolean;
}

const rateLimitMs = 30_000;

/** The error to throw; undefined: there is none ("done"). A name that the table lacks means what is there for "other". */
export function refusalOf(table: ErrorTable, refusal: Refusal): SpoolwayError | undefined {
  const { name, words, changes, isVital = false } = refusal;
  const [meaning, hint = ""] = (Object.hasOwn(table, name) ? table[name] : table.other) ?? ["reject"];
  if (meaning === "done") return undefined;
  if (meaning === "rate_limited") return rateLimited(words, rateLimitMs);
  if (meaning === "retry") return changes ? uncertain(words) : retry(words);
  if (meaning === "stop" || isVital) return stop(words, hint);
  return reject(words, meaning === "too_large" ? "too_large" : "rejected", { hint });
}
