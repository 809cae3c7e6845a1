// spoolway/sdk/socket/line-server: a unix socket for other programs of this user. Each of several clients says JSON objects, one per line, and gets one back for each, in
// order, one at a time; beside these answers it is told what belongs to its topic.
//
//     {…, "id": "1"}   → {…, "id": "1"}, what `answer` resolves with, or {"error": "what is wrong", "code": "…", "id": "1"}; `id` may be absent
//
//   line ──▶ answer ──▶ line … ──the client ends its side, or a line is too long──▶ it may read what is left for 2 s ──▶ closed
//                          └─it went away, or does not read──▶ closed
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { basename } from "node:path";
import { SpoolwayError, toSpoolwayError } from "../../errors.ts";
import { type Fields, isObject, parseJsonLine } from "../program/json-line.ts";
import { type Line, LineSplitter } from "../lines.ts";
import { isListening, listenPrivately } from "./unix-socket.ts";

export interface LineServerOptions {
  /** The answer to one line, without its id. A throw is answered with its message and code. */
  answer(line: Fields, client: LineClient): Promise<object>;
  /** A client that did not read was cut off. */
  tooSlow(): void;
}

const maxLineBytes = 1 << 20;
/** What may wait for a client that does not read; then it is cut off, so that it cannot eat this process's memory. */
const maxWaitingBytes = 4 << 20;
const maxClients = 64;
const lingerMs = 2000;

/** One connection. */
export class LineClient {
  /** What it is told; see LineServer.tell. */
  topic: string | undefined;
  readonly #socket: Socket;
  readonly #tooSlow: () => void;

  constructor(socket: Socket, tooSlow: () => void) {
    this.#socket = socket;
    this.#tooSlow = tooSlow;
  }

  /** The value as one line; nothing when the client is gone. */
  write(value: object): void {
    if (!this.#socket.writable) return;
    this.#socket.write(`${JSON.stringify(value)}\n`);
    if (this.#socket.writableLength <= maxWaitingBytes) return;
    this.#tooSlow();
    this.#socket.destroy();
  }

  /** What was written is still read by the client; what it still writes is thrown away, but not for ever. */
  end(): void {
    this.topic = undefined;
    this.#socket.end();
    this.#socket.resume();
    setTimeout(() => this.#socket.destroy(), lingerMs).unref();
  }
}

export class LineServer {
  readonly #path: string;
  readonly #options: LineServerOptions;
  readonly #server: Server;
  readonly #clients = new Map<Socket, LineClient>();

  /** Listens at `path`; throws as listenPrivately does. */
  static async open(path: string, options: LineServerOptions): Promise<LineServer> {
    const server = new LineServer(path, options);
    await listenPrivately(server.#server, path);
    return server;
  }

  private constructor(path: string, options: LineServerOptions) {
    this.#path = path;
    this.#options = options;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
    this.#server.maxConnections = maxClients;
  }

  /** Writes the value to every client with this topic. */
  tell(topic: string, value: object): void {
    for (const client of this.#clients.values()) if (client.topic === topic) client.write(value);
  }

  /** Throws when the socket cannot be reached any more. */
  async probe(): Promise<void> {
    if (!(await isListening(this.#path))) throw new Error(`${basename(this.#path)} was removed`);
  }

  /** Ends all connections and removes the socket's file. */
  async close(): Promise<void> {
    for (const socket of this.#clients.keys()) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, "close");
  }

  #accept(socket: Socket): void {
    const client = new LineClient(socket, () => this.#options.tooSlow());
    this.#clients.set(socket, client);
    socket.on("close", () => this.#clients.delete(socket));
    socket.on("error", () => socket.destroy()); // a client that went away; nobody is left to be told
    void this.#serve(socket, client).finally(() => client.end());
  }

  async #serve(socket: Socket, client: LineClient): Promise<void> {
    const splitter = new LineSplitter(maxLineBytes);
    try {
      for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        for (const line of splitter.push(chunk)) {
          if (line.cut > 0) return client.write(tooLong);
          client.write(await this.#answer(line, client));
        }
        if (splitter.isOver) return client.write(tooLong);
      }
    } catch (error) {
      if (!socket.destroyed) throw error; // the iterator throws when the client goes away
    }
  }

  async #answer(line: Line, client: LineClient): Promise<object> {
    let id: object = {};
    try {
      const fields = parseJsonLine(line, `${maxLineBytes}`);
      if (!isObject(fields)) throw new SpoolwayError("invalid_json", "expected one JSON object per line");
      if (typeof fields.id === "string") id = { id: fields.id };
      return { ...(await this.#options.answer(fields, client)), ...id };
    } catch (error) {
      const { message, code } = toSpoolwayError(error);
      return { error: message, code, ...id };
    }
  }
}

const tooLong = { error: `a line is longer than ${maxLineBytes} bytes`, code: "message_too_large" };
