// The formatting that the Bot API knows, as its server reads it: what is wrong is refused with its words, what is right is text without the marks.
const tags = new Set([
  ...[
    "b",
    "strong",
    "i",
    "em",
    "u",
    "ins",
    "s",
    "strike",
    "del",
    "span",
    "tg-spoiler",
    "a",
    "tg-emoji",
    "tg-time",
  ],
  ...["code", "pre", "blockquote"],
]);
const entities: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"' };

/** The visible text of parse_mode HTML. Throws what the server says against it. */
export function visibleText(html: string): string {
  const open: string[] = [];
  let text = "";
  for (let at = 0; at < html.length;) {
    const rest = html.slice(at);
    const offset = Buffer.byteLength(html.slice(0, at));
    const entity = /^&(?:#(\d+)|#x([\da-f]+)|([a-z]+));/i.exec(rest);
    const tag = /^<(\/?)([a-z0-9-]*)([^>]*)>/i.exec(rest);
    if (entity) {
      const code =
        entity[1] ?? (entity[2] === undefined ? undefined : String(Number.parseInt(entity[2], 16)));
      // What the server does not know stays as it is.
      text +=
        code === undefined ? (entities[entity[3] ?? ""] ?? entity[0]) : String.fromCodePoint(Number(code));
      at += entity[0].length;
    } else if (rest.startsWith("<")) {
      if (!tag) throw new Error(`can't parse entities: Unclosed start tag at byte offset ${offset}`);
      const name = (tag[2] ?? "").toLowerCase();
      if (tag[1] === "/") {
        const last = open.pop();
        if (last !== name)
          throw new Error(
            `can't parse entities: Unmatched end tag at byte offset ${offset}, expected "</${last ?? ""}>", found "</${name}>"`,
          );
      } else {
        if (!tags.has(name))
          throw new Error(`can't parse entities: Unsupported start tag "${name}" at byte offset ${offset}`);
        open.push(name);
      }
      at += tag[0].length;
    } else {
      text += html[at] ?? "";
      at += 1;
    }
  }
  if (open.length > 0)
    throw new Error(`can't parse entities: Can't find end tag corresponding to start tag "${open.at(-1)}"`);
  return text;
}
