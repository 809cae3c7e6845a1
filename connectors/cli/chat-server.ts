// The unix socket that chats attach to. One JSON object per line, both ways:
//
//     {"attach": "me"}                                        → {"attached": "me"}; from now on messages for "me" come here
//     {"text": "hi", "conversation_id": "me", "sender": "ada", "id": "1"}
//                                                             → {"delivered": "<event id>", "id": "1"}, once the event is durable
//                                                             → {"error": "what is wrong", "code": "…", "id": "1"}
//     {"message": {…}}                                        ← an outgoing message, as it was dropped
//
// `id` and `sender` may be absent. The same id again is the same event. Lines of one chat are answered in order, one at a time.
import { once } from "node:events";
import { chmodSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { type Outgoing, parseJson, SpoolwayError, toSpoolwayError } from "spoolway/sdk";

/** What a chat said. */
export interface Said {
  text: string;
  conversation: string;
  sender?: string;
  /** The chat's own id of it. */
  id?: string;
}

export interface ChatServer {
  /** To all chats attached to its conversation. */
  show(message: Outgoing): void;
  /** Rejects when the socket cannot be reached any more (its file was removed). */
  probe(): Promise<void>;
  /** Ends all chats and removes the socket's file. */
  close(): Promise<void>;
}

interface Handlers {
  /** Resolves with the event's id once it is durable. */
  deliver(said: Said): Promise<string>;
  /** A chat that did not read was cut off. */
  tooSlow(): void;
}

const maxLineBytes = 1024 * 1024;
/** What may wait for a chat that does not read; then it is cut off, so that it cannot eat this process's memory. */
const maxWaitingBytes = 4 * 1024 * 1024;
const maxChats = 64;

/** Listens at `path`, for this user only. Throws when another process answers there. */
export async function openChatServer(path: string, handlers: Handlers): Promise<ChatServer> {
  if (await answers(path)) throw new Error(`another process listens on ${path}`);
  rmSync(path, { force: true }); // what a killed process left
  const chats = new Map<Socket, string | undefined>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    chats.set(socket, undefined);
    socket.on("close", () => chats.delete(socket));
    socket.on("error", () => socket.destroy()); // a chat that went away; nobody is left to be told
    void serve(socket).finally(() => finish(socket));
  });
  server.maxConnections = maxChats;

  const umask = process.umask(0o177); // never open to others, not even until chmod
  try {
    server.listen(path);
    await once(server, "listening");
  } finally {
    process.umask(umask);
  }
  chmodSync(path, 0o600);

  function write(socket: Socket, line: object): void {
    socket.write(JSON.stringify(line) + "\n");
    if (socket.writableLength <= maxWaitingBytes) return;
    handlers.tooSlow();
    socket.destroy();
  }

  async function serve(socket: Socket): Promise<void> {
    let rest: Buffer = Buffer.alloc(0);
    try {
      for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        rest = Buffer.concat([rest, chunk]);
        for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
          await answer(socket, rest.subarray(0, end));
          rest = rest.subarray(end + 1);
        }
        if (rest.length <= maxLineBytes) continue;
        write(socket, { error: `a line is longer than ${maxLineBytes} bytes`, code: "message_too_large" });
        return;
      }
    } catch (error) {
      if (!socket.destroyed) throw error; // the iterator throws when the chat goes away
    }
  }

  /** What was written is still read by the chat; what it still writes is thrown away, but not for ever. */
  function finish(socket: Socket): void {
    if (chats.has(socket)) chats.set(socket, undefined);
    socket.end();
    socket.resume();
    setTimeout(() => socket.destroy(), 2000).unref();
  }

  async function answer(socket: Socket, bytes: Buffer): Promise<void> {
    let line: Record<string, unknown> = {};
    try {
      line = readLine(bytes);
      if (line.attach !== undefined) {
        chats.set(socket, text(line, "attach"));
        write(socket, { attached: line.attach });
      } else {
        const delivered = await handlers.deliver(readSaid(line));
        write(socket, { delivered, ...echo(line) });
      }
    } catch (error) {
      const { message, code } = toSpoolwayError(error);
      write(socket, { error: message, code, ...echo(line) });
    }
  }

  return {
    show(message) {
      for (const [socket, conversation] of chats) {
        if (conversation === message.conversation_id) write(socket, { message });
      }
    },
    async probe() {
      if (!(await answers(path))) throw new Error("chat.sock was removed");
    },
    async close() {
      for (const socket of chats.keys()) socket.destroy();
      if (!server.listening) return;
      server.close();
      await once(server, "close");
    },
  };
}

/** Whether somebody accepts connections there. */
async function answers(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ECONNREFUSED") return false;
    throw error;
  } finally {
    socket.destroy();
  }
}

function readLine(bytes: Buffer): Record<string, unknown> {
  const line = parseJson(bytes);
  if (typeof line === "object" && line !== null && !Array.isArray(line))
    return line as Record<string, unknown>;
  throw new SpoolwayError("invalid_json", "expected one JSON object per line");
}

function readSaid(line: Record<string, unknown>): Said {
  return {
    text: text(line, "text"),
    conversation: text(line, "conversation_id"),
    ...(line.sender === undefined ? {} : { sender: text(line, "sender") }),
    ...(line.id === undefined ? {} : { id: text(line, "id") }),
  };
}

function text(line: Record<string, unknown>, key: string): string {
  const value = line[key];
  if (typeof value === "string" && value !== "") return value;
  throw new SpoolwayError("invalid_event", `${key}: expected a text that is not empty`);
}

const echo = (line: Record<string, unknown>): object => (typeof line.id === "string" ? { id: line.id } : {});
