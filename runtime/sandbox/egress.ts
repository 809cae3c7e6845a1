// The only way from a sandboxed connector to the network: an HTTP proxy in the connector's trusted process, on a unix socket that the sandbox shows to the guest.
//
//   CONNECT host:port          any protocol over TCP        ─┐
//   GET http://host/path       plain HTTP (egress-forward)  ─┴─▶ granted? ─▶ resolve ─▶ every address checked ─▶ connect ─▶ log
//
// Redirects need no care of their own: each hop is a new request here. Every connection is logged when it opens (egress.opened) and when it is over (egress.closed),
// every refusal with its reason (egress.refused).
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createServer, STATUS_CODES } from "../sdk/http/node-http.ts";
import { RateCap } from "../sdk/rate-cap.ts";
import { listenPrivately } from "../sdk/socket/unix-socket.ts";
import type { Logger } from "../sdk.ts";
import { Allowlist } from "./allowlist.ts";
import { readForward, sendForward } from "./egress-forward.ts";
import {
  permitted,
  type Reached,
  reach,
  readTarget,
  Refusal,
  type Resolve,
  systemResolve,
} from "./egress-reach.ts";
import type { Grants } from "./grants.ts";
import { hostText, type Target } from "./targets.ts";
import { breakOff, tunnel } from "./tunnel.ts";

export interface EgressLimits {
  /** Connections to the outside at once; with those that are just being asked for, twice as many. */
  maxConnections: number;
  maxHeaderBytes: number;
  /** For the head of a request. */
  headersMs: number;
  /** A connection on which nothing was said for so long is ended. Longer than IMAP's IDLE (29 min) and any other pause that protocols know. */
  idleMs: number;
}

const usualLimits: EgressLimits = {
  maxConnections: 256,
  maxHeaderBytes: 16 * 1024,
  headersMs: 10_000,
  idleMs: 3_600_000,
};
const keepAliveMs = 60_000;
const maxLinesPerSecond = 50;
const maxShownChars = 200;

export interface EgressOptions {
  /** Of the unix socket; about 100 bytes at most. */
  path: string;
  grants: Pick<Grants, "network">;
  log: Logger;
  resolve?: Resolve;
  limits?: Partial<EgressLimits>;
}

export interface Egress {
  close(): Promise<void>;
}

/** Listens when it resolves. Throws TargetError for grants that cannot be read. */
export async function startEgress(options: EgressOptions): Promise<Egress> {
  const proxy = new EgressProxy(options);
  await listenPrivately(proxy.server, options.path);
  return proxy;
}

class EgressProxy implements Egress {
  readonly server: Server;
  readonly #allowlist: Allowlist;
  readonly #resolve: Resolve;
  readonly #limits: EgressLimits;
  readonly #log: Logger;
  readonly #lines: RateCap;
  readonly #sockets = new Set<Duplex>();
  #connections = 0;

