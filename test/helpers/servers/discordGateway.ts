// The gateway of a Discord of our own: one WebSocket a connection, sessions that outlive them. It holds clients to the documentation: the first payload, the token, intents,
// sizes, heartbeats in time; what a heartbeat says was received is not kept for a RESUME.
import { randomBytes } from "node:crypto";
import type { IncomingMessage, Server } from "node:http";
import { WebSocket, WebSocketServer } from "ws";
import type { Json, World } from "./discordWorld.ts";

interface Session {
  id: string;
  intents: number;
  seq: number;
  /** Events that may be asked for again. */
  kept: Array<{ op: 0; t: string; s: number; d: Json }>;
  socket: WebSocket | undefined;
}

const maxIntents = 2 ** 26 - 1;
const content = 32768;
/** GUILD_MEMBERS, GUILD_PRESENCES, MESSAGE_CONTENT */
const privileged = 2 | 256 | content;

export class DiscordGateway {
  /** As it is there: long enough for a test machine that is busy with a large file. */
  heartbeatMs = 41_250;
  /** How many IDENTIFYs are left today. */
  identifiesLeft = 1000;
  /** Switched on in the Developer Portal. */
  allowedIntents = content;
  /** IDENTIFY and RESUME, in order. */
  readonly logins: Array<"identify" | "resume"> = [];
  /** Answers to heartbeats are withheld. */
  isMute = false;
  readonly #world: World;
  readonly #token: string;
  readonly #url: () => string;
  readonly #sessions = new Map<string, Session>();
  readonly #server = new WebSocketServer({ noServer: true });

  constructor(world: World, token: string, url: () => string) {
    this.#world = world;
    this.#token = token;
    this.#url = url;
    world.dispatch = (type, data, intents) => this.#dispatch(type, data, intents);
  }

  attach(server: Server): void {
    server.on("upgrade", (request, socket, head) =>
      this.#server.handleUpgrade(request, socket, head, (client) => this.#greet(client, request)),
    );
  }

  /** Ends all connections. `sessions: false`: their sessions are forgotten as well. */
  cut({ sessions, code }: { sessions: boolean; code?: number }): void {
    for (const socket of this.#server.clients) {
      if (code === undefined) socket.terminate();
      else socket.close(code);
    }
    if (!sessions) this.#sessions.clear();
  }

  /** To all connections. */
  say(payload: Json): void {
    for (const socket of this.#server.clients) socket.send(JSON.stringify(payload));
  }

  get connections(): number {
    return this.#server.clients.size;
  }

  #greet(socket: WebSocket, { url = "" }: IncomingMessage): void {
    const query = new URL(url, "ws://localhost").searchParams;
    if (query.get("v") !== "10") return socket.close(4012, "Invalid API version");
    if (query.get("encoding") !== "json") return socket.close(4002, "Decode error");
    let session: Session | undefined;
    let lateTimer: NodeJS.Timeout | undefined;
    const expectBeat = (): void => {
      clearTimeout(lateTimer);
      lateTimer = setTimeout(() => socket.close(4009, "Session timed out"), this.heartbeatMs * 20);
    };
    const say = (payload: Json): void => socket.send(JSON.stringify(payload));
    socket.on("error", () => undefined); // its end follows
    socket.on("close", (code) => {
      clearTimeout(lateTimer);
      if (session?.socket === socket) session.socket = undefined;
      if (session && (code === 1000 || code === 1001)) this.#sessions.delete(session.id);
    });
    socket.on("message", (bytes: Buffer) => {
      if (bytes.length > 4096) return socket.close(4002, "Decode error");
      const { op, d } = JSON.parse(bytes.toString("utf8")) as { op: number; d: Json & { token: string } };
      if (op === 1) {
        expectBeat();
        const received = d as unknown as number | null;
        if (session) session.kept = session.kept.filter(({ s }) => s > (received ?? 0));
        if (!this.isMute) say({ op: 11 });
      } else if (op === 2 || op === 6) {
        if (session) return socket.close(4005, "Already authenticated");
        this.logins.push(op === 2 ? "identify" : "resume");
        if (d.token !== this.#token) return socket.close(4004, "Authentication failed");
        session = op === 2 ? this.#identify(socket, d) : this.#resume(socket, d);
      } else socket.close(session ? 4001 : 4003, session ? "Unknown opcode" : "Not authenticated");
    });
    expectBeat();
    say({ op: 10, s: null, t: null, d: { heartbeat_interval: this.heartbeatMs } });
  }

  #identify(socket: WebSocket, { intents, properties }: Json): Session | undefined {
    this.identifiesLeft -= 1;
    const isValid = Number.isInteger(intents) && Number(intents) >= 0 && Number(intents) <= maxIntents;
    if (typeof properties !== "object") socket.close(4002, "Decode error");
    else if (!isValid) socket.close(4013, "Invalid intent(s)");
    else if (Number(intents) & privileged & ~this.allowedIntents) socket.close(4014, "Disallowed intent(s).");
    else {
      const session: Session = {
        id: randomBytes(16).toString("hex"),
        intents: Number(intents),
        seq: 0,
        kept: [],
        socket,
      };
      this.#sessions.set(session.id, session);
      const { me, guildId, channels } = this.#world;
      const guild = { id: guildId, unavailable: true };
      this.#send(session, "READY", {
        v: 10,
        user: me,
        guilds: [guild],
        session_id: session.id,
        resume_gateway_url: this.#url(),
      });
      const all = [...channels.values()].filter((channel) => channel.guild_id === guildId);
      const isThread = ({ type }: { type: number }): boolean => [10, 11, 12].includes(type);
      const lists = {
        channels: all.filter((one) => !isThread(one)),
        threads: all.filter(isThread),
        members: [],
      };
      this.#send(session, "GUILD_CREATE", { id: guildId, name: "test", unavailable: false, ...lists });
      return session;
    }
    return undefined;
  }

  #resume(socket: WebSocket, { session_id, seq }: Json): Session | undefined {
    const session = this.#sessions.get(String(session_id));
    const oldest = session?.kept[0]?.s ?? (session?.seq ?? 0) + 1;
    if (session === undefined || typeof seq !== "number" || oldest > seq + 1) {
      socket.send(JSON.stringify({ op: 9, s: null, t: null, d: false }));
      return undefined;
    }
    if (seq > session.seq) {
      socket.close(4007, "Invalid seq");
      return undefined;
    }
    session.socket?.terminate();
    session.socket = socket;
    session.kept = session.kept.filter(({ s }) => s > seq);
    for (const payload of session.kept) socket.send(JSON.stringify(payload));
    this.#send(session, "RESUMED", {});
    return session;
  }

  #dispatch(type: string, data: Json, intents: number): void {
    for (const session of this.#sessions.values()) {
      if ((session.intents & intents) === 0) continue;
      const author = data.author as { id: string } | undefined;
      const isVisible =
        (session.intents & content) !== 0 || data.guild_id === undefined || author?.id === this.#world.me.id;
      this.#send(
        session,
        type,
        isVisible || !("content" in data) ? data : { ...data, content: "", attachments: [] },
      );
    }
  }

  #send(session: Session, t: string, d: Json): void {
    const payload = { op: 0, t, s: (session.seq += 1), d } as const;
    const text = JSON.stringify(payload);
    session.kept.push(JSON.parse(text) as typeof payload); // as it is now
    if (session.socket?.readyState === WebSocket.OPEN) session.socket.send(text);
  }
}
