// Slack: the Web API, and one WebSocket of Socket Mode. events.ts makes events of what Slack says, send.ts is what goes out, errors.json what refusals mean.
import { defineConnector } from "spoolway/sdk";
import { CatchUp } from "spoolway/sdk/catch-up";
import { Lookups } from "spoolway/sdk/lookups";
import { MessageSocket } from "spoolway/sdk/socket/message-socket";
import { MethodApi } from "spoolway/sdk/http/method-api";
import { People } from "spoolway/sdk/people";
import { Recent } from "spoolway/sdk/recent";
import WebSocket from "ws";
import errors from "./errors.json" with { type: "json" };
import { history, isHello, receive } from "./events.ts";
import { reconcile, send } from "./send.ts";
import type { Answer, Config, Envelope, Slack } from "./slack.d.ts";

const methods = { errors, changes: /^(chat|reactions|files\.complete)/, vital: /^(auth|apps)\./ };

export default defineConnector<Config, Slack>({
  async connect(ctx) {
    const { api_url: url, bot_token: token, app_token } = ctx.config;
    const api = new MethodApi<Answer>(ctx, { url, token, ...methods });
    const me = await api.call("auth.test");
    const people = new People(api.one("user", "users.info"), [me.user_id, me.bot_id]);
    const rooms = new Lookups(api.one("channel", "conversations.info"));
    const files = new Lookups(api.one("file", "files.info"));
    const uploads = await Recent.open<string>(ctx.state, "uploads");
    const { url: address } = await api.call("apps.connections.open", {}, app_token);
    const socket = await MessageSocket.open<Envelope>(WebSocket, address, ctx.signal, isHello);
    return { ctx, api, me, socket, people, rooms, files, uploads, missed: new CatchUp(ctx.signal) };
  },
  receive,
  sync: (slack, since, ctx) => slack.missed.run(history(slack), since, ctx),
  send,
  reconcile,
  probe: ({ socket }) => socket.probe(5000),
  close: async ({ socket }) => socket.close(),
});
