// What the tests of the egress proxy have at its two ends: servers on loopback, clients that write what no library would, and the proxy between them.
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { onTestFinished } from "vitest";
import { startEgress, type EgressOptions } from "../../../runtime/sandbox/egress.ts";
import { TestContext, type LogLine } from "../../helpers/context.ts";

export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "spoolway-egress-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface TestEgress {
  path: string;
  lines: LogLine[];
  close(): Promise<void>;
}

/** The proxy, closed when the test is over. */
export async function testEgress(
  network: string[],
  options: Partial<Omit<EgressOptions, "grants">> = {},
): Promise<TestEgress> {
  const { log, lines } = new TestContext("test", "/nowhere", {});
  const path = join(testFolder(), "egress.sock");
  const egress = await startEgress({ path, grants: { network }, log, ...options });
  onTestFinished(() => egress.close());
  return { path, lines, close: () => egress.close() };
}

/** A server on a free port of 127.0.0.1 (or another address of it), closed with all its connections when the test is over. */
export async function tcpServer(
  take: (socket: Socket) => unknown,
  host = "127.0.0.1",
): Promise<{ port: number; connections: () => number }> {
  let count = 0;
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    count += 1;
    open.add(socket);
    socket.on("close", () => open.delete(socket)).on("error", () => undefined);
    take(socket);
  });
  await listening(server, host);
  onTestFinished(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return { port: (server.address() as AddressInfo).port, connections: () => count };
}

export function listening(server: Server, host = "127.0.0.1"): Promise<void> {
  return new Promise((resolve) => server.listen(0, host, resolve));
}

export function client(path: string): Socket {
  const socket = connect({ path, allowHalfOpen: true });
  socket.on("error", () => undefined);
  onTestFinished(() => void socket.destroy());
  return socket;
}

/** Writes the bytes as they are and resolves with all that comes back until the proxy ends; a tunnel ends when the client does. */
export async function exchange(path: string, bytes: string | Buffer): Promise<string> {
  const socket = client(path);
  socket.write(bytes);
  if (bytes.toString().startsWith("CONNECT ")) socket.once("data", () => socket.end());
  return (await readAll(socket)).toString("utf8");
}

/** Until its end, without destroying it as the stream consumers do: the other direction may go on. */
export async function readAll(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(stream, "end");
  return Buffer.concat(chunks);
}

export const readText = async (stream: Readable): Promise<string> => (await readAll(stream)).toString("utf8");

export const connectHead = (to: string): string => `CONNECT ${to} HTTP/1.1\r\nhost: ${to}\r\n\r\n`;

export const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1]);
export const codeOf = (answer: string): string | undefined =>
  /^x-spoolway-code: (.*)$/im.exec(answer)?.[1]?.trim();

/** A resolver with a table; a function is asked anew each time. */
export function resolver(table: Record<string, string[] | (() => string[])>) {
  const asked: string[] = [];
  const resolve = async (name: string): Promise<string[]> => {
    asked.push(name);
    const found = table[name];
    if (found === undefined) throw Object.assign(new Error(`no ${name}`), { code: "ENOTFOUND" });
    return typeof found === "function" ? found() : found;
  };
  return { asked, resolve };
}
