// fetch as a connector gets it: ends with its session, gives up when nothing moves for 30 s (a large file may take as long as it moves, up or down), and says what was wrong.
import { SpoolwayError } from "./errors.ts";

const defaultSilenceMs = 30_000;
/** Nothing was sent when the other side could not even be reached. */
const unreachable = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "ENETUNREACH", "EHOSTUNREACH"]);

export async function fetchIn(
  session: AbortSignal,
  input: string | URL,
  init: RequestInit = {},
  silenceMs = defaultSilenceMs,
): Promise<Response> {
  const silence = new AbortController();
  const late = (): void =>
    silence.abort(new DOMException(`nothing came for ${silenceMs} ms`, "TimeoutError"));
  const signals = [session, silence.signal, ...(init.signal ? [init.signal] : [])];
  const timer = setTimeout(late, silenceMs);
  const { body } = init;
  // As a stream, which fetch reads as it is: of an iterable it would copy every piece.
  const upload = isStream(body) ? { body: ReadableStream.from(told(body, () => timer.refresh())) } : {};
  try {
    const response = await fetch(input, { ...init, ...upload, signal: AbortSignal.any(signals) });
    return response.body === null ? response : withBody(response, watched(response.body, late, silenceMs));
  } catch (error) {
    // "fetch failed" says nothing: the cause does.
    const { cause } = error as { cause?: NodeJS.ErrnoException };
    if (cause === undefined) throw error;
    if (cause instanceof SpoolwayError) throw cause; // what was to be sent could not be read
    const message = cause.message || String(cause.code);
    if (unreachable.has(cause.code ?? "")) throw new SpoolwayError("unreachable", message, { cause });
    throw new Error(message, { cause });
  } finally {
    clearTimeout(timer);
  }
}

function isStream(
  body: RequestInit["body"],
): body is AsyncIterable<Uint8Array> & NonNullable<RequestInit["body"]> {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body;
}

/** What is sent, and each time that a piece of it was taken, `moved`. */
async function* told(pieces: AsyncIterable<Uint8Array>, moved: () => void): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    moved();
    yield piece;
  }
  moved();
}

/** Its pieces. Only while somebody waits for one does the time run: who reads slowly is not the other side's silence. */
function watched(
  body: ReadableStream<Uint8Array>,
  late: () => void,
  silenceMs: number,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const timer = setTimeout(late, silenceMs);
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
}

function withBody(response: Response, body: ReadableStream<Uint8Array>): Response {
  const { status, statusText, headers, url, redirected } = response;
  const copy = new Response(body, { status, statusText, headers });
  // A new Response has neither.
  return Object.defineProperties(copy, { url: { value: url }, redirected: { value: redirected } });
}
