// fetch as a connector gets it: ends with its session, gives up when nothing has come for 30 s (a large file may take as long as it moves), and says what was wrong.
import { SpoolwayError } from "./errors.ts";

const silenceMs = 30_000;
/** Nothing was sent when the other side could not even be reached. */
const unreachable = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "ENETUNREACH", "EHOSTUNREACH"]);

export async function fetchIn(
  session: AbortSignal,
  input: string | URL,
  init: RequestInit = {},
): Promise<Response> {
  const silence = new AbortController();
  const late = (): void => silence.abort(new DOMException("nothing came for 30 s", "TimeoutError"));
  const timer = setTimeout(late, silenceMs);
  const signals = [session, silence.signal, ...(init.signal ? [init.signal] : [])];
  try {
    const response = await fetch(input, { ...init, signal: AbortSignal.any(signals) });
    if (response.body !== null) return watched(response, response.body, timer);
    clearTimeout(timer);
    return response;
  } catch (error) {
    clearTimeout(timer);
    // "fetch failed" says nothing: the cause does.
    const { cause } = error as { cause?: NodeJS.ErrnoException };
    if (cause === undefined) throw error;
    const message = `${new URL(input).host}: ${cause.message}`;
    if (unreachable.has(cause.code ?? "")) throw new SpoolwayError("disconnected", message, { cause });
    throw new Error(message, { cause });
  }
}

/** The response, every piece of whose body starts the timer anew while somebody waits for it. */
function watched(response: Response, body: ReadableStream<Uint8Array>, timer: NodeJS.Timeout): Response {
  const reader = body.getReader();
  const pieces = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        timer.refresh();
        try {
          const { done, value } = await reader.read();
          if (done) controller.close();
          else controller.enqueue(value);
        } finally {
          clearTimeout(timer);
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
  const { status, statusText, headers, url, redirected } = response;
  clearTimeout(timer);
  const copy = new Response(pieces, { status, statusText, headers });
  return Object.defineProperties(copy, { url: { value: url }, redirected: { value: redirected } });
}
