// Webhooks: HTTP in (events are posted to us), HTTP out (messages are posted to `url`), and a live stream of outgoing messages for web pages.
// What it does to a request is in routes.ts, to an outgoing message in deliver-out.ts.
import { defineConnector, reject, type Outgoing } from "spoolway/sdk";
import { readConfig, type Config, type Settings } from "./config.ts";
import { createSender, type Sender } from "./deliver-out.ts";
import { createHandler } from "./routes.ts";
import { listen, type HttpServer } from "./server.ts";
import { Hub } from "./stream.ts";
import { createVerifier } from "./verify.ts";

interface Session {
  settings: Settings;
  server: HttpServer;
  hub: Hub;
  post: Sender | undefined;
}

// By instance name. The histories outlive a session: listeners come back after it and ask for what they missed.
const hubs = new Map<string, Hub>();

export default defineConnector<Config, Session>({
  async connect(ctx) {
    const settings = readConfig(ctx.config);
    const verifier = createVerifier(settings.verify);
    const post = settings.url === undefined ? undefined : createSender(settings, settings.url);
    const hub = hubs.get(ctx.name) ?? new Hub({ perConversation: settings.streamHistory });
    hubs.set(ctx.name, hub);
    const server = await listen(settings, createHandler({ settings, ctx, hub, verifier }), ctx.log);
    const { host, path, verify, page } = settings;
    ctx.log.info("webhook.listening", { host, port: server.port, path, verify: verify.scheme, page });
    return { settings, server, hub, post };
  },

  receive: ({ server }, ctx) => server.ended(ctx.signal),

  async send({ settings, hub, post }, message, ctx) {
    if (post === undefined) {
      checkStreamable(message, settings);
      hub.publish(message);
      return {};
    }
    const result = await post(message, ctx);
    if (settings.stream) hub.publish(message);
    return result;
  },

  // Through the network stack and the request handler: a server that accepts and never answers is noticed.
  async probe({ settings, server }, ctx) {
    const host = { "0.0.0.0": "127.0.0.1", "::": "[::1]" }[settings.host] ?? bracketed(settings.host);
    const response = await ctx.fetch(`http://${host}:${server.port}${settings.base}health`, {
      signal: AbortSignal.timeout(5000),
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`the health check answered ${response.status}`);
  },

  async close({ server, hub }) {
    hub.endAll();
    await server.stop();
  },
});

function checkStreamable(message: Outgoing, settings: Settings): void {
  if (!settings.stream) {
    throw reject(
      "neither url nor a readable stream is configured: nobody could get this message",
      "not_supported",
      {
        hint: "Set url, or stream: true (with a signing scheme also stream_token), then: spoolway failed retry",
      },
    );
  }
  if ((message.attachments ?? []).length > 0) {
    throw reject("the stream carries no attachments", "not_supported", {
      hint: "Set url, or put the file's address into the text.",
    });
  }
}

const bracketed = (host: string): string => (host.includes(":") ? `[${host}]` : host);
