// The Bot API over HTTP on the fake of Telegram: tokens, long polling with its offset and its conflicts, webhooks, flood control, files; and what a test needs: being
// away, falling silent, swallowing answers.
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type Form, readForm } from "./formData.ts";
import type { Telegram, Update } from "./telegram.ts";
import { ApiError, methodsOf, type Methods, type Params } from "./telegramApi.ts";

export interface ServerOptions {
  token: string;
  port: number;
  /** Its own Bot API server, run with --local: no limit for downloads, whose paths are absolute, and 2000 MB for uploads. */
  local?: boolean;
}

const terminated =
  "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
const webhookActive =
  "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";

export class TelegramServer {
  /** getMe, and everything that was refused for its token. */
  logins = 0;
  /** Sends that came although they should have waited. */
  early = 0;
  /** Requests with a file that were refused. */
  refusedFiles = 0;
  /** Answers are kept back: `send` those to what was sent, `all` all. */
  silent: "send" | "all" | undefined;
  webhook = "";
  /** The next call of this method is done, and its connection breaks before it is answered. */
  dropAnswersTo: string | undefined;
  /** After logOut. */
  loggedOut = false;
  /** Everything is answered with a redirect to it. */
  movedTo: string | undefined;
  /** Answers getUpdates at once, whatever is asked. */
  impatient = false;
  /** The next so many calls are answered with this status and a page. */
  broken = { calls: 0, status: 502 };
  polls = 0;
  readonly telegram: Telegram;
  readonly #options: ServerOptions;
  readonly #methods: Methods;
  #server: Server | undefined;
  #limitedUntil = 0;
  #told = false;
  #afterSends: { sends: number; then: () => void } | undefined;
  #poll: { update(): void; conflict(words: string): void } | undefined;

  constructor(telegram: Telegram, options: ServerOptions) {
    this.telegram = telegram;
    this.#options = options;
    const [uploadMaxBytes, downloadMaxBytes] = options.local
      ? [2000 * 2 ** 20, Infinity]
      : [50 * 2 ** 20, 20 * 2 ** 20];
    this.#methods = methodsOf(telegram, { uploadMaxBytes, downloadMaxBytes });
    telegram.onUpdate = () => this.#poll?.update();
  }

  get url(): string {
    return `http://127.0.0.1:${this.#options.port}`;
  }

