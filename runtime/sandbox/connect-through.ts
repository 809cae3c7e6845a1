// CONNECT, as a client: a connection to host:port through the proxy of egress.ts.
import { connect, type Socket } from "node:net";

const maxHeadBytes = 16 * 1024;
const maxWordsBytes = 4096;
const headEnd = Buffer.from("\r\n\r\n");

/** `to`: "host:port". The first byte that is read is the server's. Rejects with the proxy's own words where it refuses. */
export async function connectThrough(proxySocket: string, to: string): Promise<Socket> {
  const socket = connect({ path: proxySocket, allowHalfOpen: true });
  // A host that is no host must not become a second header.
  socket.write(
    `CONNECT ${to.replace(/[^\x21-\x7e]/g, "?")} HTTP/1.1\r\nhost: ${to.replace(/[^\x21-\x7e]/g, "?")}\r\n\r\n`,
  );
  try {
    const { status, rest } = await readHead(socket);
    if (status !== 200) throw new Error(await words(socket, rest, status));
    if (rest.length > 0) socket.unshift(rest);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

async function readHead(socket: Socket): Promise<{ status: number; rest: Buffer }> {
  let held = Buffer.alloc(0);
  for (;;) {
    const chunk = await nextChunk(socket);
    if (chunk === undefined) throw new Error("the proxy closed the connection");
    held = Buffer.concat([held, chunk]);
    const at = held.indexOf(headEnd);
    if (at === -1 && held.length > maxHeadBytes) throw new Error("the proxy's answer is too long");
    if (at === -1) continue;
    const status = /^HTTP\/1\.1 (\d{3}) /.exec(held.toString("latin1"))?.[1];
    return { status: Number(status), rest: held.subarray(at + headEnd.length) };
  }
}

async function words(socket: Socket, rest: Buffer, status: number): Promise<string> {
  let held = rest;
  while (held.length < maxWordsBytes) {
    const chunk = await nextChunk(socket);
    if (chunk === undefined) break;
    held = Buffer.concat([held, chunk]);
  }
  return held.toString("utf8").trim() || `the proxy answered ${status}`;
}

/** Undefined at the end. Whatever comes later stays in the socket. */
function nextChunk(socket: Socket): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const chunk = socket.read() as Buffer | null;
      if (chunk !== null) done(() => resolve(chunk));
    };
    const ended = (): void => done(() => resolve(undefined));
    const failed = (error: Error): void => done(() => reject(error));
    const done = (tell: () => void): void => {
      socket.off("readable", look).off("end", ended).off("error", failed).off("close", ended);
      tell();
    };
    socket.on("readable", look).on("end", ended).on("error", failed).on("close", ended);
    look();
  });
}
