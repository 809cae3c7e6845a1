// Telegram: a bot, through the Bot API. events.ts makes events of updates, messages.ts makes calls of messages.
import { defineConnector, stop } from "spoolway/sdk";
import { followOffset } from "spoolway/sdk/offset-loop";
import { Recent } from "spoolway/sdk/recent";
import { openApi, type Session } from "./api.ts";
import { toDrafts } from "./events.ts";
import type { Config } from "./manifest.d.ts";
import { sendMessage } from "./messages.ts";

export default defineConnector<Config, Session>({
  async connect(ctx) {
    const api = openApi(ctx);
    const { url = "" } = await api.getWebhookInfo();
    const hint = `End the program that set it, or remove it: curl "${ctx.config.api_url}/bot<token>/deleteWebhook"`;
    if (url) throw stop(`a webhook at ${new URL(url).host} gets this bot's updates`, hint, "conflict");
    return { me: await api.getMe(), api, parts: await Recent.open<string[]>(ctx.state, "parts") };
  },
  async receive(session, ctx) {
    const wanted = { timeout: ctx.config.poll_s, allowed_updates: ctx.config.updates };
    const ask = (offset: number) => session.api.getUpdates({ offset, ...wanted });
    await followOffset(ctx, ask, async (update) => {
      for (const draft of await toDrafts(update, session, ctx)) await ctx.deliver(draft);
    });
  },
  send: sendMessage,
  // A poll may be silent when all is well; this may not.
  probe: async ({ api }) => void (await api.getMe()),
});
