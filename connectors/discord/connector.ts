// Discord: a bot. events.ts makes events of what its gateway says, messages.ts sends through its HTTP API, by @discordjs/rest, which keeps the rate limits (buckets): each
// request goes once, on this session's fetch, and its failure has a fate.
import { DiscordAPIError, RateLimitError, REST, type RESTOptions } from "@discordjs/rest";
import type { APIGatewayBotInfo, APIThreadChannel } from "discord-api-types/v10";
import { type Context, defineConnector, rateLimited, retry } from "spoolway/sdk";
import { explained } from "spoolway/sdk/http/explained";
import { OpGateway } from "spoolway/sdk/socket/op-gateway";
import { Places } from "spoolway/sdk/places";
import { Recent } from "spoolway/sdk/recent";
import { unanswered } from "spoolway/sdk/http/refusals";
import WebSocket from "ws";
import type { Limit, Session } from "./discord.d.ts";
import errors from "./errors.json" with { type: "json" };
import { take } from "./events.ts";
import type { Config } from "./manifest.d.ts";
import { send } from "./messages.ts";

/** Guilds, their messages and reactions, direct messages and theirs. */
const intents = (1 << 0) | (1 << 9) | (1 << 10) | (1 << 12) | (1 << 13);
const messageContent = 1 << 15;
const properties = { os: process.platform, browser: "spoolway", device: "spoolway" };
/** No retries: fetch gives up by itself, on silence, not on a large file. Of buckets that are not in use it is told each hour to forget them. */
const once = { version: "10", retries: 0, timeout: 2e9, hashSweepInterval: 0 };
/** A bucket that is full for no longer is waited for here: its channel waits, the others go on. */
const waitMaxMs = 6000;
/** More than one can send while a connection is dead and nobody has noticed. */
const maxSent = 300;

export default defineConnector<Config, Session>({
  async connect(ctx) {
    const { token, message_content } = ctx.config;
    const call = openRest(ctx);
    const gateway: Session["gateway"] = await OpGateway.open(ctx, {
      token,
      identify: { intents: intents | (message_content ? messageContent : 0), properties },
      async mainUrl() {
        const { url, session_start_limit: left } = await call<APIGatewayBotInfo>("GET", "/gateway/bot");
        if (left.remaining > 0) return url;
        // One more would cost the token.
        throw rateLimited("Discord allows no new session today", left.reset_after);
      },
      connect: (url) => new WebSocket(`${url}?v=10&encoding=json`, { handshakeTimeout: 20_000 }),
      closed: (code, words) => explained(errors, code, words, { fate: "reconnect" }),
    });
    const places = new Places(async (id) => {
      const { type, name, parent_id } = await call<APIThreadChannel>("GET", `/channels/${id}`);
      const isThread = type >= 10 && type <= 12;
      return { type: Number(type) === 1 ? "direct" : "channel", name, parent: isThread ? parent_id : null };
    }, ctx.log);
    const sent = await Recent.open<true>(ctx.state, "sent", maxSent);
    return { call, gateway, places, sent, posts: await Recent.open(ctx.state, "posts") };
  },
  receive: (session, ctx) => session.gateway.run(ctx, (event, id) => take(event, id, session, ctx)),
  send,
  probe: ({ gateway }) => gateway.probe(5000),
  close: async ({ gateway }) => gateway.close(),
});

function openRest({ config, fetch, signal }: Context<Config>): Session["call"] {
  const rejectOnRateLimit = (limit: Limit): boolean => waitMs(limit) > waitMaxMs;
  const makeRequest: RESTOptions["makeRequest"] = (url, { method, headers, body, signal: over }) =>
    fetch(url, { method, headers, body, signal: over, duplex: "half" } as RequestInit);
  const rest = new REST({ ...once, api: config.api_url, rejectOnRateLimit, makeRequest }).setToken(
    config.token,
  );
  signal.addEventListener("abort", () => rest.clearHandlerSweeper(), { once: true });
  return <T>(method: string, fullRoute: `/${string}`, more = {}) =>
    rest.request({ ...more, method: method as never, fullRoute }).catch(fail) as Promise<T>;
}

const waitMs = ({ timeToReset, retryAfter }: Limit): number => Math.max(timeToReset, retryAfter);

function fail(error: Error): never {
  if (error instanceof RateLimitError) {
    const retryAfterMs = waitMs(error);
    const words = `Discord: wait ${Math.ceil(retryAfterMs / 1000)} s, ${error.route}`;
    // In slow mode a channel may be full for hours, which is nothing to the others.
    throw error.global ? rateLimited(words, retryAfterMs) : retry(words, { retryAfterMs });
  }
  if (!(error instanceof DiscordAPIError)) throw unanswered(error);
  const code = { 401: 4004, 413: 40005 }[error.status] ?? error.code;
  // Not the API's answer: somebody before it blocks us, for a while.
  if (code === undefined) throw retry(`Discord: ${error.status}, and not from its API`);
  throw explained(errors, code, `Discord: ${error.message} (${code})`, errors.other);
}
