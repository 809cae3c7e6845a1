// A connector that accepts every message; each sync delivers one event. For the supervisor's tests.
import { setTimeout as delay } from "node:timers/promises";
import { defineConnector, sleep } from "spoolway/sdk";

export default defineConnector<{ send_ms: number }>({
  async connect() {},
  async receive(_session, { signal }) {
    await sleep(3_600_000, signal);
  },
  async send(_session, message, { config }) {
    await delay(config.send_ms);
    return { platform_id: message.id };
  },
  async sync(_session, since, ctx) {
    const next = String(Number(since ?? 0) + 1);
    await ctx.deliver({ key: [next], content: { text: `sync ${next}` } });
    return { cursor: next };
  },
  async probe() {},
});
