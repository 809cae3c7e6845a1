// spoolway/sdk/socket/line-socket: a connection on which both sides talk in lines (IRC, SMTP, and much that is older than JSON), with bounded memory and backpressure.
//
//   connect ─▶ "open" ─▶ "line" … ─▶ "close" (once, with what went wrong and what to do about it, or false)
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import type { SpoolwayError } from "../../errors.ts";
import { within } from "../../timing.ts";
import { LineSplitter } from "../lines.ts";
import { connectServer, type Ports, type ServerConfig, serverProblem } from "./server.ts";

/** How long the other side may take to hang up. */
const lingerMs = 1000;

interface Events {
  open: [];
  line: [line: string];
  close: [error: SpoolwayError | false];
}

export class LineSocket extends EventEmitter<Events> {
  readonly #config: ServerConfig;
  readonly #ports: Ports;
  readonly #splitter: LineSplitter;
  #socket: Socket | undefined;
  #held: Promise<void> | undefined;
  #error: SpoolwayError | false = false;

  /** A line of more than `maxLineBytes` ends the connection. */
  constructor(config: ServerConfig, ports: Ports, maxLineBytes: number) {
    super();
    this.#config = config;
    this.#ports = ports;
    this.#splitter = new LineSplitter(maxLineBytes);
  }

  connect(): void {
    const socket = connectServer(this.#config, this.#ports, () => this.emit("open"));
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#read(socket, chunk));
    socket.on("error", (error) => (this.#error = serverProblem(error, this.#config, this.#ports)));
    socket.once("close", () => {
      this.#socket = undefined;
      this.emit("close", this.#error);
    });
  }

  /** Writes one line: line breaks and NUL within it become spaces, so that no text can smuggle in a second one. */
  writeLine(line: string, callback?: () => void): void {
    this.#socket?.write(`${line.replace(/[\r\n\u0000]/g, " ")}\r\n`, callback);
  }

  /** Reads nothing more until the promise resolves: the other side has to wait. Of several calls the last one counts. */
  hold(until: Promise<void>): void {
    this.#held = until;
    this.#socket?.pause();
    void until.then(() => {
      if (this.#held === until) this.#socket?.resume();
    });
  }

  /** Says that nothing more will be written and leaves the rest to the other side; `force` ends it here and now. */
  close(force: boolean): void {
    this.#held = undefined;
    this.#socket?.resume(); // a paused socket never sees the end
    if (force || this.#socket?.connecting) this.#socket?.destroy();
    else this.#socket?.end();
  }

  /** Says a last line, gives the other side a second to hang up, and ends it. Safe when it is over already. */
  async leave(line: string): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined) return;
    const closed = new Promise((resolve) => socket.once("close", resolve));
    this.writeLine(line);
    this.close(false);
    await within(lingerMs, closed);
    this.close(true);
  }

  #read(socket: Socket, chunk: Buffer): void {
    for (const { bytes, cut } of this.#splitter.push(chunk)) {
      if (cut > 0) return void socket.destroy(new Error("the server sent a line that is too long"));
      this.emit("line", decode(bytes));
    }
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const latin = new TextDecoder("windows-1252");

/** Such protocols name no encoding; what is not UTF-8 comes from an old client, and there Windows-1252 is the best guess. */
function decode(line: Buffer): string {
  try {
    return utf8.decode(line);
  } catch {
    return latin.decode(line); // the only thing that a fatal decoder throws for is invalid UTF-8
  }
}
