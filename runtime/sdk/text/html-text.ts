// spoolway/sdk/text/html-text: HTML as text that a person can read: paragraphs, lists, quotes and the addresses of links stay, the rest of the markup goes.
//
// For any input, however broken or hostile: one pass, in linear time, nothing is loaded or run. It is no sanitizer: what comes out is text and has to be escaped
// again where it goes into HTML.
import { decodeEntities } from "./entities.ts";

/** Line breaks around an element; 2 is a blank line. */
const breaks: Readonly<Record<string, number>> = {
  ...Object.fromEntries(
    "p h1 h2 h3 h4 h5 h6 ul ol dl table blockquote pre hr".split(" ").map((name) => [name, 2]),
  ),
  ...Object.fromEntries(
    "div section article header footer nav aside main figure figcaption address form tr li dt dd caption details summary"
      .split(" ")
      .map((name) => [name, 1]),
  ),
};
/** What they hold is no text of the page. */
const hidden = new Set([
  "script",
  "style",
  "head",
  "title",
  "template",
  "textarea",
  "select",
  "svg",
  "object",
]);

/** Relative addresses are resolved against `base`, where it is given. */
export function htmlToText(html: string, base?: string): string {
  const out = new Writer();
  const links: Array<{ href: string | undefined; from: number }> = [];
  let at = 0;
  while (at < html.length) {
    const open = nextTag(html, at);
    out.text(decodeEntities(html.slice(at, open)));
    if (open === html.length) break;
    const { name, isEnd, attributes, end } = readTag(html, open);
    at = end;
    if (hidden.has(name) && !isEnd) at = endOf(html, name, end);
    else if (name === "br") out.lineBreak();
    else if (name === "img") out.text(attribute(attributes, "alt") ?? "");
    else if (name === "td" || name === "th") out.text(" ");
    else if (name === "a" && !isEnd) links.push({ href: attribute(attributes, "href"), from: out.length });
    else if (name === "a") out.address(links.pop(), base);
    else if (Object.hasOwn(breaks, name)) out.block(name, isEnd, breaks[name] ?? 1);
  }
  return out.toString();
}

/** Where the next tag, comment or declaration begins; the end where there is none. A "<" before anything else is text. */
function nextTag(html: string, from: number): number {
  for (let at = html.indexOf("<", from); at !== -1; at = html.indexOf("<", at + 1)) {
    if (/[a-z/!?]/i.test(html[at + 1] ?? "")) return at;
  }
  return html.length;
}

interface Tag {
  /** Lower case; "" for a comment or declaration. */
  name: string;
  isEnd: boolean;
  attributes: string;
  /** Behind it. */
  end: number;
}

/** One that never ends takes the rest with it, as in a browser. */
function readTag(html: string, open: number): Tag {
  if (html.startsWith("<!--", open)) {
    const close = html.indexOf("-->", open + 4);
    return { name: "", isEnd: false, attributes: "", end: close === -1 ? html.length : close + 3 };
  }
  let quote = "";
  let end = open + 1;
  for (; end < html.length; end++) {
    const char = html[end] ?? "";
    if (quote !== "") quote = char === quote ? "" : quote;
    else if (char === ">") break;
    else if ((char === '"' || char === "'") && html[end - 1] === "=") quote = char;
  }
  const isEnd = html[open + 1] === "/";
  const inside = html.slice(open + (isEnd ? 2 : 1), end);
  const name = /^[a-z][^\s/]*/i.exec(inside)?.[0] ?? "";
  return { name: name.toLowerCase(), isEnd, attributes: inside.slice(name.length), end: end + 1 };
}

/** Behind the end tag of an element whose content is left out. */
function endOf(html: string, name: string, from: number): number {
  const pattern = new RegExp(`</${name}(?=[\\s/>])`, "gi");
  pattern.lastIndex = from;
  const found = pattern.exec(html);
  return found === null ? html.length : readTag(html, found.index).end;
}

function attribute(attributes: string, name: string): string | undefined {
  const pattern = new RegExp(`(?:^|[\\s"'/])${name}=(?:"([^"]*)"|'([^']*)'|([^\\s"'>]+))`, "i");
  const [, double, single, bare] = pattern.exec(attributes) ?? [];
  const value = double ?? single ?? bare;
  return value === undefined ? undefined : decodeEntities(value).trim();
}

/** Text with its spaces and line breaks as a browser would show them. */
class Writer {
  #text = "";
  #space = false;
  /** Line breaks to come, if anything does. */
  #breaks = 0;
  #quotes = 0;
  #isPre = 0;
  #bullet = false;

  get length(): number {
    return this.#text.length;
  }

  text(text: string): void {
    if (this.#isPre > 0) {
      for (const [n, line] of text.split(/\r\n|\r|\n/).entries()) {
        if (n > 0) this.lineBreak();
        this.#put(line);
      }
      return;
    }
    // A space that must not break is one that stays; all others are one.
    for (const word of text.split(/([ \t\n\r\f]+)/)) {
      if (/^[ \t\n\r\f]/.test(word)) this.#space = true;
      else this.#put(word);
    }
  }

  lineBreak(): void {
    this.#breaks = Math.min(this.#breaks + 1, 2);
    this.#space = false;
  }

  block(name: string, isEnd: boolean, lines: number): void {
    const depth = isEnd ? -1 : 1;
    this.#breaks = Math.max(this.#breaks, lines);
    this.#space = false;
    if (name === "blockquote") this.#quotes = Math.max(0, this.#quotes + depth);
    if (name === "pre") this.#isPre = Math.max(0, this.#isPre + depth);
    if (name === "li") this.#bullet = !isEnd;
  }

  /** Of a link whose text has just ended, unless the text says it already. */
  address(link: { href: string | undefined; from: number } | undefined, base: string | undefined): void {
    const text = this.#text.slice(link?.from).trim();
    if (link?.href === undefined || text === "" || link.href.startsWith("#")) return;
    const url = URL.parse(link.href, base);
    if (url === null || !["http:", "https:", "mailto:"].includes(url.protocol)) return;
    const same = [link.href, url.href, url.href.replace(/\/$/, ""), url.href.replace(/^mailto:/, "")];
    if (!same.includes(text)) this.#put(` (${url.href})`);
  }

  toString(): string {
    return this.#text.replaceAll("\u00a0", " ");
  }

  #put(text: string): void {
    if (text === "") return;
    const isNew = this.#text === "" || this.#breaks > 0;
    const quote = "> ".repeat(Math.min(this.#quotes, 20));
    if (this.#text !== "" && this.#breaks > 0)
      this.#text += `\n${quote.trimEnd()}`.repeat(this.#breaks - 1) + "\n";
    if (isNew) this.#text += quote;
    else if (this.#space && !/\s$/.test(this.#text.slice(-1))) this.#text += " ";
    if (this.#bullet) this.#text += "- ";
    this.#bullet = false;
    this.#space = false;
    this.#breaks = 0;
    this.#text += text;
  }
}