  async start(): Promise<void> {
    this.silent = undefined;
    if (this.#server?.listening) return;
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.listen(this.#options.port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  /** Gone at once, with all its connections. */
  async stop(): Promise<void> {
    if (!this.#server?.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  /** After so many sends from now: flood control. */
  limitAfter(sends: number, seconds: number): void {
    this.#afterSends = { sends, then: () => this.limit(seconds) };
  }

  /** After so many sends from now: what is sent is taken, and not answered. */
  silentAfter(sends: number): void {
    this.#afterSends = { sends, then: () => (this.silent = "send") };
  }

  /** Flood control: sends are answered with 429. */
  limit(seconds: number): void {
    this.#limitedUntil = performance.now() + seconds * 1000;
    this.#told = false;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, kind = "", token = "", path = ""] =
      /^\/(bot|file\/bot)([^/]*)\/([^?]*)/.exec(request.url ?? "") ?? [];
    try {
      const { params, form } = await bodyOf(request);
      const method = path.toLowerCase();
      if (kind === "" || !/^\d+:[\w-]{10,}$/.test(token)) throw new ApiError(404, "Not Found");
      if (token !== this.#options.token || method === "getme") this.logins += 1;
      if (token !== this.#options.token) throw new ApiError(401, "Unauthorized");
      if (this.silent === "all") return;
      if (this.movedTo !== undefined)
        return void response
          .writeHead(301, { location: `${this.movedTo}${request.url}` })
          .end("<html>Moved</html>");
      if (this.loggedOut) throw new ApiError(400, "Logged out");
      if (kind === "file/bot") return this.#file(decodeURIComponent(path), response);
      if (this.broken.calls-- > 0)
        return void response.writeHead(this.broken.status).end("<html>Bad Gateway</html>");
      const result = await this.#call(method, params, form, response);
      if (this.dropAnswersTo === method) {
        this.dropAnswersTo = undefined;
        return void response.destroy();
      }
      if (!this.#isKept(method)) answer(response, 200, { ok: true, result });
    } catch (error) {
      if (!(error instanceof ApiError)) return void response.destroy(); // the client broke off
      if (request.headers["content-type"]?.startsWith("multipart/")) this.refusedFiles += 1;
      const { code, message: description, parameters } = error;
      if (this.silent !== "all")
        answer(response, code, {
          ok: false,
          error_code: code,
          description,
          ...(parameters && { parameters }),
        });
    }
  }

  #isKept(method: string): boolean {
    return this.silent === "all" || (this.silent === "send" && this.#methods[method]?.sends === true);
  }

  async #call(name: string, params: Params, form: Form, response: ServerResponse): Promise<unknown> {
    if (name === "getupdates") return this.#getUpdates(params, response);
    if (name === "getwebhookinfo")
      return { url: this.webhook, pending_update_count: this.telegram.queue.length };
    const method = Object.hasOwn(this.#methods, name) ? this.#methods[name] : undefined;
    if (!method) throw new ApiError(404, "Not Found: method not found");
    known(params, method.params);
    if (method.sends) {
      if (this.#afterSends && this.#afterSends.sends-- === 0) this.#afterSends.then();
      this.#flood();
    }
    return method.call(params, form);
  }

  #flood(): void {
    const leftMs = this.#limitedUntil - performance.now();
    if (leftMs <= 0) return;
    if (this.#told) this.early += 1;
    this.#told = true;
    const seconds = Math.ceil(leftMs / 1000);
    throw new ApiError(429, `Too Many Requests: retry after ${seconds}`, { retry_after: seconds });
  }

  /** One at a time; the answer comes when there is something, or after `timeout` seconds. */
  async #getUpdates(params: Params, response: ServerResponse): Promise<Update[]> {
    known(params, ["offset", "limit", "timeout", "allowed_updates"]);
    const {
      offset = 0,
      limit = 100,
      timeout = 0,
      allowed_updates: allowed,
    } = params as { offset?: number; limit?: number; timeout?: number; allowed_updates?: string[] };
    this.polls += 1;
    this.#poll?.conflict(terminated);
    if (this.webhook !== "") throw new ApiError(409, webhookActive);
    const { telegram } = this;
    if (allowed) telegram.allowed = allowed.length === 0 ? undefined : new Set(allowed);
    if (offset < 0) telegram.queue = telegram.queue.slice(offset);
    telegram.queue = telegram.queue.filter(({ update_id }) => update_id >= offset);
    const waitMs = this.impatient ? 0 : Math.min(timeout, 50) * 1000;
    if (telegram.queue.length === 0 && waitMs > 0) await this.#update(waitMs, response);
    return telegram.queue.filter(({ update_id }) => update_id >= offset).slice(0, Math.min(limit, 100));
  }

  async #update(ms: number, response: ServerResponse): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const poll = { update: resolve, conflict: (words: string) => reject(new ApiError(409, words)) };
    this.#poll = poll;
    const timer = setTimeout(resolve, ms);
    response.once("close", resolve); // whoever asked is gone, and must not take an update with it
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      if (this.#poll === poll) this.#poll = undefined;
    }
  }

  #file(path: string, response: ServerResponse): void {
    const file = [...this.telegram.files.values()].find((one) => one.path === path);
    if (this.#options.local || !file?.bytes) throw new ApiError(404, "Not Found");
    response
      .writeHead(200, { "content-type": "application/octet-stream", "content-length": file.size })
      .end(file.bytes);
  }
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function known(params: Params, names: readonly string[]): void {
  const unknown = Object.keys(params).find((name) => !names.includes(name));
  if (unknown !== undefined) throw new ApiError(400, `Bad Request: unknown parameter ${unknown}`);
}

/** Read to its end, as a server does that has to know the parameters. */
async function bodyOf(request: IncomingMessage): Promise<{ params: Params; form: Form }> {
  const type = request.headers["content-type"] ?? "";
  if (type.startsWith("multipart/form-data")) {
    const form = await readForm(request, type);
    const { reply_parameters: reply, ...params } = form.fields;
    return { params: { ...params, ...(reply && { reply_parameters: JSON.parse(reply) as object }) }, form };
  }
  const text = Buffer.concat(await request.toArray()).toString("utf8");
  try {
    return { params: text === "" ? {} : (JSON.parse(text) as Params), form: { fields: {}, files: [] } };
  } catch {
    throw new ApiError(400, "Bad Request: can't parse JSON object"); // the words say it all
  }
}
