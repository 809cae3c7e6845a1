// Lines of a source as they may be shown: secrets masked, cut to a width that fits a terminal.
import { Lexer } from "yaml";

/** From start to end, as indexes in a text. */
export type Span = readonly [start: number, end: number];

/**
 * The comments, anchors, aliases and tags of a YAML text: what is commented out, and secrets that begin with # & * ! and were not put in quotes.
 */
export function asides(text: string): Span[] {
  const spans: Span[] = [];
  let at = 0;
  let scalar = false;
  for (const lexeme of new Lexer().lex(text)) {
    // Markers of the lexer, which are not in the text: a document, the end of a broken flow, a scalar follows.
    const marker = /^[\x02\x18\x1f]$/.test(lexeme);
    if (!marker) {
      if (!scalar && /^[#&*!]/.test(lexeme)) spans.push([at + 1, at + lexeme.length]);
      at += lexeme.length;
    }
    scalar = lexeme === "\x1f";
  }
  return spans;
}

/** The same parts, sorted and disjoint. */
export function merged(spans: readonly Span[]): Span[] {
  const out: Array<[number, number]> = [];
  for (const [start, end] of [...spans].sort((a, b) => a[0] - b[0])) {
    const last = out.at(-1);
    if (last !== undefined && start <= last[1]) last[1] = Math.max(last[1], end);
    else out.push([start, end]);
  }
  return out;
}

/** In a line that could not be parsed, everything but its first key and the punctuation may be a secret. */
export function valueWords(text: string): Span[] {
  const key = /^\s*(?:- +)*(?:[a-z][a-z0-9_]*:(?=\s|$))?/.exec(text)?.[0].length ?? 0;
  return [...text.slice(key).matchAll(/[^\s{}[\],:"'|>&*#@`%!$-]+/g)].map(({ index, 0: word }): Span => [
    key + index,
    key + index + word.length,
  ]);
}

const maskText = "•••";

/** The text with each span (sorted, disjoint) replaced by a mask of fixed length, and where the column has moved to. */
export function mask(text: string, spans: readonly Span[], column: number): { text: string; column: number } {
  let out = "";
  let done = 0;
  let moved = column;
  for (const [from, to] of spans) {
    const start = Math.max(from, done);
    const end = Math.min(to, text.length);
    if (end <= start) continue;
    const before = out.length + start - done;
    out += text.slice(done, start) + maskText;
    if (column >= end) moved = column + out.length - end;
    else if (column >= start) moved = before;
    done = end;
  }
  return { text: out + text.slice(done), column: moved };
}

const maxShown = 100;

export function shorten(line: { text: string; column: number }): { text: string; column: number } {
  if (line.text.length <= maxShown) return line;
  const from = Math.max(0, Math.min(line.column - maxShown / 2, line.text.length - maxShown));
  const head = from > 0 ? "…" : "";
  const tail = from + maxShown < line.text.length ? "…" : "";
  return {
    text: head + line.text.slice(from, from + maxShown) + tail,
    column: line.column - from + head.length,
  };
}
