// A server that talks in lines and does as it is told: for the parts of the SDK that speak to one, where a real server would not misbehave as wanted.
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { createInterface } from "node:readline";
import { atEnd } from "../children.ts";
import { waitFor } from "../wait.ts";

/** Gets a line that a client wrote; what it returns is written back, each as a line. */
export type Answer = (line: string) => readonly string[] | undefined;

export class LineServer {
  /** All lines of all clients. */
  readonly lines: string[] = [];
  /** The last client. */
  socket: Socket | undefined;
  readonly #server: Server;

  constructor(answer: Answer, tls?: TlsOptions) {
    const accept = (socket: Socket): void => this.#accept(socket, answer);
    this.#server = tls === undefined ? createServer(accept) : createTlsServer(tls, accept);
    this.#server.on("tlsClientError", () => undefined); // a client that does not trust us
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, "127.0.0.1", () => resolve()));
  }

  /** Writes a line to the last client. */
  say(line: string | Buffer): void {
    this.socket?.write(Buffer.concat([Buffer.from(line), Buffer.from("\r\n")]));
  }

  /** Waits until a client has written this line. */
  async saw(line: string): Promise<void> {
    await waitFor(() => this.lines.includes(line), {
      message: () => `${line}; it saw ${JSON.stringify(this.lines)}`,
    });
  }

  close(): Promise<void> {
    this.socket?.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #accept(socket: Socket, answer: Answer): void {
    this.socket = socket;
    socket.on("error", () => undefined); // clients are cut off here
    const input = createInterface({ input: socket });
    input.on("error", () => undefined); // it repeats the socket's
    input.on("line", (line) => {
      this.lines.push(line);
      for (const said of answer(line) ?? []) this.say(said);
    });
  }
}

/** A listening server, closed when the test ends. */
export async function startLineServer(
  answer: Answer = () => undefined,
  tls?: TlsOptions,
): Promise<LineServer> {
  const server = new LineServer(answer, tls);
  await server.listen();
  atEnd(() => server.close());
  return server;
}