  constructor({ grants, log, resolve, limits }: EgressOptions) {
    this.#allowlist = new Allowlist(grants.network);
    this.#resolve = resolve ?? systemResolve;
    this.#limits = { ...usualLimits, ...limits };
    this.#log = log;
    this.#lines = new RateCap(maxLinesPerSecond, (lines) => log.warn("egress.suppressed", { lines }));
    const { maxConnections, maxHeaderBytes: maxHeaderSize, headersMs } = this.#limits;
    this.server = createServer({
      maxHeaderSize,
      headersTimeout: headersMs,
      requestTimeout: 0, // a long upload is no slow one: idleMs holds it
      connectionsCheckingInterval: Math.min(1000, headersMs),
    });
    this.server.maxConnections = 2 * maxConnections;
    this.server.on("connection", (socket) => this.#keep(socket));
    this.server.on("connect", (request, socket, head) => void this.#connect(request, socket, head));
    this.server.on("request", (request, response) => void this.#forward(request, response));
    this.server.on("clientError", (error: NodeJS.ErrnoException, socket) => this.#broken(error, socket));
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #connect(
    { url = "", httpVersionMajor }: IncomingMessage,
    client: Duplex,
    head: Buffer,
  ): Promise<void> {
    client.on("error", () => client.destroy());
    try {
      // The parser takes a line without a version for HTTP/0.9.
      if (httpVersionMajor !== 1)
        throw new Refusal("bad_request", 400, "This is not HTTP/1", "Write CONNECT host:port HTTP/1.1");
      await this.#reach(readTarget(url), client, async ({ socket }) => {
        if (head.length > 0) socket.write(head);
        client.write("HTTP/1.1 200 Connection established\r\n\r\n");
        return tunnel(client, socket);
      });
    } catch (error) {
      const refusal = this.#refused(error, url);
      answer(client, refusal.status, refusal);
    }
  }

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const forward = readForward(request);
      await this.#reach(forward.target, request.socket, ({ socket }) =>
        sendForward(forward, socket, request, response),
      );
    } catch (error) {
      const { status, code, message, hint } = this.#refused(error, request.url ?? "");
      if (response.headersSent) return breakOff(request.socket);
      const headers = {
        "content-type": "text/plain; charset=utf-8",
        "x-spoolway-code": code,
        connection: "close",
      };
      response.writeHead(status, headers).end(`${message}. ${hint}\n`);
    }
  }

  /** Makes the connection, lets `use` have it until it is over, and writes both down. Throws Refusal before `use` is called. */
  async #reach(
    target: Target,
    client: Duplex,
    use: (reached: Reached) => Promise<Error | undefined>,
  ): Promise<void> {
    const { maxConnections, idleMs } = this.#limits;
    if (this.#connections >= maxConnections)
      throw new Refusal(
        "busy",
        503,
        `${maxConnections} connections are open`,
        "Close some; the connector may leak them.",
      );
    this.#connections += 1;
    const gone = new AbortController();
    const abort = (): void => gone.abort();
    client.once("close", abort);
    try {
      const addresses = await permitted(target, this.#allowlist, this.#resolve);
      const reached = await reach(addresses, target, gone.signal);
      client.off("close", abort);
      const { socket, address } = reached;
      this.#keep(socket);
      socket.setKeepAlive(true, keepAliveMs).setNoDelay(true);
      socket.setTimeout(idleMs, () => socket.destroy(new Error(`nothing was said for ${idleMs / 1000} s`)));
      const place = { host: hostText(target.host), port: target.port, address };
      const since = performance.now();
      this.#write("info", "egress.opened", place);
      const failure = client.destroyed ? new Error("nobody waits for it any more") : await use(reached);
      socket.destroy();
      this.#write("info", "egress.closed", {
        ...place,
        sent_bytes: socket.bytesWritten,
        received_bytes: socket.bytesRead,
        duration_ms: Math.round(performance.now() - since),
        ...(failure === undefined ? {} : { error: failure.message }),
      });
    } finally {
      client.off("close", abort);
      this.#connections -= 1;
    }
  }

  #refused(error: unknown, asked: string): Refusal {
    if (!(error instanceof Refusal)) throw error;
    const { code, address, message } = error;
    const shown = withoutSecrets(asked).slice(0, maxShownChars);
    this.#write("warn", "egress.refused", {
      target: shown,
      code,
      message,
      ...(address === undefined ? {} : { address }),
    });
    return error;
  }

  #broken(error: NodeJS.ErrnoException, client: Duplex): void {
    if (error.code === "ECONNRESET" || !client.writable) return void client.destroy();
    const status = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 }[error.code ?? ""] ?? 400;
    const refusal = new Refusal(
      "bad_request",
      status,
      "This is no proper HTTP request",
      "It is a proxy: CONNECT host:port",
    );
    answer(client, status, this.#refused(refusal, ""));
  }

  #keep(socket: Duplex): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
  }

  #write(level: "info" | "warn", event: string, fields: Record<string, unknown>): void {
    if (this.#lines.allows()) this.#log[level](event, fields);
  }
}

/** Of a URL only scheme and host: paths, queries and passwords are nothing for a log. */
function withoutSecrets(asked: string): string {
  return asked.replace(/^([a-z][a-z0-9+.-]*:\/\/)?(?:[^/?#]*@)?([^/?#]*).*$/is, "$1$2");
}

/** By hand: after CONNECT, and after what was no request, there is no response object. */
function answer(client: Duplex, status: number, { code, message, hint }: Refusal): void {
  const body = `${message}. ${hint}\n`;
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "content-type: text/plain; charset=utf-8",
    `content-length: ${Buffer.byteLength(body)}`,
    `x-spoolway-code: ${code}`,
    "connection: close",
  ].join("\r\n");
  client.resume();
  client.write(`${head}\r\n\r\n${body}`);
  (client as Socket).destroySoon();
}
