// Feeds, read on a schedule: what is new in one is an item, what changed an edit. entries.ts reads the formats. What is known of a feed is in the state, by its address.
import { type Context, defineConnector, type SpoolwayError, toSpoolwayError } from "spoolway/sdk";
import { accessTo } from "spoolway/sdk/http/access";
import { type Document, readDocument, type Version } from "spoolway/sdk/http/document";
import { isoTime } from "spoolway/sdk/iso-time";
import { type KnownItem, newsOf } from "spoolway/sdk/known-items";
import { linkedFiles } from "spoolway/sdk/http/linked-files";
import { Sources } from "spoolway/sdk/sources";
import { type Entries, readEntries } from "./entries.ts";
import type { Config } from "./manifest.d.ts";

type Ctx = Context<Config>;
/** Of a feed. */
interface Kept {
  version: Version;
  items: KnownItem[];
}
export default defineConnector<Config, Sources>({
  async connect(ctx) {
    const sources = new Sources(ctx.config.feeds, ctx.log);
    await sources.knock((url) => read(url, ctx).then(() => undefined, toSpoolwayError));
    return sources;
  },
  async sync(sources, _since, ctx) {
    await sources.each((url) => follow(url, ctx));
    return { cursor: "in the state" };
  },
});

/** What is wrong with the feed. Rejects when an event could not be written: then all that is known stays as it was. */
async function follow(url: string, ctx: Ctx): Promise<SpoolwayError | undefined> {
  let found: { document: Document; news: Entries } | undefined;
  try {
    const document = await read(url, ctx);
    if (document === undefined) return undefined;
    found = { document, news: readEntries(document) };
  } catch (thrown) {
    if (ctx.signal.aborted) throw thrown;
    return toSpoolwayError(thrown);
  }
  const { title, entries } = found.news;
  const { backlog, edits, attachments } = ctx.config;
  const kept = await ctx.state.get<Kept>(url);
  const old = new Set(kept === undefined ? entries.slice(0, Math.max(0, entries.length - backlog)) : []);
  const items = await newsOf(entries, kept?.items ?? [], async (entry, { id, revision }) => {
    if (old.has(entry) || (revision > 0 && !edits)) return;
    await ctx.deliver({
      key: [url, id, String(revision), entry.print],
      kind: revision === 0 ? "item" : "edit",
      conversation: { id: url, type: "channel", name: title },
      sender: { id: entry.author ?? url, display_name: entry.author ?? title },
      platform_id: id,
      target: revision === 0 ? undefined : { platform_id: id },
      occurred_at: isoTime(Date.parse((revision > 0 ? undefined : entry.published) ?? entry.updated ?? "")),
      content: {
        ...{ text: entry.text, format: "plain", subject: entry.title },
        attachments: linkedFiles(ctx, entry.files, attachments, url),
      },
      raw: entry.raw,
    });
  });
  await ctx.state.set(url, { version: found.document.version, items } satisfies Kept);
  return undefined;
}

/** The feed, unless it is as it was. */
async function read(url: string, ctx: Ctx): Promise<Document | undefined> {
  const { max_bytes: maxBytes, timeout_s, ...config } = ctx.config;
  const { url: href, ...access } = accessTo(url, config);
  const version = (await ctx.state.get<Kept>(url))?.version;
  const reading = { ...access, version, maxBytes, timeoutMs: timeout_s * 1000 };
  const document = await readDocument(ctx, href, reading);
  // Relative links are completed with it, and go into events: so it is the one without our parameters.
  return document && { ...document, url: config.query ? url : document.url };
}
