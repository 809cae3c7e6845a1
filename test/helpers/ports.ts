// A TCP port on 127.0.0.1 that nobody listens on, for servers that cannot be told to listen on 0.
import { createServer, type AddressInfo } from "node:net";

const given = new Set<number>();

/**
 * Resolves with a port that was free a moment ago and was not given before by this process. RACE: another process can take it before it is used; ports are
 * taken from the kernel's ephemeral range, which moves on, so this is rare.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", resolve);
    });
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    if (given.has(port)) continue;
    given.add(port);
    return port;
  }
}
