// From the machine's ports into a sandbox, which has a network of its own: the connector's process listens on the granted address and passes on who arrives.
//
//   somebody ──TCP──▶ here ◀──waits on a unix socket── bridge.ts in the guest ──TCP──▶ the connector, on the same port of its own loopback
//
// The guest comes to us, not we to it: a path that the guest may write to could be a link to any socket of the machine.
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { errnoOf, SpoolwayError } from "../errors.ts";
import { listenPrivately } from "../sdk/socket/unix-socket.ts";
import { listenSocket } from "./bridge-names.ts";
import type { Grants } from "./grants.ts";
import { hostText, parseTarget } from "./targets.ts";
import { breakOff, tunnel } from "./tunnel.ts";

/** For each port. */
const maxConnections = 512;
const maxWaitingGuest = 32;
/** How long somebody who arrived waits for the guest, which may just be starting. */
const guestMs = 20_000;
const arrived = Buffer.from([1]);

export interface Listening {
  close(): Promise<void>;
}

/** `folder`: where the guest looks for the sockets. Throws port_in_use, or what else the system says. */
export async function startListening(options: {
  folder: string;
  grants: Pick<Grants, "listen">;
}): Promise<Listening> {
  const ports: Port[] = [];
  const close = async (): Promise<void> => void (await Promise.all(ports.map((port) => port.close())));
  try {
    for (const text of options.grants.listen) {
      const { host, port } = parseTarget(text);
      const one = new Port();
      ports.push(one);
      await one.open(hostText(host).replace(/[[\]]/g, ""), port, listenSocket(options.folder, port));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { close };
}

class Port {
  readonly #outside: Server;
  readonly #inside: Server;
  readonly #sockets = new Set<Socket>();
  /** Connections of the guest that wait for somebody. */
  readonly #ready: Socket[] = [];
  /** Those who wait for the guest. */
  readonly #arrivals: Socket[] = [];

  constructor() {
    this.#outside = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
      this.#keep(socket);
      const late = setTimeout(() => breakOff(socket), guestMs);
      socket.once("close", () => clearTimeout(late));
      socket.once("resume", () => clearTimeout(late));
      this.#arrivals.push(socket);
      this.#pair();
    });
    this.#inside = createServer({ allowHalfOpen: true }, (socket) => {
      this.#keep(socket);
      if (this.#ready.length >= maxWaitingGuest) return void socket.destroy();
      // A guest that says something before anybody arrived breaks the rules; what it says would be taken for an answer.
      socket.once("data", () => socket.destroy()).once("end", () => socket.destroy());
      this.#ready.push(socket);
      this.#pair();
    });
    this.#outside.maxConnections = maxConnections;
    this.#inside.maxConnections = maxConnections + maxWaitingGuest;
  }

  async open(address: string, port: number, path: string): Promise<void> {
    await listenPrivately(this.#inside, path);
    try {
      this.#outside.listen(port, address);
      await once(this.#outside, "listening");
    } catch (error) {
      throw listenError(error as Error, address, port);
    }
  }

  async close(): Promise<void> {
    const closed = [this.#outside, this.#inside]
      .filter((server) => server.listening)
      .map((server) => new Promise((resolve) => server.close(resolve)));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }

  #pair(): void {
    for (;;) {
      const outside = this.#next(this.#arrivals, this.#ready);
      const inside = outside && this.#ready.shift();
      if (outside === undefined || inside === undefined) return;
      inside.removeAllListeners("data").removeAllListeners("end");
      inside.write(arrived);
      void tunnel(outside, inside);
    }
  }

  /** Takes the first of `those` that is still there, if there is one of the others for it. */
  #next(those: Socket[], others: Socket[]): Socket | undefined {
    for (const list of [those, others]) {
      const alive = list.filter((socket) => !socket.destroyed);
      list.splice(0, list.length, ...alive);
    }
    return others.length > 0 ? those.shift() : undefined;
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => undefined); // `close` follows, and says all that matters
    socket.once("close", () => this.#sockets.delete(socket));
  }
}

function listenError(cause: Error, address: string, port: number): SpoolwayError {
  const code = errnoOf(cause);
  if (code === "EADDRINUSE")
    return new SpoolwayError("port_in_use", `port ${port} on ${address} is in use`, { cause });
  if (code === "EACCES" || code === "EPERM")
    return new SpoolwayError("port_forbidden", `no permission to listen on port ${port} of ${address}`, {
      cause,
    });
  return new SpoolwayError("disconnected", `cannot listen on port ${port} of ${address}: ${cause.message}`, {
    cause,
  });
}
