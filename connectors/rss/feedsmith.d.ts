// The part of feedsmith 3.0.1 that this connector uses, so that types are checked without it; what a feed leaves out is absent.
declare module "feedsmith" {
  interface Text {
    value?: string;
    type?: string;
  }
  interface Person {
    name?: string;
    email?: string;
    link?: string;
    uri?: string;
    url?: string;
  }
  interface Link {
    href?: string;
    rel?: string;
    type?: string;
    title?: string;
    length?: number;
  }
  interface Common {
    authors?: Person[];
    dc?: { creators?: string[]; dates?: string[] };
    content?: { encoded?: string };
    rdf?: { about?: string };
  }
  export interface RssItem extends Common {
    title?: string;
    link?: string;
    description?: string;
    guid?: { value?: string };
    pubDate?: string;
    enclosures?: Array<{ url?: string; type?: string; length?: number }>;
  }
  export interface AtomEntry {
    id?: string;
    title?: Text;
    content?: Text;
    summary?: Text;
    links?: Link[];
    authors?: Person[];
    published?: string;
    updated?: string;
  }
  export interface JsonItem {
    id?: string;
    url?: string;
    title?: string;
    content_html?: string;
    content_text?: string;
    summary?: string;
    date_published?: string;
    date_modified?: string;
    authors?: Person[];
    attachments?: Array<{ url?: string; mime_type?: string; title?: string; size_in_bytes?: number }>;
  }
  type Feed =
    | { format: "rss" | "rdf"; feed: { title?: string; items?: RssItem[] } }
    | { format: "atom"; feed: { title?: Text; entries?: AtomEntry[] } }
    | { format: "json"; feed: { title?: string; items?: JsonItem[] } };
  /** Throws where it is no feed. Dates are as they were written. */
  export function parseFeed(text: string): Feed;
}
