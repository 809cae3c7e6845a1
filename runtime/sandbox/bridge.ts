// Inside the sandbox: from TCP, which every program speaks, to the unix sockets of the connector's process, which are the only way out. Protects nobody; what it asks
// for is granted or refused on the other side.
//
//   127.0.0.1:3128        ──as it is──▶ the proxy                 for programs that follow HTTPS_PROXY, and node's fetch and http
//   <granted name>:<port> ──CONNECT──▶ the proxy                 for all others: /etc/hosts leads the name here (bridge-names.ts)
//   127.0.0.1:3129        ──CONNECT──▶ the proxy                 for the SDK's connections, which say where they want to go (route.ts)
//   127.0.0.1:<listen>    ◀──waiting connections── listen.ts     what arrives at a granted port of the machine
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { sleep } from "../timing.ts";
import { type BridgePlan, guestSockets, locals, proxyPort, routePort } from "./bridge-names.ts";
import { connectThrough } from "./connect-through.ts";
import { useRouter } from "./route.ts";
import { targetText } from "./targets.ts";
import { breakOff, tunnel } from "./tunnel.ts";

/** Connections that wait for somebody to arrive, for each port. */
const waitingConnections = 8;
const againMs = 1000;
const routeMs = 10_000;
const maxKept = 1000;

export interface BridgeOptions {
  plan: BridgePlan;
  /** What cannot be offered inside, in words; everything else is. */
  problem(message: string): void;
  sockets?: typeof guestSockets;
  /** Where there is no network of its own, in tests. `inside`: where the connector listens. */
  ports?: { proxy: number; route: number; inside?: number };
}

export interface Bridge {
  close(): void;
}

/** Everything listens that can when it resolves. */
export async function startBridge({
  plan,
  problem,
  sockets = guestSockets,
  ports,
}: BridgeOptions): Promise<Bridge> {
  const open = new Set<Socket>();
  const over = new AbortController();
  const servers: Server[] = [];
  const listen = async (
    address: string,
    port: number,
    take: (client: Socket) => Promise<unknown>,
  ): Promise<void> => {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
      open.add(client);
      client.once("close", () => open.delete(client));
      void take(client);
    });
    servers.push(server);
    try {
      server.listen(port, address);
      await once(server, "listening");
    } catch (error) {
      problem(`nothing can listen on ${address}:${port} in the sandbox: ${(error as Error).message}`);
    }
  };
  const routes = new Routes(sockets.egress, ports?.route ?? routePort);
  await Promise.all([
    listen("127.0.0.1", ports?.proxy ?? proxyPort, (client) =>
      tunnel(client, connect({ path: sockets.egress, allowHalfOpen: true })),
    ),
    listen("127.0.0.1", routes.port, (client) => routes.take(client)),
    ...locals(plan).map(({ target, address }) =>
      listen(address, target.port, (client) => through(client, sockets.egress, targetText(target))),
    ),
  ]);
  useRouter(routes);
  for (const port of plan.listen) {
    for (let at = 0; at < waitingConnections; at++) {
      void acceptAgain(sockets.listen(port), ports?.inside ?? port, over.signal, open);
    }
  }
  return {
    close() {
      over.abort();
      useRouter(undefined);
      for (const server of servers) server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

/** Resolves when it is over, with the reason where it never began. */
async function through(client: Socket, egress: string, to: string): Promise<Error | undefined> {
  client.on("error", () => undefined); // its end is seen by `tunnel`, or by nobody who could do anything
  try {
    await tunnel(client, await connectThrough(egress, to));
    return undefined;
  } catch (error) {
    breakOff(client);
    return error as Error;
  }
}

/** Connections that say where they lead by their local port: both ends of them are in this process. */
class Routes {
  readonly address = "127.0.0.1";
  readonly port: number;
  readonly #egress: string;
  readonly #wanted = new Map<number, PromiseWithResolvers<string>>();
  readonly #failures = new Map<number, Error>();

  constructor(egress: string, port: number) {
    this.#egress = egress;
    this.port = port;
  }

  lead(localPort: number, host: string, port: number): void {
    this.#want(localPort).resolve(`${host.includes(":") ? `[${host}]` : host}:${port}`);
  }

  failure(localPort: number): Error | undefined {
    return this.#failures.get(localPort);
  }

  async take(client: Socket): Promise<void> {
    const { remotePort = 0 } = client;
    this.#failures.delete(remotePort); // of an earlier connection that had the same port
    const wanted = this.#want(remotePort);
    client.once("close", () => this.#wanted.delete(remotePort));
    const late = setTimeout(() => client.destroy(), routeMs); // somebody else of the guest, who cannot say where to
    const to = await wanted.promise;
    clearTimeout(late);
    const failure = await through(client, this.#egress, to);
    if (failure === undefined) return;
    if (this.#failures.size > maxKept) this.#failures.clear();
    this.#failures.set(remotePort, failure);
  }

  /** RACE: either end may be the first to know. */
  #want(localPort: number): PromiseWithResolvers<string> {
    const wanted = this.#wanted.get(localPort) ?? Promise.withResolvers<string>();
    this.#wanted.set(localPort, wanted);
    return wanted;
  }
}

/** Waits for somebody to arrive at a port of the machine, passes the connection on to the connector's own port, and waits for the next one. */
async function acceptAgain(
  path: string,
  port: number,
  signal: AbortSignal,
  open: Set<Socket>,
): Promise<void> {
  while (!signal.aborted) {
    const outside = connect({ path, allowHalfOpen: true });
    open.add(outside);
    outside.once("close", () => open.delete(outside));
    const arrived = await firstByte(outside);
    if (!arrived) {
      await sleep(againMs, signal);
      continue;
    }
    const inside = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    open.add(inside);
    inside.once("close", () => open.delete(inside));
    void tunnel(outside, inside);
  }
}

/** listen.ts writes one byte when somebody has arrived, since what they say may come only after what we say. False when the connection is over. */
async function firstByte(socket: Socket): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const look = (): void => {
    if (socket.read(1) !== null) resolve(true);
  };
  const over = (): void => resolve(false);
  socket.on("readable", look).once("end", over).once("close", over).on("error", over);
  const arrived = await promise;
  socket.off("readable", look);
  if (!arrived) socket.destroy();
  return arrived;
}
