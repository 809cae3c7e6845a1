// A homeserver of Matrix, as far as a client without encryption needs it: HTTP with tokens, errors, limits, transactions and media as the client-server API (v1.11) and
// Synapse have them. What it would refuse is refused, unknown paths and parameters too. Users of the platform act through its methods (`say`, `rooms`).
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { text as readText } from "node:stream/consumers";
import { MatrixMedia } from "./matrixMedia.ts";
import { checkContent, type Content, MatrixRooms, Refused, seenBy, type Stored } from "./matrixRooms.ts";
import { type Login, MatrixSync } from "./matrixSync.ts";

type Answer = object | "answered";
interface Asked {
  login: Login;
  query: URLSearchParams;
  request: IncomingMessage;
  response: ServerResponse;
  gone: AbortSignal;
}

interface Canned {
  status: number;
  headers?: Record<string, string>;
  body: string;
}

/** Parameters of a query that each path knows. */
const parameters: Record<string, string[]> = {
  sync: ["since", "filter", "timeout", "full_state", "set_presence"],
  messages: ["from", "to", "dir", "limit", "filter"],
  upload: ["filename"],
  download: ["timeout_ms"],
};

export class MatrixHomeserver {
  readonly rooms = new MatrixRooms("test");
  readonly sync = new MatrixSync(this.rooms);
  readonly media = new MatrixMedia("test");
  readonly logins = new Map<string, Login>();
  /** Users who type, by room. */
  readonly typing = new Map<string, Set<string>>();
  /** Requests with a token that is unknown. */
  badTokens = 0;
  /** Sends that came although they should not have yet. */
  early = 0;
  swallows = false;
  /** Method and path of each request with a token. */
  readonly asked: string[] = [];
  /** Rooms whose servers answer nobody: who joins waits. */
  readonly deadRooms = new Set<string>();
  /** What is answered instead to some requests ("GET client/v3/sync"), as by a proxy that stands before it. */
  instead: (asked: string) => Canned | "nothing" | undefined = () => undefined;
  #waitUntil = 0;
  #isFrozen = false;
  #port = 0;
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #held = new Set<Socket>();
  readonly #transactions = new Map<string, object>();

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    this.thaw();
    if (this.#server !== undefined) return;
    const server = createServer((request, response) => void this.#take(request, response));
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#port, "127.0.0.1", resolve);
    });
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Everything stays open and nothing is answered any more. */
  freeze(): void {
    this.#isFrozen = true;
  }

  /** The connections that were frozen, or whose answers were held back, are dead. */
  thaw(): void {
    this.#isFrozen = false;
    for (const socket of this.#held) socket.destroy();
    this.#held.clear();
  }

  limit(seconds: number): void {
    this.#waitUntil = performance.now() + seconds * 1000;
  }

  logIn(localpart: string, device: string): string {
    const token = `syt_${localpart}_${device}`;
    this.logins.set(token, { user: `@${localpart}:test`, device });
    return token;
  }

  /** A user of the platform says something, or reacts, or whatever the type is. */
  say(user: string, room: string, content: Content, type = "m.room.message"): Stored {
    return this.rooms.add(this.rooms.joined(user, room), user, type, content);
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    const url = new URL(request.url ?? "/", "http://test");
    const canned = this.instead(`${request.method} ${url.pathname.replace(/^\/_matrix\//, "")}`);
    if (canned === "nothing") return void this.#held.add(request.socket);
    if (canned !== undefined) return void response.writeHead(canned.status, canned.headers).end(canned.body);
    try {
      const login = this.#loginOf(request);
      const asked = { login, query: url.searchParams, request, response, gone: gone.signal };
      const parts = url.pathname.split("/").slice(1).map(decodeURIComponent);
      const answer = await this.#answer(request.method ?? "", parts, asked);
      if (answer !== "answered") this.#reply(request, response, 200, answer);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      request.resume();
      const { status, errcode, message } = error;
      const waitMs = Math.max(0, Math.ceil(this.#waitUntil - performance.now()));
      if (status === 429) response.setHeader("retry-after", Math.ceil(waitMs / 1000));
      this.#reply(request, response, status, {
        errcode,
        error: message,
        ...(status === 429 && { retry_after_ms: waitMs }),
      });
    }
  }

  #reply(request: IncomingMessage, response: ServerResponse, status: number, body: object): void {
    const isSend = request.method === "PUT";
    if (this.#isFrozen || (this.swallows && isSend)) this.#held.add(request.socket);
    else response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  }

  #loginOf({ headers: { authorization } }: IncomingMessage): Login {
    const token = /^Bearer (.+)$/.exec(authorization ?? "")?.[1];
    if (token === undefined) throw new Refused(401, "M_MISSING_TOKEN", "Missing access token");
    const login = this.logins.get(token);
    if (login !== undefined) return login;
    this.badTokens += 1;
    throw new Refused(401, "M_UNKNOWN_TOKEN", "Invalid access token passed.");
  }

