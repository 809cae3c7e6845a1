// A Slack workspace with one app in it: the Web API (slackMethods.ts), Socket Mode (slackSockets.ts) and files (slackFiles.ts) on one port. It enforces tokens, scopes, rate
// limits with Retry-After, argument names and sizes, and keeps what was said over a restart of the server.
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { join } from "node:path";
import { text as readText } from "node:stream/consumers";
import { projectRoot } from "../command.ts";
import { SlackFiles } from "./slackFiles.ts";
import { type Args, methods, scopeOf } from "./slackMethods.ts";
import { SlackSockets } from "./slackSockets.ts";
import { type Channel, type Person, shown, SlackStore, stored, type StoredMessage } from "./slackStore.ts";

export const botToken = "xoxb-1-2-fake";
export const appToken = "xapp-1-A0FAKE-3-fake";
/** Those of the app that the README tells to make: what it leaves out, nobody has. */
const readme = readFileSync(join(projectRoot, "connectors/slack/README.md"), "utf8");
const allScopes = [...readme.matchAll(/^ +- ([a-z]+:[a-z]+)$/gm)].map(([, scope = ""]) => scope);
const shareMs = 100;

type New = Omit<StoredMessage, "type" | "ts">;

export class SlackServer {
  readonly store = new SlackStore();
  readonly files = new SlackFiles(this.store);
  sockets = new SlackSockets();
  readonly bot: Person = this.store.addPerson("spool", true);
  readonly ada: Person = this.store.addPerson("ada");
  readonly botId = "B0SPOOL";
  readonly scopes = new Set(allScopes);
  /** host:port by which the app reaches it: a proxy's, where one stands before it. */
  publicHost = "";
  /** Requests of each method. */
  readonly requests: string[] = [];
  logins = 0;
  /** Requests that came although they had been asked to wait. */
  early = 0;
  /** What changes something is done, and its answer never sent. */
  swallows = false;
  /** What a method answers instead of doing anything, once each. */
  readonly refusals: Array<{ method: string; error: string }> = [];
  /** Answers to these methods wait for it. */
  holds: { method: string; until: Promise<void> } | undefined;
  /** Messages at once in a channel, after which there is one a second. */
  postBurst = 60;
  /** What happens at a method's next call, before it is looked at. */
  readonly atNext = new Map<string, () => void>();
  /** So many calls of a method in so many milliseconds. */
  readonly tiers = new Map<string, { calls: number; perMs: number }>();
  readonly #calls = new Map<string, number[]>();
  readonly #waits = new Map<string, number>();
  readonly #posts = new Map<string, { left: number; at: number }>();
  #server: Server | undefined;
  #events = 0;

  constructor() {
    this.store.addChannel("C0GENERAL", [this.bot.id, this.ada.id], { name: "general" });
    this.store.addChannel("C0RANDOM", [this.bot.id, this.ada.id], { name: "random" });
    this.store.addChannel("C0FOREIGN", [this.ada.id], { name: "foreign" });
    this.store.addChannel("D0ADA", [this.bot.id, this.ada.id], { is_im: true });
  }

  async listen(port: number): Promise<void> {
    const sockets = (this.sockets = new SlackSockets());
    const server = createServer((request, response) => void this.#answer(request, response));
    server.on("upgrade", (request, socket, head) => sockets.upgrade(request, socket, head));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", resolve);
    });
    this.#server = server;
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.sockets.close();
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  /** Every call of this method, or of all, is answered with 429 for so long. */
  impose(seconds: number, method = "*"): void {
    this.#waits.set(method, Date.now() + seconds * 1000);
  }

  channel(id: string): Channel {
    const found = this.store.channels.get(id);
    if (found === undefined) throw new Error(`no channel ${id}`);
    return found;
  }

  /** The texts of a channel as people see them, in order. */
  texts(id: string): string[] {
    return this.channel(id).messages.map(shown);
  }

  directWith(user: string): Channel {
    const has = ({ is_im, members }: Channel): boolean =>
      is_im && members.includes(user) && members.includes(this.bot.id);
    return (
      [...this.store.channels.values()].find(has) ??
      this.store.addChannel(this.store.newId("D"), [this.bot.id, user], { is_im: true })
    );
  }

  byBot(): Pick<StoredMessage, "user" | "bot_id"> {
    return { user: this.bot.id, bot_id: this.botId };
  }

  /** A user types something. */
  say(channel: string, typed: string, more: Partial<New> = {}): StoredMessage {
    return this.post(this.channel(channel), { user: this.ada.id, ...stored(typed), ...more });
  }

  post(channel: Channel, given: New): StoredMessage {
    const message: StoredMessage = { type: "message", ts: this.store.newTs(), ...given };
    this.store.add(channel, message);
    this.emit(this.inRoom(channel, message));
    return message;
  }

  edit(channel: Channel, message: StoredMessage, body: Pick<StoredMessage, "text" | "blocks">): void {
    const before = { ...message };
    const ts = this.store.newTs();
    Object.assign(message, body, { edited: { user: message.user, ts } });
    this.emit({
      ...this.inRoom(channel, { subtype: "message_changed", ts }),
      hidden: true,
      message,
      previous_message: before,
    });
  }

  remove(channel: Channel, message: StoredMessage): void {
    channel.messages.splice(channel.messages.indexOf(message), 1);
    const about = { deleted_ts: message.ts, previous_message: message };
    this.emit({
      ...this.inRoom(channel, { subtype: "message_deleted", ts: this.store.newTs() }),
      hidden: true,
      ...about,
    });
  }

