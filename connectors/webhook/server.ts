// The HTTP server's life: listening ─▶ signal aborts (new requests get 503) ─▶ stop: no new connections, requests in flight finish ─▶ closed
//
// Limits on everything that a stranger can hold open: connections, the time for headers and for a whole request, idle keep-alive, header size.
import type { RequestListener, Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type Logger, reconnect, SpoolwayError, stop } from "spoolway/sdk";
import { createServer, STATUS_CODES } from "spoolway/sdk/http/node-http";
import type { Settings } from "./config.ts";

const headersTimeoutMs = 10_000;
const requestTimeoutMs = 30_000;
const keepAliveMs = 5_000;
/** Less than the runtime gives close(). */
const stopGraceMs = 4_000;

export interface HttpServer {
  /** The port that it listens on. */
  port: number;
  /** Resolves when the signal aborts; rejects when the server ends before that. */
  ended(signal: AbortSignal): Promise<void>;
  /** Ends it; requests in flight have 4 s to finish. Safe to call twice. */
  stop(): Promise<void>;
}

/** Listens. Throws (reconnect) while the port is in use, (stop) where it is forbidden. */
export async function listen(settings: Settings, handler: RequestListener, log: Logger): Promise<HttpServer> {
  const server = createServer({
    headersTimeout: headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: 1000,
    keepAliveTimeout: keepAliveMs,
    maxHeaderSize: 16 * 1024,
  });
  server.maxConnections = settings.maxConnections;
  server.on("request", handler);
  // The handler decides whether the sender may go on: a refusal then costs no body.
  server.on("checkContinue", handler);
  server.on("clientError", answerBrokenRequest);
  server.on(
    "drop",
    atMostEvery(10_000, () => log.warn("webhook.connections_full", { max: settings.maxConnections })),
  );

  await new Promise<void>((resolve, reject) => {
    const failed = (error: Error): void => reject(listenError(error, settings));
    server.once("error", failed);
    server.listen({ port: settings.port, host: settings.host }, () => {
      server.off("error", failed);
      resolve();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    ended: (signal) => ended(server, signal),
    stop: () => stopServer(server),
  };
}

function ended(server: Server, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const lost = (error?: Error): void =>
      reject(reconnect(`the HTTP server ended: ${error?.message ?? "closed"}`));
    server.on("error", lost).on("close", lost);
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

async function stopServer(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A connection becomes idle when its answer is out; without this it would stay for the keep-alive time.
  const idle = setInterval(() => server.closeIdleConnections(), 20);
  const grace = setTimeout(() => server.closeAllConnections(), stopGraceMs);
  await closed;
  clearInterval(idle);
  clearTimeout(grace);
}

function listenError(error: NodeJS.ErrnoException, { host, port }: Settings): SpoolwayError {
  const { code } = error;
  if (code === "EADDRINUSE") {
    return new SpoolwayError("port_in_use", `port ${port} on ${host} is in use by another program`, {
      fate: "reconnect",
      hint: `End that program (see who it is: ss -ltnp 'sport = :${port}'), or set another port. It is tried again by itself.`,
      cause: error,
    });
  }
  if (code === "EACCES" || code === "EPERM") {
    return stop(
      `no permission to listen on port ${port} of ${host}`,
      "Use a port above 1023 with a proxy in front, or allow this user the port.",
      "port_forbidden",
    );
  }
  return reconnect(`cannot listen on port ${port} of ${host}: ${error.message}`, {
    hint: "host must be an address of this machine. It is tried again by itself.",
    cause: error,
  });
}

/** What is not even HTTP, too large in its headers or too slow. There is no response object: the answer is written by hand. */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const status =
    error.code === "HPE_HEADER_OVERFLOW" ? 431 : error.code === "ERR_HTTP_REQUEST_TIMEOUT" ? 408 : 400;
  const message = {
    400: "this is not a valid HTTP request",
    408: "the request took too long",
    431: "the headers are too large",
  }[status];
  const body = `${JSON.stringify({ error: { code: "bad_request", message, hint: "Check the client or the proxy." } })}\n`;
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close`;
  socket.end(`${head}\r\n\r\n${body}`);
}

/** Calls `action` at once and then at most once in `ms`: strangers must not be able to fill the log. */
export function atMostEvery(ms: number, action: () => void): () => void {
  let last = -Infinity;
  return () => {
    if (performance.now() - last < ms) return;
    last = performance.now();
    action();
  };
}
