// spoolway/sdk/text/markdown: Markdown as people and language models write it, as HTML for a chat: line breaks stay line breaks, and there are only the tags that every chat with
// HTML knows (b, i, s, code, pre, a, blockquote). Headings become bold, list items get a bullet; what is no markup stays as it was written.
//
// For any input: what comes out is well-formed, and nothing of the input but these marks becomes a tag. What is nothing but marks stays as it was written.

/** The HTML. Markup reaches over one line, code blocks and quotes over several. */
export function markdownToChatHtml(markdown: string): string {
  const lines = markdown.split(lineBreak);
  const html: string[] = [];
  for (let at = 0; at < lines.length;) {
    const line = lines[at] ?? "";
    const fence = fenceOf(line);
    const end = fence
      ? blockEnd(lines, at + 1, (one) => one.trim() !== fence[1])
      : blockEnd(lines, at, isQuote);
    if (fence) html.push(codeBlock(lines.slice(at + 1, end), fence[2]));
    else if (end > at) html.push(`<blockquote>${lines.slice(at, end).map(quoted).join("\n")}</blockquote>`);
    else html.push(plainLine(line));
    at = fence || end === at ? end + 1 : end;
  }
  const shown = html.join("\n");
  return /\S/.test(shown.replaceAll(/<[^>]*>/g, "")) ? shown : escapeHtml(markdown);
}

/**
 * Pieces of one Markdown text, each whole in itself: a code block that reaches over a cut ends there, and goes on in the next piece. The marks that this takes are not
 * seen, so that no piece becomes longer than it was.
 */
export function wholePieces(pieces: readonly string[]): string[] {
  let open: string | undefined;
  const whole = pieces.map((piece) => {
    const [first = "", ...rest] = piece.split(lineBreak);
    const isEnd = open !== undefined && first.trim() === fenceOf(open)?.[1];
    const text = isEnd ? rest.join("\n") : open === undefined ? piece : `${open}\n${piece}`;
    open = openAtEnd(text);
    return open === undefined ? text : `${text}\n${fenceOf(open)?.[1]}`;
  });
  return whole.filter((piece) => piece.trim() !== "");
}

/** The line that begins the code block in which the text ends. */
function openAtEnd(text: string): string | undefined {
  let open: string | undefined;
  for (const line of text.split(lineBreak)) {
    if (open === undefined) open = fenceOf(line) ? line : undefined;
    else if (line.trim() === fenceOf(open)?.[1]) open = undefined;
  }
  return open;
}

const lineBreak = /\r\n|\r|\n/;

/** The marks and the language. What ends in the line where it begins is no block. */
const fenceOf = (line: string): RegExpExecArray | null => /^\s*(`{3,}(?!.*`)|~{3,})\s*([\w+#-]*)/.exec(line);

/** Where the lines end for which it holds. */
function blockEnd(lines: readonly string[], from: number, holds: (line: string) => boolean): number {
  const end = lines.findIndex((line, n) => n >= from && !holds(line));
  return end === -1 ? lines.length : end;
}

const isQuote = (line: string): boolean => /^ {0,3}>/.test(line);
const quoted = (line: string): string => inline(line.replace(/^ {0,3}> ?/, ""));

function codeBlock(lines: readonly string[], language = ""): string {
  const code = escapeHtml(lines.join("\n"));
  return language === ""
    ? `<pre>${code}</pre>`
    : `<pre><code class="language-${language}">${code}</code></pre>`;
}

function plainLine(line: string): string {
  const heading = /^ {0,3}#{1,6}\s+(.*?)\s*#*$/.exec(line)?.[1];
  if (heading !== undefined) return `<b>${inline(heading)}</b>`;
  if (/^\s*([-*_])(?:\s*\1){2,}\s*$/.test(line)) return "———";
  const [, indent = "", box, item] = /^(\s*)[-*+]\s+(?:\[([ xX])\]\s+)?(.*)$/.exec(line) ?? [];
  if (item === undefined) return inline(line);
  return `${indent}${box === undefined ? "•" : box === " " ? "☐" : "☑"} ${inline(item)}`;
}

/** Each at its place in the text; the first that fits counts. */
const marks: ReadonlyArray<[RegExp, (match: readonly string[]) => string]> = [
  [/\\([!-/:-@[-`{-~])/y, ([, sign = ""]) => escapeHtml(sign)],
  [/(`+)(?!`)(.*?[^`])\1(?!`)/y, ([, , code = ""]) => `<code>${escapeHtml(code)}</code>`],
  [/!?\[([^[\]]*)\]\(((?:https?|mailto|tg|tel):[^\s()]*(?:\([^\s()]*\)[^\s()]*)*)(?:\s+"[^"]*")?\)/y, link],
  [/\*\*(?=\S)(.*?\S)\*\*(?!\*)/y, ([, text = ""]) => `<b>${inline(text)}</b>`],
  [/(?<![\p{L}\p{N}_])__(?=\S)(.*?\S)__(?![\p{L}\p{N}_])/uy, ([, text = ""]) => `<b>${inline(text)}</b>`],
  [/~~(?=\S)(.*?\S)~~/y, ([, text = ""]) => `<s>${inline(text)}</s>`],
  [/\*(?=[^\s*])([^*]*[^\s*])\*(?!\*)/y, ([, text = ""]) => `<i>${inline(text)}</i>`],
  [
    /(?<![\p{L}\p{N}_])_(?=[^\s_])([^_]*[^\s_])_(?![\p{L}\p{N}_])/uy,
    ([, text = ""]) => `<i>${inline(text)}</i>`,
  ],
];

function link([, label = "", address = ""]: readonly string[]): string {
  return `<a href="${escapeHtml(address)}">${inline(label === "" ? address : label)}</a>`;
}

function inline(text: string): string {
  let html = "";
  for (let at = 0; at < text.length;) {
    const found = matchAt(text, at);
    html += found?.html ?? escapeHtml(text[at] ?? "");
    at += found?.length ?? 1;
  }
  return html;
}

function matchAt(text: string, at: number): { html: string; length: number } | undefined {
  if (!/[\\`![*_~]/.test(text[at] ?? "")) return undefined;
  for (const [pattern, toHtml] of marks) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match) return { html: toHtml(match), length: match[0].length };
  }
  return undefined;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
