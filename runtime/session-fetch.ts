// fetch as a connector gets it: ends with its session, gives up after 30 s, and says what was wrong.
import { SpoolwayError } from "./errors.ts";

const fetchTimeoutMs = 30_000;
/** Nothing was sent when the other side could not even be reached. */
const unreachable = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "ENETUNREACH", "EHOSTUNREACH"]);

export async function fetchIn(
  session: AbortSignal,
  input: string | URL,
  init: RequestInit = {},
): Promise<Response> {
  const signals = [session, AbortSignal.timeout(fetchTimeoutMs), ...(init.signal ? [init.signal] : [])];
  try {
    return await fetch(input, { ...init, signal: AbortSignal.any(signals) });
  } catch (error) {
    // "fetch failed" says nothing: the cause does.
    const { cause } = error as { cause?: NodeJS.ErrnoException };
    if (cause === undefined) throw error;
    const message = `${new URL(input).host}: ${cause.message}`;
    if (unreachable.has(cause.code ?? "")) throw new SpoolwayError("disconnected", message, { cause });
    throw new Error(message, { cause });
  }
}
