// Does to a message what its meta.script says, one word per attempt (the last word stays): ok, reject, retry, limited, reconnect, uncertain, hang, stop,
// throw, quote, crash, crash_after. Every send is written down first, with what the runtime said of it.
import { appendFileSync } from "node:fs";
import {
  defineConnector,
  rateLimited,
  reconnect,
  reject,
  retry,
  sleep,
  stop,
  uncertain,
  type Outgoing,
  type SendContext,
} from "spoolway/sdk";

interface Config {
  log: string;
  password?: string;
  found?: string;
}

export default defineConnector<Config>({
  async connect() {},
  async send(_session, message, ctx) {
    const { id, conversation_id, text } = message;
    const { attempt, mayHaveBeenSent } = ctx;
    const line = { id, conversation_id, text, attempt, mayHaveBeenSent, at: Date.now(), pid: process.pid };
    appendFileSync(ctx.config.log, `${JSON.stringify(line)}\n`);
    await act(message, ctx);
    return { platform_id: `p-${id}` };
  },
  async reconcile(_session, message, ctx) {
    if (ctx.config.found === "sent") return { platform_id: `found-${message.id}` };
    return ctx.config.found === "not_sent" ? "not_sent" : undefined;
  },
});

async function act(message: Outgoing, ctx: SendContext<Config>): Promise<void> {
  const script = (message.meta?.script as string[] | undefined) ?? ["ok"];
  const word = script[Math.min(ctx.attempt, script.length) - 1];
  if (word === "reject") throw reject("the platform says no");
  if (word === "retry") throw retry("try later", { retryAfterMs: 50 });
  if (word === "limited") throw rateLimited("slow down", 700);
  if (word === "reconnect") throw reconnect("the line is dead");
  if (word === "uncertain") throw uncertain("no answer");
  if (word === "stop") throw stop("the token was revoked", "Make a new token.");
  if (word === "throw") throw new Error("something unforeseen");
  if (word === "quote") throw new Error(`no answer from https://user:${ctx.config.password}@example.org`);
  if (word === "hang") await new Promise(() => undefined);
  if (word === "slow") await sleep(1500);
  if (word === "crash") process.exit(7);
}
