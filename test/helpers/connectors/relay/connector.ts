// Uses every part of the Context, as the text of a message asks: the same code must behave in the same way with and without a sandbox.
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import {
  type Context,
  type DraftAttachment,
  defineConnector,
  type Outgoing,
  rateLimited,
  reconnect,
  reject,
  retry,
  type SendContext,
  SpoolwayError,
  uncertain,
} from "spoolway/sdk";

interface Config {
  secret?: string;
  found?: string;
}

interface Session {
  opened: number;
}

const tell = (ctx: Context, text: string, attachments?: DraftAttachment[]) =>
  ctx.deliver({
    key: [text],
    conversation: { id: "relay" },
    sender: { id: "relay" },
    content: { text, ...(attachments ? { attachments } : {}) },
    raw: { big: 12345678901234567890n, list: [1, null, "x"] },
  });

export default defineConnector<Config, Session>({
  async connect(ctx) {
    const opened = ((await ctx.state.get<number>("opened")) ?? 0) + 1;
    await ctx.state.set("opened", opened);
    ctx.log.info("relay.opened", { opened, error: new Error("words"), frozen: Object.isFrozen(ctx.config) });
    await tell(ctx, `opened ${opened} ${ctx.name} ${ctx.type} ${ctx.config.secret ?? ""}`);
    return { opened };
  },

  async receive(session, ctx) {
    await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve, { once: true }));
    await ctx.state.set("ended", session.opened);
  },

  async send(session, message, ctx) {
    const action = actions[message.text ?? ""];
    if (action === undefined) throw reject(`no such action: ${message.text}`, "no_such_action");
    await action(message, ctx);
    const ids = { platform_id: `p-${message.id}`, platform_ids: [`p-${message.id}`, `s-${session.opened}`] };
    return message.text === "nothing" ? undefined : ids;
  },

  async sync(_session, since, ctx) {
    const page = Number(since ?? 0) + 1;
    // Not waited for: the cursor must not move before they are durable.
    for (let n = 0; n < ctx.limit; n += 1) void tell(ctx, `page ${page} item ${n}`);
    return { cursor: String(page), more: page < 3 };
  },

  async probe(_session, ctx) {
    ctx.heard();
  },

  async reconcile(_session, message, ctx) {
    if (ctx.config.found === "sent") return { platform_id: `found-${message.id}` };
    return ctx.config.found === "not_sent" ? "not_sent" : undefined;
  },

  async close(session) {
    if (session.opened < 1) throw new Error("a session that was never opened");
  },
});

type Action = (message: Outgoing, ctx: SendContext<Config>) => Promise<unknown>;

const actions: Record<string, Action> = {
  ok: async () => undefined,
  nothing: async () => undefined,
  /** The same bytes back, as a stream and as one piece. */
  echo: async (message, ctx) => {
    for (const [n, attachment] of (message.attachments ?? []).entries()) {
      const bytes = Buffer.concat(await ctx.openAttachment(attachment).toArray());
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      await tell(ctx, `echo ${n} ${sha256} ${bytes.length}`, [
        { name: "stream.bin", data: ctx.openAttachment(attachment) },
        { name: "bytes.bin", media_type: "x/y", data: new Uint8Array(bytes) },
        { name: "link", url: "https://example.org/x" },
      ]);
    }
  },
  /** A stream of which the end never comes is cut off by the limit. */
  endless: async (_message, ctx) => {
    const pieces = async function* () {
      for (;;) yield Buffer.alloc(100_000);
    };
    await tell(ctx, "endless", [{ name: "x", data: Readable.from(pieces()) }]);
  },
  broken: async (_message, ctx) => {
    const pieces = async function* () {
      yield Buffer.alloc(10);
      throw new Error("the source broke");
    };
    await tell(ctx, "broken", [{ name: "x", data: Readable.from(pieces()) }]);
  },
  twice: async (_message, ctx) => {
    const first = await tell(ctx, "twice");
    const second = await tell(ctx, "twice", [{ name: "x", data: Buffer.from("never read") }]);
    await tell(ctx, `twice ${first.duplicate} ${second.duplicate} ${first.id === second.id}`);
  },
  state: async (_message, ctx) => {
    const value = { list: [1, "2", null], nested: { yes: true }, big: 2 ** 60 };
    await ctx.state.set("value", value);
    const same = JSON.stringify(await ctx.state.get("value")) === JSON.stringify(value);
    await ctx.state.delete("value");
    await tell(ctx, `state ${same} ${(await ctx.state.get("value")) === undefined}`);
  },
  invalid: (_message, ctx) => ctx.deliver({ kind: "nonsense" as "message" }),
  many: async (_message, ctx) => {
    await Promise.all(Array.from({ length: 1000 }, (_, n) => tell(ctx, `many ${n}`)));
  },
  attempt: async (_message, { attempt, mayHaveBeenSent, ...ctx }) => {
    if (attempt === 1) throw retry("once more", { retryAfterMs: 20 });
    if (attempt === 2) throw uncertain("who knows", { retryAfterMs: 20 });
    await tell(ctx, `attempt ${attempt} ${mayHaveBeenSent}`);
  },
  limited: async (_message, ctx) => {
    if ((await ctx.state.get("limited")) !== undefined) return;
    await ctx.state.set("limited", true);
    throw rateLimited("slow down", 300);
  },
  reconnect: async (_message, ctx) => {
    if ((await ctx.state.get("reconnect")) !== undefined) return;
    await ctx.state.set("reconnect", true);
    throw reconnect("the line is dead");
  },
  reject: () =>
    Promise.reject(new SpoolwayError("odd_code", "no way", { fate: "reject", hint: "Do it otherwise." })),
  hang: (_message, ctx) =>
    new Promise((_resolve, fail) =>
      ctx.signal.addEventListener("abort", () => fail(uncertain("given up")), { once: true }),
    ),
  crash: async () => process.exit(7),
  /** The loop is stuck: no answer to anything. */
  spin: async () => {
    for (;;);
  },
};
