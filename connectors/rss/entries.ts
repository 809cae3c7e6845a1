// A feed of any format as one list of entries, the oldest first.
import { type AtomEntry, type JsonItem, parseFeed, type RssItem } from "feedsmith";
import { reject } from "spoolway/sdk";
import { decodeText } from "spoolway/sdk/text/charset";
import type { Document } from "spoolway/sdk/http/document";
import { decodeEntities } from "spoolway/sdk/text/entities";
import { linkedFeed } from "spoolway/sdk/http/linked-feed";
import { fingerprint } from "spoolway/sdk/fingerprint";
import { htmlToText } from "spoolway/sdk/text/html-text";
import { type Item, oldestFirst } from "spoolway/sdk/known-items";
import type { LinkedFile } from "spoolway/sdk/http/linked-files";

export interface Entry extends Item {
  title: string | undefined;
  text: string;
  link: string | undefined;
  author: string | undefined;
  published: string | undefined;
  updated: string | undefined;
  files: LinkedFile[];
  raw: unknown;
}
/** Its id is the feed's own; where that gives none, its link, or what it says. */
type Read = Omit<Entry, "raw" | "twin" | "print">;

export interface Entries {
  title: string | undefined;
  entries: Entry[];
}

/** Throws a rejection that says what there is instead of a feed. */
export function readEntries({ bytes, contentType, url }: Document): Entries {
  const text = decodeText(bytes, contentType);
  try {
    const { format, feed } = parseFeed(text);
    const title = typeof feed.title === "object" ? plain(feed.title, url) : feed.title;
    if (format === "atom") return { title, entries: inOrder(feed.entries, (one) => ofAtom(one, url)) };
    if (format === "json") return { title, entries: inOrder(feed.items, (one) => ofJson(one, url)) };
    return { title, entries: inOrder(feed.items, (one) => ofRss(one, url)) };
  } catch (error) {
    const page = linkedFeed(text, url);
    const hint = page
      ? `It is a page, whose feed is ${page}: put that into connectors.yml.`
      : "Open the address in a browser: is it a feed? Put the right one into connectors.yml.";
    throw reject(`this is no feed: ${(error as Error).message}`, "rejected", { hint, cause: error });
  }
}

/** Feeds have the newest first, and give dates or do not. */
function inOrder<One>(ones: One[] = [], read: (one: One) => Read): Entry[] {
  const entries = ones.map((raw) => ({ ...read(raw), raw }));
  return oldestFirst(entries, ({ published, updated }) => Date.parse(published ?? updated ?? "")).map(
    (one) => ({
      ...one,
      twin: [one.link, one.title],
      print: fingerprint(one.title, one.text, one.link, one.files),
    }),
  );
}

function ofRss(item: RssItem, base: string): Read {
  const { title, link = item.rdf?.about, description = "", enclosures = [], dc, guid } = item;
  return {
    id: guid?.value ?? item.rdf?.about ?? link ?? fingerprint(title, description),
    title: title === undefined ? undefined : decodeEntities(title),
    text: htmlToText(item.content?.encoded ?? description, absolute(link, base) ?? base),
    link: absolute(link, base),
    author: nameOf(item.authors) ?? dc?.creators?.[0],
    published: item.pubDate ?? dc?.dates?.[0],
    updated: undefined,
    files: enclosures.flatMap(({ url, type, length }) => file(base, url, type, length)),
  };
}

function ofAtom(entry: AtomEntry, base: string): Read {
  const { title, content, summary, links = [], authors, published, updated } = entry;
  const link = links.find(({ rel = "alternate" }) => rel === "alternate")?.href;
  const files = links.filter(({ rel }) => rel === "enclosure");
  const body = content?.value === undefined ? summary : content;
  return {
    id: entry.id ?? link ?? fingerprint(title, body),
    title: plain(title, base),
    text: plain(body, absolute(link, base) ?? base) ?? "",
    link: absolute(link, base),
    author: nameOf(authors),
    ...{ published, updated },
    files: files.flatMap((one) => file(base, one.href, one.type, one.length, one.title)),
  };
}

function ofJson(item: JsonItem, base: string): Read {
  const { id, url, title, content_html: html, content_text, summary = "", authors, attachments = [] } = item;
  return {
    id: id ?? url ?? fingerprint(title, html, content_text),
    title,
    text: content_text ?? (html === undefined ? summary : htmlToText(html, absolute(url, base) ?? base)),
    link: absolute(url, base),
    author: nameOf(authors),
    published: item.date_published,
    updated: item.date_modified,
    files: attachments.flatMap((one) => file(base, one.url, one.mime_type, one.size_in_bytes, one.title)),
  };
}

function plain(text: { value?: string; type?: string } | undefined, base: string): string | undefined {
  const isHtml = /html/i.test(text?.type ?? "");
  return isHtml && text?.value !== undefined ? htmlToText(text.value, base) : text?.value;
}

const nameOf = (people: Array<{ name?: string; email?: string }> = []): string | undefined =>
  people.map(({ name, email }) => name ?? email).find((name) => name !== undefined);

const absolute = (link: string | undefined, base: string): string | undefined =>
  link === undefined ? undefined : (URL.parse(link, base)?.href ?? link);

function file(base: string, url?: string, type?: string, size?: number, name?: string): Entry["files"] {
  const href = url ? URL.parse(url, base) : null;
  return href && /^https?:$/.test(href.protocol) ? [{ url: href.href, type, size, name }] : [];
}