  async #answer(method: string, [root, api, version, ...rest]: string[], asked: Asked): Promise<Answer> {
    const { login, query, request, response, gone } = asked;
    const [what = "", a = "", b = "", c = "", d = ""] = rest;
    this.asked.push([method, ...rest].join(" "));
    const known = parameters[b === "messages" ? b : what === "media" ? a : what] ?? [];
    const odd = [...query.keys()].find((key) => !known.includes(key));
    if (odd !== undefined) throw new Refused(400, "M_INVALID_PARAM", `unknown parameter ${odd}`);
    const more = what === "rooms" ? b : what === "media" || what === "account" ? a : "";
    const route = [method, root, api, version, what, more].filter(Boolean).join(" ");
    switch (route) {
      case "GET _matrix client v3 account whoami":
        return { user_id: login.user, device_id: login.device, is_guest: false };
      case "GET _matrix client v3 sync":
        return this.sync.sync(login, query, gone);
      case "POST _matrix client v3 join":
        await objectIn(request);
        if (this.deadRooms.has(a)) return await new Promise<never>(() => undefined);
        return { room_id: this.rooms.join(login.user, a).id };
      case "GET _matrix client v3 rooms messages":
        return this.sync.messages(login, a, query);
      case "GET _matrix client v3 rooms event":
        return seenBy(login.device, this.rooms.event(this.rooms.joined(login.user, a), c));
      case "GET _matrix client v3 rooms state": {
        const state = this.rooms.joined(login.user, a).state(c);
        if (state === undefined) throw new Refused(404, "M_NOT_FOUND", "Event not found.");
        return state.event.content;
      }
      case "PUT _matrix client v3 rooms send":
        return this.#once(asked, a, d, (content, txn) => this.#send(login.user, a, c, content, txn));
      case "PUT _matrix client v3 rooms redact":
        return this.#once(asked, a, d, (content, txn) =>
          this.rooms.redact(this.rooms.joined(login.user, a), login.user, c, content, txn),
        );
      case "PUT _matrix client v3 rooms typing":
        return this.#type(asked, a, c);
      case "POST _matrix media v3 upload":
        return this.media.upload(request);
      case "GET _matrix client v1 media download":
        return (await this.media.download(b, c, response)) ?? "answered";
      default:
        throw new Refused(404, "M_UNRECOGNIZED", "Unrecognized request");
    }
  }

  /** The same transaction of the same login in the same room is the same event, whatever it was to be: so does Synapse. */
  async #once(
    { login, request }: Asked,
    room: string,
    id: string,
    send: (content: Content, txn: NonNullable<Stored["txn"]>) => Stored,
  ): Promise<object> {
    const content = await objectIn(request);
    if (performance.now() < this.#waitUntil) {
      this.early += this.#isWarned ? 1 : 0;
      this.#isWarned = true;
      throw new Refused(429, "M_LIMIT_EXCEEDED", "Too Many Requests");
    }
    this.#isWarned = false;
    const key = [login.device, room, id].join(" ");
    const known = this.#transactions.get(key);
    if (known !== undefined) return known;
    const answer = { event_id: send(content, { device: login.device, id }).event.event_id };
    this.#transactions.set(key, answer);
    return answer;
  }
  #isWarned = false;

  #send(
    user: string,
    roomId: string,
    type: string,
    content: Content,
    txn: NonNullable<Stored["txn"]>,
  ): Stored {
    const room = this.rooms.joined(user, roomId);
    if (
      type === "m.room.message" &&
      (typeof content.msgtype !== "string" || typeof content.body !== "string")
    )
      throw new Refused(400, "M_BAD_JSON", "m.room.message needs msgtype and body");
    checkContent(content);
    const about = (content["m.relates_to"] ?? {}) as { rel_type?: string; event_id?: string; key?: string };
    if (about.event_id !== undefined) this.#checkRelation(user, roomId, about);
    return this.rooms.add(room, user, type, content, undefined, txn);
  }

  #checkRelation(
    user: string,
    roomId: string,
    about: { rel_type?: string; event_id?: string; key?: string },
  ): void {
    const room = this.rooms.joined(user, roomId);
    const target = room.events.find(({ event }) => event.event_id === about.event_id);
    if (target === undefined) throw new Refused(400, "M_UNKNOWN", "Can't send relation to unknown event");
    const isRelated = "m.relates_to" in target.event.content;
    if (
      about.rel_type === "m.thread" &&
      isRelated &&
      (target.event.content["m.relates_to"] as Content).rel_type !== undefined
    )
      throw new Refused(400, "M_UNKNOWN", "Cannot start threads from an event with a relation");
    const isSame = ({ event }: Stored): boolean =>
      event.type === "m.reaction" &&
      event.sender === user &&
      isSameAnnotation(event.content["m.relates_to"], about);
    if (about.rel_type === "m.annotation" && typeof about.key !== "string")
      throw new Refused(400, "M_UNKNOWN", "Missing aggregation key");
    if (about.rel_type === "m.annotation" && room.events.some(isSame))
      throw new Refused(400, "M_DUPLICATE_ANNOTATION", "Can't send same reaction twice");
  }

  async #type({ login, request }: Asked, roomId: string, user: string): Promise<object> {
    const { typing, timeout } = await objectIn(request);
    if (user !== login.user) throw new Refused(403, "M_FORBIDDEN", "Cannot set another user's typing state");
    const room = this.rooms.joined(user, roomId);
    if (typeof typing !== "boolean" || (typing && typeof timeout !== "number"))
      throw new Refused(400, "M_BAD_JSON", "typing and timeout are needed");
    if (typing) this.typing.set(room.id, new Set([...(this.typing.get(room.id) ?? []), user]));
    return {};
  }
}

const isSameAnnotation = (one: unknown, { event_id, key }: { event_id?: string; key?: string }): boolean => {
  const other = one as { event_id?: string; key?: string } | undefined;
  return other?.event_id === event_id && other?.key === key;
};

async function objectIn(request: IncomingMessage): Promise<Content> {
  let body: unknown;
  try {
    body = JSON.parse(await readText(request));
  } catch {
    throw new Refused(400, "M_NOT_JSON", "Content not JSON.");
  }
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw new Refused(400, "M_BAD_JSON", "Content must be a JSON object.");
  return body as Content;
}
