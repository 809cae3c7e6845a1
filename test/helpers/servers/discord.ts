// A Discord of our own: the HTTP API with its authentication, limits, buckets and nonces, files, and the gateway (discordGateway.ts), on one port. What happens there is in
// discordWorld.ts. Written from https://docs.discord.com/developers.
import { createReadStream } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { freePort } from "../ports.ts";
import { DiscordGateway } from "./discordGateway.ts";
import { checkedFiles, contentOf, editedFiles, type Posted, postedIn } from "./discordPosted.ts";
import { invalidForm, type Json, Refusal, World } from "./discordWorld.ts";

interface Bucket {
  left: number;
  resetAt: number;
}
interface Answer {
  status: number;
  body?: unknown;
}

/** Channels that hold no messages: categories, directories, forums, media. */
const bare: readonly number[] = [4, 14, 15, 16];

export class Discord {
  readonly token = "MTE2.R2FtZQ.c3Bvb2x3YXktdGVzdC10b2tlbg";
  readonly world = new World();
  readonly gateway = new DiscordGateway(this.world, this.token, () => `ws://127.0.0.1:${this.publicPort}`);
  port = 0;
  /** Where clients find us, if not at our port. */
  publicPort = 0;
  /** Messages to one channel in one window. */
  limit = { count: 5, windowMs: 250 };
  /** Messages to this channel have to wait, as in slow mode: 429 with a bucket that is not empty. */
  slow: { channel: string; until: number } | undefined;
  /** The answer to the next request about a message: a Refusal, or what Cloudflare says instead of the API. */
  readonly refusals: Array<Refusal | "blocked"> = [];
  /** Takes messages and never answers. */
  isSwallowing = false;
  /** Answers everything with 429 until then. */
  waitUntil = 0;
  /** It is the whole bot's limit, and not a channel's. */
  isGlobalWait = false;
  /** Requests that came although they should have waited. */
  early = 0;
  /** Messages that came while their channel was slow. */
  slowed = 0;
  /** Of the next file that is fetched: another answer. */
  cdnStatus = 200;
  readonly requests: string[] = [];
  readonly #buckets = new Map<string, Bucket>();
  readonly #nonces = new Map<string, Json>();
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  async start(): Promise<void> {
    this.port ||= await freePort();
    this.publicPort ||= this.port;
    this.world.cdn = `http://127.0.0.1:${this.publicPort}`;
    const server = createServer((request, response) => void this.#answer(request, response));
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    this.gateway.attach(server);
    await new Promise<void>((resolve) => server.listen(this.port, "127.0.0.1", resolve));
    this.#server = server;
  }

  /** Dies; a gateway that starts anew knows no session. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    this.gateway.cut({ sessions: false });
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "", "http://localhost");
    response.on("error", () => undefined); // a client that was killed
    try {
      if (url.pathname.startsWith("/attachments/")) return this.#serveFile(url, response);
      const posted = await postedIn(request);
      const { status, body } = this.#handle(request, url, posted, response);
      if (this.isSwallowing && request.method !== "GET") return;
      send(response, status, body);
    } catch (error) {
      if (error instanceof Refusal) send(response, error.status, error.body);
      else if (!request.destroyed) send(response, 500, { message: String(error), code: 0 });
    }
  }

  #handle(request: IncomingMessage, url: URL, posted: Posted, response: ServerResponse): Answer {
    const { method = "GET", headers } = request;
    this.requests.push(`${method} ${url.pathname}${url.search}`);
    if (!/^DiscordBot \(.+, .+\)/.test(headers["user-agent"] ?? ""))
      throw new Refusal(403, 40333, "internal network error");
    if (headers.authorization !== `Bot ${this.token}`) throw new Refusal(401, 0, "401: Unauthorized");
    const [, version, path = ""] = /^\/api\/v(\d+)(\/.*)$/.exec(url.pathname) ?? [];
    if (version !== "10") throw new Refusal(404, 0, "404: Not Found");
    const waitMs = this.waitUntil - Date.now();
    if (waitMs > 0 && path !== "/gateway/bot") {
      this.early += this.#wasTold ? 1 : 0;
      this.#wasTold = true;
      const scope = this.isGlobalWait ? "global" : "user";
      throw this.#wait(waitMs, response, scope, { left: 0, resetAt: this.waitUntil });
    }
    this.#wasTold = false;
    const refusal = path.includes("/messages") && method !== "GET" ? this.refusals.shift() : undefined;
    if (refusal === "blocked") return { status: 403, body: "error code: 1020" };
    if (refusal !== undefined) throw refusal;
    const [, channel = "", rest = ""] = /^\/channels\/(\d+)(.*)$/.exec(path) ?? [];
    if (method === "POST" && rest === "/messages") this.#count(channel, response);
    return channel === ""
      ? this.#other(`${method} ${path}`, posted)
      : this.#ofChannel(method, channel, rest, url, posted);
  }

  #wasTold = false;

  #count(channel: string, response: ServerResponse): void {
    this.world.channel(channel);
    const known = this.#buckets.get(channel);
    const isOver = known === undefined || known.resetAt <= Date.now();
    const bucket = isOver ? { left: this.limit.count, resetAt: Date.now() + this.limit.windowMs } : known;
    this.#buckets.set(channel, bucket);
    if (this.slow?.channel === channel && this.slow.until > Date.now()) {
      this.slowed += 1;
      throw this.#wait(this.slow.until - Date.now(), response, "shared", bucket);
    }
    if (bucket.left === 0) {
      this.early += 1;
      throw this.#wait(bucket.resetAt - Date.now(), response, "user", bucket);
    }
    bucket.left -= 1;
    this.#limitHeaders(response, bucket);
  }

  #wait(ms: number, response: ServerResponse, scope: string, bucket: Bucket): Refusal {
    if (scope === "global") response.setHeader("x-ratelimit-global", "true");
    else this.#limitHeaders(response, bucket);
    response.setHeader("retry-after", String(Math.ceil(ms / 1000)));
    response.setHeader("x-ratelimit-scope", scope);
    const refusal = new Refusal(429, 0, "You are being rate limited.");
    Object.assign(refusal.body, { retry_after: ms / 1000, global: scope === "global" });
    return refusal;
  }

  #limitHeaders(response: ServerResponse, { left, resetAt }: Bucket): void {
    response.setHeader("x-ratelimit-limit", String(this.limit.count));
    response.setHeader("x-ratelimit-remaining", String(left));
    response.setHeader("x-ratelimit-reset", String(resetAt / 1000));
    response.setHeader("x-ratelimit-reset-after", String(Math.max(0, resetAt - Date.now()) / 1000));
    response.setHeader("x-ratelimit-bucket", "d721dea6054f6322373d361f98e5c38b");
  }

  #other(what: string, { body }: Posted): Answer {
    if (what === "GET /gateway/bot") {
      const session_start_limit = {
        total: 1000,
        remaining: this.gateway.identifiesLeft,
        reset_after: 3000,
        max_concurrency: 1,
      };
      return {
        status: 200,
        body: { url: `ws://127.0.0.1:${this.publicPort}`, shards: 1, session_start_limit },
      };
    }
    if (what !== "POST /users/@me/channels") throw new Refusal(404, 0, "404: Not Found");
    const { recipient_id } = body;
    if (typeof recipient_id !== "string")
      throw invalidForm("recipient_id", "BASE_TYPE_REQUIRED", "This field is required");
    if (!this.world.knows(recipient_id))
      throw new Refusal(400, 50278, "Cannot send messages to this user due to having no mutual guilds");
    const known = [...this.world.channels.values()].find((one) => one.recipient_id === recipient_id);
    return { status: 200, body: known ?? this.world.addChannel({ type: 1, recipient_id }) };
  }

  #ofChannel(method: string, channel: string, rest: string, url: URL, posted: Posted): Answer {
    const { world } = this;
    const found = world.channel(channel);
    if (method === "GET" && rest === "") return { status: 200, body: found };
    if (method === "POST" && rest === "/typing") {
      world.typing.push(channel);
      return { status: 204 };
    }
    if (rest === "/messages" && bare.includes(found.type))
      throw new Refusal(400, 50024, "Cannot execute action on this channel type");
    if (method === "GET" && rest === "/messages")
      return { status: 200, body: this.#history(channel, url.searchParams) };
    if (method === "POST" && rest === "/messages")
      return { status: 200, body: this.#create(channel, posted) };
    const [, id = "", more = ""] = /^\/messages\/(\d+)(.*)$/.exec(rest) ?? [];
    const message = world.message(channel, id);
    if (method === "PUT" && /^\/reactions\/[^/]+\/@me$/.test(more)) {
      const emoji = decodeURIComponent(more.split("/")[2] ?? "");
      if (!/^(\p{Extended_Pictographic}\S*|\w+:\d+)$/u.test(emoji))
        throw new Refusal(400, 10014, "Unknown Emoji");
      world.react(message, world.me, emoji);
      return { status: 204 };
    }
    if (more !== "" || !["PATCH", "DELETE"].includes(method)) throw new Refusal(404, 0, "404: Not Found");
    const isOurs = message.author.id === world.me.id;
    if (method === "DELETE") {
      if (!isOurs) throw new Refusal(403, 50013, "Missing Permissions");
      world.delete(message);
      return { status: 204 };
    }
    if (!isOurs) throw new Refusal(403, 50005, "Cannot edit a message authored by another user");
    const { content = message.content } = posted.body;
    const { kept, added } = editedFiles(posted, message.attachments);
    const text = contentOf({ content }, kept.length + added.length);
    return { status: 200, body: world.edit(message, text, kept, added) };
  }

  #history(channel: string, query: URLSearchParams): Json[] {
    const limit = Number(query.get("limit") ?? 50);
    if (!(limit >= 1 && limit <= 100))
      throw invalidForm("limit", "NUMBER_TYPE_MAX", "int value should be between 1 and 100.");
    const after = query.get("after");
    const all = this.world.messages.get(channel) ?? [];
    const page =
      after === null ? all.slice(-limit) : all.filter(({ id }) => BigInt(id) > BigInt(after)).slice(0, limit);
    return page.toReversed();
  }

  #create(channel: string, posted: Posted): Json {
    const { body } = posted;
    const files = checkedFiles(posted.files);
    const content = contentOf(body, files.length);
    const {
      nonce,
      enforce_nonce,
      message_reference: about,
    } = body as {
      nonce?: string;
      enforce_nonce?: boolean;
      message_reference?: { message_id: string; fail_if_not_exists?: boolean };
    };
    if (nonce !== undefined && nonce.length > 25)
      throw invalidForm("nonce", "NONCE_TYPE_TOO_LONG", "Must be 25 or fewer in length.");
    const before = enforce_nonce === true ? this.#nonces.get(nonce ?? "") : undefined;
    if (before !== undefined) return before; // of any channel: it is the author's
    if (about && !/^\d{1,20}$/.test(about.message_id))
      throw invalidForm("message_reference.message_id", "NUMBER_TYPE_COERCE", "Value is not snowflake.");
    const exists = about && this.world.messages.get(channel)?.some(({ id }) => id === about.message_id);
    if (about && !exists && about.fail_if_not_exists !== false)
      throw invalidForm("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message");
    const reply = exists
      ? { type: 19, message_reference: { type: 0, message_id: about?.message_id, channel_id: channel } }
      : {};
    const message = this.world.add(
      channel,
      this.world.me,
      content,
      { ...reply, ...(nonce === undefined ? {} : { nonce }), allowed: body.allowed_mentions },
      files,
    );
    if (nonce !== undefined) this.#nonces.set(nonce, message);
    return message;
  }

  #serveFile({ pathname }: URL, response: ServerResponse): void {
    this.requests.push(`GET ${pathname}`);
    const file = this.world.files.get(pathname);
    const status = file === undefined ? 404 : this.cdnStatus;
    this.cdnStatus = 200;
    if (file === undefined || status !== 200)
      return void response.writeHead(status).end("This content is no longer available.");
    response.writeHead(200, { "content-type": file.mediaType });
    if (file.bytes instanceof Uint8Array) response.end(file.bytes);
    else createReadStream(file.bytes.path).pipe(response);
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  if (body === undefined) response.writeHead(status, { "content-type": "text/html; charset=utf-8" }).end();
  else if (typeof body === "string")
    response.writeHead(status, { "content-type": "text/html; charset=utf-8" }).end(body);
  else response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
