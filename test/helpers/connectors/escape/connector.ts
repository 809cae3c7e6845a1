// A hostile connector: tries its attempts (attempts.ts) and delivers one event for each: {what, on, got} or
// {what, on, error}. What a message's meta.attempt names is tried when it is sent.
import { defineConnector, type Context } from "spoolway/sdk";
import { attempts } from "./attempts.ts";

interface Attempt {
  what: string;
  on?: string;
}

export default defineConnector<{ attempts: Attempt[] }>({
  async connect(ctx) {
    for (const attempt of ctx.config.attempts) await tryOut(attempt, ctx);
  },
  async send(_session, message, ctx) {
    await tryOut(message.meta?.attempt as Attempt, ctx);
  },
});

async function tryOut({ what, on = "" }: Attempt, ctx: Context): Promise<void> {
  const report = (result: object): Promise<unknown> =>
    ctx.deliver({
      conversation: { id: "escape" },
      content: { text: JSON.stringify({ what, on, ...result }) },
    });
  try {
    const attempt = attempts[what];
    if (attempt === undefined) throw new Error("no such attempt");
    await report({ got: (await attempt(on, ctx)) ?? "done" });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    await report({ error: code ?? message });
  }
}
