// The same entries in each format that feeds come in, written by hand from the formats' specifications (RSS 2.0, RFC 4287, JSON Feed 1.1, RSS 1.0).

export type FeedFormat = "rss" | "atom" | "json" | "rdf";

export interface FeedEntry {
  id: string;
  title?: string;
  text: string;
  author?: string;
  link?: string;
  /** ISO 8601. */
  published?: string;
  updated?: string;
  file?: { url: string; name: string; type: string; size: number };
}

const escape = (text: string): string => text.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);
const tag = (name: string, value: string | undefined): string =>
  value === undefined ? "" : `<${name}>${escape(value)}</${name}>`;
/** As HTML that shows the text. */
const html = (text: string): string => escape(text).replaceAll("\n", "<br>");
const rfc822 = (iso: string | undefined): string | undefined => iso && new Date(iso).toUTCString();

/** `changes` makes other bytes of the same entries. */
export function writeFeed(
  format: FeedFormat,
  entries: readonly FeedEntry[],
  changes: number,
): { type: string; text: string } {
  const note = `<!-- ${changes} -->`;
  if (format === "json") {
    const items = entries.map(jsonItem);
    const feed = { version: "https://jsonfeed.org/version/1.1", title: "Example", _n: changes, items };
    return { type: "application/feed+json", text: JSON.stringify(feed) };
  }
  if (format === "atom") {
    const head = `<title>Example</title><id>urn:example</id><updated>2026-01-01T00:00:00Z</updated>`;
    const text = `<feed xmlns="http://www.w3.org/2005/Atom">${note}${head}${entries.map(atomEntry).join("")}</feed>`;
    return { type: "application/atom+xml; charset=utf-8", text: `<?xml version="1.0"?>${text}` };
  }
  const dc = 'xmlns:dc="http://purl.org/dc/elements/1.1/"';
  if (format === "rdf") {
    const names = `xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/" ${dc}`;
    const channel = `<channel rdf:about="urn:example"><title>Example</title></channel>`;
    const text = `<rdf:RDF ${names}>${note}${channel}${entries.map(rdfItem).join("")}</rdf:RDF>`;
    return { type: "application/rdf+xml", text };
  }
  const text = `<rss version="2.0" ${dc}><channel>${note}<title>Example</title>${entries.map(rssItem).join("")}</channel></rss>`;
  return { type: "application/rss+xml", text: `<?xml version="1.0" encoding="utf-8"?>${text}` };
}

function rssItem({ id, title, text, author, link, published, file }: FeedEntry): string {
  const enclosure = file
    ? `<enclosure url="${escape(file.url)}" length="${file.size}" type="${file.type}"/>`
    : "";
  const guid = `<guid isPermaLink="false">${escape(id)}</guid>`;
  return `<item>${guid}${tag("title", title)}${tag("link", link)}${tag("description", html(text))}${tag("dc:creator", author)}${tag("pubDate", rfc822(published))}${enclosure}</item>`;
}

function rdfItem({ id, title, text, author, link, published }: FeedEntry): string {
  return `<item rdf:about="${escape(id)}">${tag("title", title)}${tag("link", link)}${tag("description", html(text))}${tag("dc:creator", author)}${tag("dc:date", published)}</item>`;
}

function atomEntry({ id, title, text, author, link, published, updated, file }: FeedEntry): string {
  const alternate = link ? `<link href="${escape(link)}"/>` : "";
  const enclosure = file
    ? `<link rel="enclosure" href="${escape(file.url)}" title="${escape(file.name)}" length="${file.size}" type="${file.type}"/>`
    : "";
  const person = author ? `<author>${tag("name", author)}</author>` : "";
  const content = `<content type="html">${escape(html(text))}</content>`;
  return `<entry>${tag("id", id)}${tag("title", title)}${alternate}${enclosure}${person}${tag("published", published)}${tag("updated", updated ?? published)}${content}</entry>`;
}

function jsonItem({ id, title, text, author, link, published, updated, file }: FeedEntry): object {
  const attachments = file && [
    { url: file.url, title: file.name, mime_type: file.type, size_in_bytes: file.size },
  ];
  const authors = author && [{ name: author }];
  const dates = { date_published: published, date_modified: updated };
  return { id, title, url: link, content_text: text, authors, ...dates, attachments };
}
