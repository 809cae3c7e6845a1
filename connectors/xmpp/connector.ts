// XMPP: people and rooms, in both directions. stream.ts is the connection; what is said over it, which no library needs to know of, is spoolway/sdk/xmpp/session.
import type { Element } from "@xmpp/client";
import { defineConnector } from "spoolway/sdk";
import { serverOf } from "spoolway/sdk/socket/srv";
import { XmppSession } from "spoolway/sdk/xmpp/session";
import type { Config } from "./manifest.d.ts";
import { Stream } from "./stream.ts";

export default defineConnector<Config, XmppSession<Element>>({
  async connect(ctx) {
    const { config, name } = ctx;
    const [username = "", domain = ""] = config.jid.split("@");
    const found = config.server === undefined ? await serverOf("_xmpp-client._tcp", domain) : {};
    const { nick = username, resource = `spoolway-${name}` } = config;
    const settings = { server: domain, ...found, ...config, username, domain, nick, resource };
    return new XmppSession(ctx, new Stream(settings), settings).enter();
  },
  receive: (session) => session.run(),
  sync: (session, since, ctx) => session.sync(since, ctx),
  send: (session, message, ctx) => session.send(message, ctx),
  reconcile: (session, message) => session.reconcile(message),
  probe: (session) => session.probe(),
  close: (session) => session.close(),
});
