// The contract of `exec`, held by a Python program that speaks to a small chat server, as a user's own connector would.
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { freePort } from "../helpers/ports.ts";
import type { Said } from "./platform.ts";
import { contract } from "./suite.ts";

const program = join(import.meta.dirname, "../helpers/programs/chat_client.py");
const token = "t0ken";

interface ToProgram {
  said: string;
  conversation: string;
  user: string;
  text?: string;
  name?: string;
  file?: string;
}

interface FromProgram {
  token?: string;
  got?: string;
  id?: string;
  conversation?: string;
  text?: string;
  files?: Array<{ name: string; file: string }>;
}

/** The chat server: keeps what is said until the program has it, and remembers what it was told. */
class ChatServer {
  logins = 0;
  heard: Array<{ conversation: string; text: string; files: Array<{ name: string; bytes: Buffer }> }> = [];
  readonly #port: number;
  readonly #waiting = new Map<string, ToProgram>();
  #server: Server | undefined;
  #sockets = new Set<Socket>();
  #member: Socket | undefined;
  #count = 0;

  constructor(port: number) {
    this.#port = port;
  }

  async start(): Promise<void> {
    const server = createServer((socket) => this.#join(socket));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const server = this.#server;
    this.#server = undefined;
    if (server) await new Promise((resolve) => server.close(resolve));
  }

  say(line: Omit<ToProgram, "said">, said = `s${++this.#count}`): string {
    const whole = { said, ...line };
    this.#waiting.set(said, whole);
    this.#tell(whole);
    return said;
  }

  #join(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => undefined); // a program that was killed
    socket.on("close", () => {
      this.#sockets.delete(socket);
      if (this.#member === socket) this.#member = undefined;
    });
    createInterface(socket).on("line", (text) => this.#take(socket, JSON.parse(text) as FromProgram));
  }

  #take(socket: Socket, line: FromProgram): void {
    if (line.token !== undefined) {
      this.logins += 1;
      const welcome = line.token === token;
      socket.write(`${JSON.stringify({ welcome })}\n`);
      if (!welcome) return;
      this.#member = socket;
      for (const waiting of this.#waiting.values()) this.#tell(waiting);
    } else if (line.got !== undefined) {
      this.#waiting.delete(line.got);
    } else if (line.text === "forbidden") {
      socket.write(`${JSON.stringify({ refused: line.id, why: "the house rules forbid that" })}\n`);
    } else {
      const files = (line.files ?? []).map(({ name, file }) => ({
        name,
        bytes: Buffer.from(file, "base64"),
      }));
      this.heard.push({ conversation: line.conversation ?? "", text: line.text ?? "", files });
      socket.write(`${JSON.stringify({ accepted: line.id, as: `p${this.heard.length}` })}\n`);
    }
  }

  #tell(line: object): void {
    this.#member?.write(`${JSON.stringify(line)}\n`);
  }
}

let server: ChatServer;

contract({
  type: "exec",
  conversation: "#dev",
  otherConversation: "#ops",
  keepsWhileAway: true,
  refusesLarge: true,
  offlineWithoutServer: true,
  refused: { message: { text: "forbidden" }, error: /house rules/ },
  server: {
    stop: () => server.stop(),
    start: () => server.start(),
  },

  async open({ folder }) {
    const port = await freePort();
    server = new ChatServer(port);
    await server.start();
    return { command: ["python3", program, String(port)], cwd: folder, env: { TOKEN: token }, ready: true };
  },
  close: () => server.stop(),

  say: async ({ conversation, text }): Promise<Said> => {
    return { conversation, text, key: server.say({ conversation, text, user: "ada" }) };
  },
  sayAgain: async ({ conversation, text, key }) => {
    server.say({ conversation, text, user: "ada" }, key);
  },
  saySelf: async ({ conversation, text }) => {
    server.say({ conversation, text, user: "bot" });
  },
  sayFile: async ({ conversation, name, bytes }) => {
    server.say({ conversation, user: "ada", name, file: Buffer.from(bytes).toString("base64") });
  },
  heard: async (conversation) =>
    server.heard.filter((said) => said.conversation === conversation).map((said) => said.text),
  heardFiles: async (conversation) =>
    server.heard.filter((said) => said.conversation === conversation).flatMap((said) => said.files),
  badCredentials: (entry) => ({ ...entry, env: { TOKEN: "wrong" } }),
  logins: async () => server.logins,
});