  /** False where that user did already. */
  react(channel: Channel, message: StoredMessage, user: string, name: string): boolean {
    const known = (message.reactions ??= []).find((one) => one.name === name);
    if (known?.users.includes(user)) return false;
    if (known) known.users.push(user);
    else message.reactions.push({ name, users: [user], count: 1 });
    const item = { type: "message", channel: channel.id, ts: message.ts };
    this.emit({
      type: "reaction_added",
      user,
      reaction: name,
      item,
      item_user: message.user,
      event_ts: this.store.newTs(),
    });
    return true;
  }

  inRoom({ id, is_im, is_mpim, is_private }: Channel, event: object): Record<string, unknown> {
    const kind = is_im ? "im" : is_mpim ? "mpim" : is_private ? "group" : "channel";
    return { type: "message", channel: id, channel_type: kind, event_ts: this.store.newTs(), ...event };
  }

  /** An event of the Events API; returns what was sent, to be sent again. */
  emit(event: object): object {
    this.#events += 1;
    const ids = {
      team_id: "T0FAKE",
      api_app_id: "A0FAKE",
      event_id: `Ev0${this.#events}`,
      event_time: Math.floor(Date.now() / 1000),
    };
    const authorizations = [{ team_id: "T0FAKE", user_id: this.bot.id, is_bot: true }];
    const payload = structuredClone({
      token: "verification-secret",
      type: "event_callback",
      ...ids,
      authorizations,
      event,
    });
    this.sockets.emit("events_api", payload);
    return payload;
  }

  soon(then: () => void): void {
    setTimeout(then, shareMs);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, first = "", second = "", third = ""] = new URL(
      request.url ?? "/",
      "http://slack",
    ).pathname.split("/");
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
    if (first === "upload" && request.method === "POST") return this.files.receive(third, request, response);
    if (first === "files-pri")
      return this.files.give(
        second.split("-")[1] ?? "",
        token === botToken && this.scopes.has("files:read"),
        response,
      );
    if (first !== "api" || request.method !== "POST") return void response.writeHead(404).end();
    const args = Object.fromEntries(new URLSearchParams(await readText(request)));
    this.requests.push(second);
    this.atNext.get(second)?.();
    this.atNext.delete(second);
    const waitMs =
      Math.max(
        ...[this.#waits.get("*") ?? 0, this.#waits.get(second) ?? 0],
        ...[this.#postLimit(second, args), this.#tierLimit(second)],
      ) - Date.now();
    if (waitMs > 0) {
      if ((this.#told.get(second) ?? 0) > Date.now() + 50) this.early += 1;
      this.#told.set(second, Date.now() + waitMs);
      const headers = { "retry-after": String(Math.ceil(waitMs / 1000)), "content-type": "application/json" };
      return void response.writeHead(429, headers).end(JSON.stringify({ ok: false, error: "ratelimited" }));
    }
    const answer = this.#call(second, token, args);
    if (this.holds?.method === second) await this.holds.until;
    if (this.swallows && /^(chat|files\.complete|reactions)/.test(second)) return;
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
  }

  readonly #told = new Map<string, number>();

  #call(name: string, token: string | undefined, args: Args): object {
    const method = methods[name];
    if (method === undefined) return { ok: false, error: "unknown_method" };
    if (/^(auth|apps)\./.test(name)) this.logins += 1;
    const refusal = this.refusals.findIndex((one) => one.method === name);
    if (refusal >= 0) return { ok: false, error: this.refusals.splice(refusal, 1)[0]?.error };
    if (token === undefined) return { ok: false, error: "not_authed" };
    if (token !== botToken && token !== appToken) return { ok: false, error: "invalid_auth" };
    if ((token === appToken) !== (method.app ?? false)) return { ok: false, error: "not_allowed_token_type" };
    const needed = scopeOf(method, this, args);
    if (needed !== undefined && !this.scopes.has(needed))
      return { ok: false, error: "missing_scope", needed, provided: [...this.scopes].join(",") };
    const unknown = Object.keys(args).find((key) => !method.args.includes(key));
    if (unknown !== undefined)
      return {
        ok: false,
        error: "invalid_arguments",
        response_metadata: { messages: [`[ERROR] unknown argument ${unknown}`] },
      };
    return method.answer(this, args);
  }

  /** Until when a method was called often enough. */
  #tierLimit(method: string): number {
    const { calls, perMs } = this.tiers.get(method) ?? { calls: Infinity, perMs: 0 };
    const now = Date.now();
    const recent = (this.#calls.get(method) ?? []).filter((at) => at > now - perMs);
    if (recent.length >= calls) return (recent[0] ?? now) + perMs;
    this.#calls.set(method, [...recent, now]);
    return 0;
  }

  /** Until when a channel is full. */
  #postLimit(method: string, { channel = "" }: Args): number {
    if (method !== "chat.postMessage") return 0;
    const now = Date.now();
    const { left, at } = this.#posts.get(channel) ?? { left: this.postBurst, at: now };
    const has = Math.min(this.postBurst, left + (now - at) / 1000);
    this.#posts.set(channel, { left: has >= 1 ? has - 1 : has, at: now });
    return has >= 1 ? 0 : now + (1 - has) * 1000;
  }
}
