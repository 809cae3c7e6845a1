// The connector to the test's own platform (test/helpers/servers/wire.ts): one JSON object per line over TCP.
//
//   server: {"event":{offset,key,conversation,text}}   {"ok":id}   {"busy":id}   {"no":id,"why":"…"}
//   here:   {"hello":pid}   {"ack":offset} once deliver has resolved   {"send":{id,conversation,text}}
import { createConnection, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { defineConnector, reject, retry, type SpoolwayError, uncertain } from "spoolway/sdk";

interface WireEvent {
  offset: number;
  key: string;
  conversation: string;
  text: string;
}

interface Answer {
  event?: WireEvent;
  ok?: string;
  busy?: string;
  no?: string;
  why?: string;
}

interface Session {
  socket: Socket;
  lines: AsyncIterable<string>;
  sends: Map<string, { resolve: () => void; reject: (error: SpoolwayError) => void }>;
}

export default defineConnector<{ port: number }, Session>({
  async connect(ctx) {
    const socket = createConnection({ port: ctx.config.port, host: "127.0.0.1" });
    await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    socket.on("error", () => undefined); // "close" follows, which ends the reading
    const lines = createInterface({ input: socket });
    lines.on("error", () => undefined); // it repeats the socket's
    // A destroyed socket has no "end", which is all that readline waits for.
    socket.once("close", () => lines.close());
    ctx.signal.addEventListener("abort", () => socket.destroy(), { once: true });
    socket.write(`${JSON.stringify({ hello: process.pid })}\n`);
    return { socket, lines, sends: new Map() };
  },

  async receive(session, ctx) {
    // In order inside a conversation, conversations side by side.
    const last = new Map<string, Promise<void>>();
    let broken: unknown;
    const deliver = async ({ offset, key, conversation, text }: WireEvent) => {
      await ctx.deliver({
        key: [conversation, key],
        sender: { id: "tester" },
        conversation: { id: conversation },
        platform_id: key,
        content: { text },
      });
      session.socket.write(`${JSON.stringify({ ack: offset })}\n`);
    };
    for await (const line of session.lines) {
      const answer = JSON.parse(line) as Answer;
      const event = answer.event;
      if (event === undefined) {
        settle(session, answer);
        continue;
      }
      const before = last.get(event.conversation) ?? Promise.resolve();
      // After one failure nothing later may be delivered: it would overtake. The session ends and the server delivers again.
      const next = before.then(() => (broken === undefined ? deliver(event) : undefined));
      last.set(
        event.conversation,
        next.catch((error: unknown) => {
          broken ??= error;
          session.socket.destroy();
        }),
      );
    }
    await Promise.all(last.values());
    for (const send of session.sends.values())
      send.reject(uncertain("the connection was lost before the answer"));
    throw broken ?? new Error("connection closed");
  },

  async send(session, { id, conversation_id, text = "" }) {
    await new Promise<void>((resolve, reject) => {
      session.sends.set(id, { resolve, reject });
      session.socket.write(`${JSON.stringify({ send: { id, conversation: conversation_id, text } })}\n`);
      if (session.socket.destroyed) reject(uncertain("the connection was lost"));
    }).finally(() => session.sends.delete(id));
    return { platform_id: `wire-${id}` };
  },

  async close(session) {
    session.socket.destroy();
  },
});

function settle({ sends }: Session, { ok, busy, no, why = "" }: Answer): void {
  if (ok !== undefined) sends.get(ok)?.resolve();
  if (busy !== undefined) sends.get(busy)?.reject(retry("busy", { retryAfterMs: 5 }));
  if (no !== undefined) sends.get(no)?.reject(reject(why));
}
