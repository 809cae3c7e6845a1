// Answers: JSON bodies, refusals as {error: {code, message, hint}}, and how a connection ends when the request was not read to its end.
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";

/** How much of a refused request's rest is read and thrown away, so that the sender gets to see the answer. */
const lingerBytes = 4 * 1024 * 1024;
const lingerMs = 1000;

/** A request that is refused: what the sender is told. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string;
  readonly headers: OutgoingHttpHeaders;

  constructor(
    status: number,
    code: string,
    message: string,
    hint: string,
    headers: OutgoingHttpHeaders = {},
  ) {
    super(message);
    this.name = "Refusal";
    this.status = status;
    this.code = code;
    this.hint = hint;
    this.headers = headers;
  }
}

/** Sends a refusal. */
export function refuse(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
  const { status, code, message, hint, headers } = refusal;
  answerJson(request, response, status, { error: { code, message, hint } }, headers);
}

export function answerJson(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: OutgoingHttpHeaders = {},
): void {
  answer(request, response, status, `${JSON.stringify(body)}\n`, {
    "content-type": "application/json; charset=utf-8",
    ...headers,
  });
}

/** Sends a whole answer. Where the request's body was not read to its end the connection is closed after it. */
export function answer(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  body: string,
  headers: OutgoingHttpHeaders = {},
): void {
  if (response.headersSent || response.destroyed) return;
  const unread = hasBody(request) && !request.complete;
  response.writeHead(status, {
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...headers,
    ...(unread ? { connection: "close" } : {}),
  });
  if (!unread) {
    response.end(body);
    return;
  }
  // Closing with unread bytes in the socket makes the kernel send a reset, which can overtake the answer.
  response.write(body);
  discardRest(request, () => response.end());
}

const hasBody = (request: IncomingMessage): boolean =>
  request.headers["transfer-encoding"] !== undefined || Number(request.headers["content-length"] ?? 0) > 0;

/** Reads and forgets, up to a limit of bytes and time, then calls `done` once. */
function discardRest(request: IncomingMessage, done: () => void): void {
  let left = lingerBytes;
  const finish = (): void => {
    clearTimeout(timer);
    request.off("data", count).off("close", finish);
    done();
  };
  const count = (chunk: Buffer): void => {
    left -= chunk.length;
    if (left < 0) finish();
  };
  const timer = setTimeout(finish, lingerMs);
  request.on("data", count).once("close", finish).once("end", finish);
  request.resume();
}
