// IRC: messages of channels and people, in both directions. link.ts is the connection, up to being in the channels; messages.ts is what is said over it.
import { defineConnector } from "spoolway/sdk";
import { Link } from "./link.ts";
import type { Config } from "./manifest.d.ts";
import { sendMessage, toDraft } from "./messages.ts";

export default defineConnector<Config, Link>({
  connect: (ctx) => new Link(ctx, toDraft).enter(),
  receive: (link, { config }) => link.run(config.retry_s * 1000, () => link.presence.restore()),
  send: sendMessage,
  probe: (link) => link.probe(),
  close: (link) => link.close(),
});
