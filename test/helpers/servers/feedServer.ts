// A web server with feeds, as they are on the web: RSS, Atom, JSON Feed and RDF; ETag and Last-Modified with their 304, Basic login, redirects, files; and what is wrong with
// feeds: anything that a test puts there as text.
import { createHash, randomBytes } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type FeedEntry, type FeedFormat, writeFeed } from "./feedFormats.ts";

interface Feed {
  format: FeedFormat;
  entries: FeedEntry[];
  /** Changes with each change. */
  changes: number;
}

type Page = (request: IncomingMessage, response: ServerResponse) => void;

export class FeedServer {
  readonly feeds = new Map<string, Feed>();
  /** What is there instead of a feed, by path. */
  readonly pages = new Map<string, Page>();
  /** Of all requests, refused ones too. */
  readonly requests: Array<{ path: string; status: number; headers: IncomingMessage["headers"] }> = [];
  /** "user:password" that feeds want. */
  login: string | undefined;
  #server: Server | undefined;
  #port = 0;

  get port(): number {
    return this.#port;
  }

  async start(): Promise<void> {
    const server = createServer((request, response) => {
      const path = request.url ?? "";
      response.on("close", () => {
        this.requests.push({ path, status: response.statusCode, headers: request.headers });
      });
      this.#answer(path, request, response);
    });
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  /** An empty feed. */
  add(path: string, format: FeedFormat): void {
    this.feeds.set(path, { format, entries: [], changes: 0 });
  }

  /** Publishes an entry as the newest. */
  publish(path: string, entry: FeedEntry): void {
    const feed = this.#feed(path);
    feed.entries.unshift(entry);
    feed.changes += 1;
  }

  edit(path: string, id: string, changed: Partial<FeedEntry>): void {
    const feed = this.#feed(path);
    feed.entries = feed.entries.map((entry) => (entry.id === id ? { ...entry, ...changed } : entry));
    feed.changes += 1;
  }

  /** Same content, other bytes: what was said is given out again. */
  touch(path: string): void {
    this.#feed(path).changes += 1;
  }

  file(path: string, bytes: Uint8Array): void {
    this.pages.set(path, (_, response) => void response.end(bytes));
  }

  /** A large file of random bytes, read from the disk as it is asked for. Its SHA-256. */
  async bigFile(path: string, folder: string, size: number): Promise<string> {
    const place = join(folder, "big.bin");
    const hash = createHash("sha256");
    const chunks = function* (): Generator<Buffer> {
      for (let left = size; left > 0; left -= 1 << 20) {
        const chunk = randomBytes(Math.min(left, 1 << 20));
        hash.update(chunk);
        yield chunk;
      }
    };
    await pipeline(chunks, createWriteStream(place));
    this.pages.set(path, (_, response) => void createReadStream(place).pipe(response));
    return hash.digest("hex");
  }

  #feed(path: string): Feed {
    const feed = this.feeds.get(path);
    if (feed === undefined) throw new Error(`there is no feed at ${path}`);
    return feed;
  }

  #answer(path: string, request: IncomingMessage, response: ServerResponse): void {
    const page = this.pages.get(path);
    if (page !== undefined) return page(request, response);
    const basic = this.login && `Basic ${Buffer.from(this.login).toString("base64")}`;
    if (basic !== undefined && request.headers.authorization !== basic) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="feeds"' }).end("no entry");
      return;
    }
    const feed = this.feeds.get(path);
    if (feed === undefined) {
      response.writeHead(404).end("<h1>not here</h1>");
      return;
    }
    const etag = `"${feed.changes}"`;
    if (request.headers["if-none-match"] === etag) {
      response.writeHead(304, { etag }).end();
      return;
    }
    const { type, text } = writeFeed(feed.format, feed.entries, feed.changes);
    response.writeHead(200, { "content-type": type, etag }).end(text);
  }
}
