// A chat's connection to a `cli` connector: the socket chat.sock in the connector's state folder (its lines are described in connectors/cli).
//
//   open ──▶ attached ──lost──▶ trying again, every retryMs ──▶ attached …
//                 close ◀── any                  └─ giveUpMs passed: given up; what was not delivered fails
//
// What was said and not answered is said again after a loss, under the same id: the connector makes one event of it.
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import type { OutgoingMessage } from "../../../schema/types.ts";
import { SpoolwayError } from "../../errors.ts";
import { sleep } from "../../timing.ts";

export interface LinkOptions {
  /** spool/state/<name> */
  folder: string;
  conversation: string;
  sender: string;
  /** How long a lost connection is tried again. */
  giveUpMs: number;
  onMessage(message: OutgoingMessage): void;
  onLost(): void;
  onBack(): void;
}

interface Pending {
  text: string;
  resolve(event: string): void;
  reject(error: SpoolwayError): void;
}

const retryMs = 500;

export class ChatLink {
  private readonly options: LinkOptions;
  private readonly pending = new Map<string, Pending>();
  private readonly ended = new AbortController();
  private socket: Socket | undefined;

  /** Attaches. Throws the system's error (ENOENT, ECONNREFUSED) when nobody answers. */
  static async open(options: LinkOptions): Promise<ChatLink> {
    const link = new ChatLink(options);
    await link.attach();
    return link;
  }

  private constructor(options: LinkOptions) {
    this.options = options;
  }

  /** Resolves with the event's id once it is durable. Rejects when the connector refuses it, or when the connection is given up. */
  say(text: string): Promise<string> {
    if (this.ended.signal.aborted) return Promise.reject(notDelivered());
    const id = randomUUID();
    return new Promise((resolve, reject) => {
      this.pending.set(id, { text, resolve, reject });
      this.write(id, text);
    });
  }

  /** Ends the connection; what was not delivered fails. */
  close(): void {
    this.ended.abort();
    this.socket?.destroy();
    for (const { reject } of this.pending.values()) reject(notDelivered());
    this.pending.clear();
  }

  private async attach(): Promise<void> {
    const socket = connectIn(this.options.folder);
    try {
      await once(socket, "connect", { signal: this.ended.signal });
    } catch (error) {
      socket.destroy();
      throw error;
    }
    this.socket = socket;
    socket.on("error", () => socket.destroy()); // the loss is seen at close
    socket.on("close", () => void this.lost());
    const lines = createInterface({ input: socket });
    lines.on("line", (line) => this.read(line));
    lines.on("error", () => socket.destroy()); // readline repeats the socket's error
    socket.write(JSON.stringify({ attach: this.options.conversation }) + "\n");
    for (const [id, { text }] of this.pending) this.write(id, text);
  }

  private async lost(): Promise<void> {
    this.socket = undefined;
    const { signal } = this.ended;
    if (signal.aborted) return;
    this.options.onLost();
    const until = performance.now() + this.options.giveUpMs;
    while (!signal.aborted) {
      try {
        await this.attach();
        this.options.onBack();
        return;
      } catch {
        // Not there yet, whatever the reason: it shows in what is not delivered.
        if (performance.now() > until) return this.close();
        await sleep(retryMs, signal);
      }
    }
  }

  private write(id: string, text: string): void {
    const { conversation, sender } = this.options;
    this.socket?.write(JSON.stringify({ id, text, conversation_id: conversation, sender }) + "\n");
  }

  private read(line: string): void {
    const answer = parse(line);
    if (answer === undefined) return void this.socket?.destroy(); // not what a cli connector writes: as good as lost
    if (answer.message !== undefined) this.options.onMessage(answer.message);
    if (answer.id === undefined) return;
    const said = this.pending.get(answer.id);
    this.pending.delete(answer.id);
    if (answer.delivered !== undefined) said?.resolve(answer.delivered);
    else said?.reject(new SpoolwayError(answer.code ?? "send_failed", answer.error ?? "refused"));
  }
}

interface Answer {
  id?: string;
  delivered?: string;
  error?: string;
  code?: string;
  message?: OutgoingMessage;
}

function parse(line: string): Answer | undefined {
  try {
    return JSON.parse(line) as Answer;
  } catch {
    return undefined;
  }
}

const notDelivered = (): SpoolwayError =>
  new SpoolwayError("disconnected", "the connection was lost before it was delivered");

/** A unix socket's path may have about 100 bytes, and a home can lie deeper: the folder is entered for the call. */
function connectIn(folder: string): Socket {
  const before = process.cwd();
  process.chdir(folder);
  try {
    return connect("chat.sock"); // the address is used before this returns
  } finally {
    process.chdir(before);
  }
}
