// A WebSocket as a session, on a real server: hello, order, bounded memory, a probe that notices silence, one end.
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { stop } from "../../../../runtime/sdk.ts";
import { MessageSocket } from "../../../../runtime/sdk/socket/message-socket.ts";
import { startProxy } from "../../../helpers/proxy.ts";
import { waitFor } from "../../../helpers/wait.ts";

type Message = { type?: string; n?: number };

async function serve(welcome: (client: WebSocket) => void) {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  server.on("connection", welcome);
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  return { server, port: (server.address() as AddressInfo).port };
}

const open = (port: number, signal = new AbortController().signal): Promise<MessageSocket<Message>> =>
  MessageSocket.open<Message>(WebSocket, `ws://127.0.0.1:${port}`, signal, ({ type }) => {
    if (type === "never") throw stop("never again");
    return type === "hello";
  });

const hello = (client: WebSocket): void => client.send('{"type":"hello"}');

test("what comes is taken in order, also what came before anybody asked; then it throws why it ended", async () => {
  const { port } = await serve((client) => {
    hello(client);
    for (let n = 0; n < 1000; n += 1) client.send(JSON.stringify({ n }));
    client.close(1001, "bye");
  });
  const socket = await open(port);
  const seen: unknown[] = [];
  const read = async (): Promise<void> => {
    for await (const { n } of socket) seen.push(n);
  };
  await expect(read()).rejects.toMatchObject({ fate: "reconnect", message: expect.stringContaining("1001") });
  expect(seen).toEqual(Array.from({ length: 1000 }, (_, n) => n));
});

test("while nobody takes anything, the other side has to wait", async () => {
  let client: WebSocket | undefined;
  const { port } = await serve((one) => {
    client = one;
    hello(one);
  });
  const socket = await open(port);
  const piece = JSON.stringify({ text: "x".repeat(100_000) });
  for (let n = 0; n < 1000; n += 1) client?.send(piece);
  await waitFor(() => (client?.bufferedAmount ?? 0) > 10_000_000, { message: "bytes that nobody reads" });
  for (let n = 0; n < 1000; n += 1) await socket.next();
  await waitFor(() => client?.bufferedAmount === 0);
});

test("another first message than hello is no session", async () => {
  const { port } = await serve((client) => client.send('{"type":"go away"}'));
  await expect(open(port)).rejects.toMatchObject({
    fate: "reconnect",
    message: expect.stringContaining("go away"),
  });
});

test("what the first message means is the platform's to say, and nothing stays open", async () => {
  const { port, server } = await serve((client) => client.send('{"type":"never"}'));
  await expect(open(port)).rejects.toMatchObject({ fate: "stop" });
  await waitFor(() => server.clients.size === 0, { message: "the connection to be gone" });
});

test("the session's end ends it, also before it stands", async () => {
  const { port, server } = await serve(() => undefined);
  const session = new AbortController();
  const opening = open(port, session.signal);
  await waitFor(() => server.clients.size === 1);
  session.abort();
  await expect(opening).rejects.toMatchObject({ fate: "reconnect" });
  await waitFor(() => server.clients.size === 0, { message: "the connection to be gone" });
});

test("a probe is answered, and fails on a connection that is open and dead", async () => {
  const { port } = await serve(hello);
  const proxy = await startProxy(port);
  const socket = await open(proxy.port);
  await socket.probe(5000);
  proxy.mode = "blackhole";
  await expect(socket.probe(100)).rejects.toThrow("no answer to a ping");
  socket.close();
  await expect(socket.probe(100)).rejects.toThrow("closed by us");
  await expect(socket.send({})).rejects.toThrow();
});

test("what is no JSON ends the session instead of the process", async () => {
  const { port } = await serve((client) => {
    hello(client);
    client.send("{");
  });
  await expect((await open(port)).next()).rejects.toMatchObject({ fate: "reconnect" });
});
