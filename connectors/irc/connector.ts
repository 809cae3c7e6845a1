// IRC: messages of channels and people, in both directions. This file is the life of a session; the rest is told by the file's names:
// link.ts (the connection), register.ts (up to the nick), channels.ts, nick.ts, events.ts (in), outgoing.ts (out).
import { type Context, defineConnector, type Draft, toSpoolwayError, sleep } from "spoolway/sdk";
import { Channels } from "./channels.ts";
import type { IrcConfig } from "./config.ts";
import { toDraft } from "./events.ts";
import { Link } from "./link.ts";
import { keepNick } from "./nick.ts";
import { sendMessage } from "./outgoing.ts";
import { register } from "./register.ts";

interface Session {
  link: Link;
  channels: Channels;
  backlog: Backlog;
}

/** What was heard and is not durable yet. It outlives a session: the server will not say it again. */
interface Backlog {
  drafts: Draft[];
  wake: () => void;
}

const backlogs = new WeakMap<object, Backlog>();
/** Above it the socket is not read until the disk has caught up. */
const maxBacklog = 5000;
const batch = 256;

function backlogOf(config: object): Backlog {
  const backlog = backlogs.get(config) ?? { drafts: [], wake: () => undefined };
  backlogs.set(config, backlog);
  return backlog;
}

export default defineConnector<IrcConfig, Session>({
  async connect(ctx) {
    const link = new Link(ctx.config);
    const backlog = backlogOf(ctx.config);
    const end = (): void => link.lose(new Error("the session is over"));
    ctx.signal.addEventListener("abort", end, { once: true });
    link.lost.addEventListener("abort", () => backlog.wake(), { once: true });
    link.onMessage = (message) => {
      const draft = toDraft(message, link);
      if (draft === undefined) return;
      backlog.drafts.push(draft);
      if (backlog.drafts.length >= maxBacklog) link.setReading(false);
      backlog.wake();
    };
    try {
      if (ctx.signal.aborted) end();
      await register(link, ctx);
      const channels = new Channels(link, ctx);
      await channels.joinAll();
      keepNick(link, ctx);
      return { link, channels, backlog };
    } catch (error) {
      await link.close();
      throw error;
    }
  },

  async receive({ link, backlog }, ctx) {
    for (;;) {
      while (backlog.drafts.length > 0) {
        await deliver(backlog, ctx);
        if (backlog.drafts.length < maxBacklog / 2) link.setReading(true);
      }
      if (ctx.signal.aborted) return;
      if (link.lost.aborted) throw link.lost.reason;
      await new Promise<void>((resolve) => (backlog.wake = resolve));
    }
  },

  send({ link, channels }, message, ctx) {
    return sendMessage(link, channels, message, ctx);
  },

  async probe({ link }, ctx) {
    await link.exchange([], () => false, { timeoutMs: 10_000, urgent: true });
    ctx.heard();
  },

  close({ link }) {
    return link.close();
  },
});

/** Delivers the oldest drafts; those that could not be written stay where they are and are tried again after a second. Throws when the session is over meanwhile. */
async function deliver(backlog: Backlog, ctx: Context<IrcConfig>): Promise<void> {
  const drafts = backlog.drafts.splice(0, batch);
  const outcomes = await Promise.allSettled(drafts.map((draft) => ctx.deliver(draft)));
  const left: Draft[] = [];
  let failure: Error | undefined;
  for (const [at, outcome] of outcomes.entries()) {
    const draft = drafts[at];
    if (outcome.status === "fulfilled" || draft === undefined) continue;
    const error = toSpoolwayError(outcome.reason);
    if (error.fate === "reject") {
      ctx.log.error("irc.event_refused", {
        code: error.code,
        reason: error.message,
        kind: draft.kind ?? "message",
      });
    } else {
      left.push(draft);
      failure = error;
    }
  }
  if (failure === undefined) return;
  backlog.drafts.unshift(...left);
  if (ctx.signal.aborted) throw failure;
  ctx.log.warn("irc.deliver_failed", { events: left.length, reason: failure.message });
  await sleep(1000, ctx.signal);
}
