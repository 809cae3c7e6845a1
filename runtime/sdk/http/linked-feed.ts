// spoolway/sdk/http/linked-feed: the feed that a web page names as its own, for whoever gave the page's address.
import { decodeEntities } from "../text/entities.ts";

/** Its address; undefined where the page names none. */
export function linkedFeed(page: string, base: string): string | undefined {
  // Without a "<" in it, so that a page of nothing but the beginnings of links is read in linear time.
  for (const [link] of page.matchAll(/<link\b[^<>]{1,2000}>/gi)) {
    if (!/type=["']?application\/(?:rss|atom|feed)\+(?:xml|json)/i.test(link)) continue;
    const href = /href=["']?([^"'\s>]+)/i.exec(link)?.[1];
    const url = href === undefined ? null : URL.parse(decodeEntities(href), base);
    if (url !== null && /^https?:$/.test(url.protocol)) return url.href;
  }
  return undefined;
}
