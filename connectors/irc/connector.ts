// IRC: messages of channels and people, in both directions. This file is the life of a session; the rest is told by the files' names: link.ts (the connection),
// presence.ts (up to the nick, in the channels), events.ts (in), outgoing.ts (out).
import { defineConnector, sleep } from "spoolway/sdk";
import { Deliveries } from "spoolway/sdk/deliveries";
import { toDraft } from "./events.ts";
import { type IrcConfig, Link } from "./link.ts";
import { sendMessage } from "./outgoing.ts";
import { Presence, register } from "./presence.ts";

type Session = { link: Link; presence: Presence; deliveries: Deliveries };

export default defineConnector<IrcConfig, Session>({
  async connect(ctx) {
    const deliveries = new Deliveries(ctx);
    const link = new Link(ctx.config, (message) => {
      const draft = toDraft(message, link);
      // The server will not say it again: while the disk is behind, the socket is not read.
      if (draft) link.socket?.hold(deliveries.add({ draft, bytes: 1024 }));
    });
    const { tls, password, sasl } = ctx.config;
    if (!tls && (password ?? sasl?.password) !== undefined)
      ctx.log.warn("irc.password_in_clear", { hint: "Use TLS: everybody on the way can read it." });
    link.endWith(ctx.signal);
    try {
      await register(link);
      const presence = new Presence(link, ctx.log);
      await presence.restore();
      return { link, presence, deliveries };
    } catch (error) {
      await link.close();
      throw error;
    }
  },

  async receive({ link, presence, deliveries }, ctx) {
    try {
      for (;;) {
        await sleep(ctx.config.retry_s * 1000, link.lost);
        link.lost.throwIfAborted();
        await presence.restore();
      }
    } finally {
      await deliveries.idle();
    }
  },

  send: ({ link, presence }, message) => sendMessage(link, presence, message),

  async probe({ link }, ctx) {
    await link.exchange([], () => false, { timeoutMs: 10_000, urgent: true });
    ctx.heard();
  },

  close: ({ link }) => link.close(),
});
