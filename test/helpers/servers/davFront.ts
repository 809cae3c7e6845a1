// What may stand before a WebDAV server, or how another one than ours would answer: an HTTP server that passes on what is asked, and whose test may answer itself, or change the answer.
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { atEnd } from "../children.ts";

export interface Asked {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: string | Buffer;
}

export class DavFront {
  readonly asked: Asked[] = [];
  /** Answers in the server's place; undefined: it is asked. */
  instead: (asked: Asked) => Answer | undefined = () => undefined;
  /** What becomes of the server's answer; "silence": it has done what it was asked, and nobody hears of it. */
  after: (asked: Asked, answer: Answer & { body: string }) => Answer | "silence" | Promise<Answer> = (
    _asked,
    answer,
  ) => answer;
  /** Connections stay open, and nothing that is asked is ever answered. */
  isFrozen = false;
  readonly #server: Server;
  readonly #target: number;
  #port = 0;

  constructor(target: number) {
    this.#target = target;
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const { method = "", url: path = "", headers } = request;
        const asked = { method, path, headers, body: Buffer.concat(chunks).toString() };
        this.asked.push(asked);
        const failed = (error: Error): Answer => ({ status: 502, body: error.message });
        void this.#answer(asked)
          .catch(failed)
          .then((answer) => {
            if (answer !== "silence") response.writeHead(answer.status, answer.headers).end(answer.body);
          });
      });
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  /** Again on the same port. */
  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    if (this.#server.listening) await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #answer(asked: Asked): Promise<Answer | "silence"> {
    const own = this.isFrozen ? "silence" : this.instead(asked);
    if (own !== undefined) return own;
    const { method, path, body } = asked;
    const kept = ["authorization", "content-type", "depth", "if-match", "if-none-match"];
    const headers = Object.fromEntries(
      kept.flatMap((name) => (asked.headers[name] ? [[name, String(asked.headers[name])]] : [])),
    );
    const response = await fetch(`http://127.0.0.1:${this.#target}${path}`, {
      ...{ method, headers, redirect: "manual" },
      ...(body === "" ? {} : { body }),
    });
    const named = ["content-type", "etag", "location"].flatMap((name) => {
      const value = response.headers.get(name);
      return value === null ? [] : [[name, value]];
    });
    const text = await response.text();
    return this.after(asked, { status: response.status, headers: Object.fromEntries(named), body: text });
  }
}

/** Before the server on this port; closed when the test ends. */
export async function startFront(target: number): Promise<DavFront> {
  const front = new DavFront(target);
  await front.listen();
  atEnd(() => front.close());
  return front;
}
