// Stands before an IMAP server and fails at chosen commands, as a server does whose disk or index is broken: it answers NO, or drops the connection.
import { createConnection, createServer, type AddressInfo, type Socket } from "node:net";
import { atEnd } from "../children.ts";

export interface ImapFault {
  port: number;
  /** The command, without its tag, and what becomes of it. */
  fails: { command: RegExp; how: "no" | "drop" } | undefined;
  /** How often it has failed. */
  failures: number;
}

/** Closed when the test ends. Commands are taken to be lines, so literals of a client would pass unread. */
export async function startImapFault(targetPort: number): Promise<ImapFault> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = createConnection({ port: targetPort, host: "127.0.0.1" });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
    }
    upstream.pipe(client);
    let rest = "";
    client.on("data", (bytes) => {
      const lines = (rest + bytes.toString("latin1")).split("\r\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const [, tag = "", command = ""] = /^(\S+) (.*)$/.exec(line) ?? [];
        if (fault.fails?.command.test(command) !== true) {
          upstream.write(`${line}\r\n`, "latin1");
          continue;
        }
        fault.failures += 1;
        if (fault.fails.how === "drop") client.resetAndDestroy();
        else client.write(`${tag} NO Internal error occurred\r\n`);
      }
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  atEnd(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const fault: ImapFault = { port: (server.address() as AddressInfo).port, fails: undefined, failures: 0 };
  return fault;
}
