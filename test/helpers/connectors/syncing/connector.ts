// Numbers from 1 to what stands in a file; the cursor is the last one delivered. "fail" in the file is an outage.
import { readFileSync } from "node:fs";
import { defineConnector } from "spoolway/sdk";

export default defineConnector<{ source: string }>({
  async connect() {},
  async sync(_session, since, ctx) {
    const text = readFileSync(ctx.config.source, "utf8").trim();
    if (text === "fail") throw new Error("the source is down");
    const highest = Number(text);
    let at = Number(since ?? 0);
    for (let count = 0; at < highest && count < ctx.limit; count += 1) {
      at += 1;
      // Not awaited: the runtime holds the cursor back until it is durable.
      void ctx.deliver({
        kind: "item",
        key: [String(at)],
        conversation: { id: "numbers" },
        content: { text: String(at) },
      });
    }
    return { cursor: String(at), more: at < highest };
  },
});
