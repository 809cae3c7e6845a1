// A bad network: a TCP proxy on a port of its own between a connector and its server.
//
//   pass ──▶ delay: bytes are late ──▶ blackhole: connections stay open, nothing moves, new ones are accepted and ignored
//        ──▶ refuse: new connections are reset; existing ones live until reset()
//        ──▶ swallow: what the client says arrives, what the server answers does not
import { createConnection, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { atEnd } from "./children.ts";

export type ProxyMode = "pass" | "blackhole" | "refuse" | "swallow";

export class Proxy {
  mode: ProxyMode = "pass";
  /** How much later bytes arrive, in both directions. */
  delayMs = 0;
  /** Connections accepted so far. */
  connections = 0;
  private readonly server: Server;
  private readonly pairs = new Set<[Socket, Socket | undefined]>();

  constructor(targetPort: number, targetHost: string) {
    this.server = createServer((client) => this.accept(client, targetPort, targetHost));
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once("error", reject);
      this.server.listen(0, "127.0.0.1", resolve);
    });
  }

  /** Ends every connection with a TCP reset, both sides. */
  reset(): void {
    for (const [client, upstream] of this.pairs) {
      client.resetAndDestroy();
      upstream?.resetAndDestroy();
    }
  }

  async close(): Promise<void> {
    this.reset();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private accept(client: Socket, port: number, host: string): void {
    this.connections++;
    client.on("error", () => undefined); // a reset is what this proxy is for
    if (this.mode === "refuse") {
      client.resetAndDestroy();
      return;
    }
    const upstream = this.mode === "blackhole" ? undefined : createConnection({ port, host });
    const pair: [Socket, Socket | undefined] = [client, upstream];
    this.pairs.add(pair);
    client.on("close", () => {
      this.pairs.delete(pair);
      upstream?.destroy();
    });
    if (!upstream) return;
    upstream.on("error", () => client.resetAndDestroy());
    upstream.on("close", () => client.destroySoon());
    this.forward(client, upstream, false);
    this.forward(upstream, client, true);
  }

  private forward(from: Socket, to: Socket, isAnswer: boolean): void {
    from.on("data", (bytes) => {
      const write = () => {
        // In a blackhole the bytes are lost for good, as with a cut cable; the connection cannot be used afterwards.
        const isLost = this.mode === "blackhole" || (this.mode === "swallow" && isAnswer);
        if (!isLost && !to.destroyed) to.write(bytes);
      };
      if (this.delayMs > 0) setTimeout(write, this.delayMs);
      else write();
    });
  }
}

/** A proxy to the port, closed when the test ends. */
export async function startProxy(targetPort: number, targetHost = "127.0.0.1"): Promise<Proxy> {
  const proxy = new Proxy(targetPort, targetHost);
  await proxy.listen();
  atEnd(() => proxy.close());
  return proxy;
}
