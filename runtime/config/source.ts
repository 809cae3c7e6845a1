// A configuration file as text: read with limits, places as line and column, and lines that can be shown without what must stay secret.
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { Lexer, LineCounter } from "yaml";
import { errnoOf } from "../errors.ts";
import type { ConfigProblem } from "./model.ts";

/** Far above what people write by hand, and parsed in seconds at worst. */
export const maxConfigBytes = 1_048_576;

/** A mistake at a place in a source, before it becomes a ConfigProblem. */
export interface Finding {
  /** Index in the source's text; undefined where there is no place. */
  offset?: number | undefined;
  message: string;
  hint?: string | undefined;
  /** True where the text around it could not be understood, so that its values cannot be told from secrets. */
  unparsed?: boolean;
}

type Span = readonly [start: number, end: number];

export class SourceFile {
  /** The file as people know it: relative to the home where it lies in it. */
  readonly file: string;
  readonly text: string;
  readonly lines = new LineCounter();
  private hidden: Span[] = [];
  /** Whether `hidden` is sorted and disjoint. */
  private tidy = false;

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
    this.lines.addNewLine(0);
    for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1))
      this.lines.addNewLine(at + 1);
  }

  /** What lies between the two offsets is never shown. */
  hide(start: number, end: number): void {
    if (end <= start) return;
    this.hidden.push([start, end]);
    this.tidy = false;
  }

  /** Call it when everything that must not be shown is known. */
  problem(finding: Finding, connector?: string): ConfigProblem {
    const { offset, message, hint } = finding;
    const place = offset === undefined ? { line: 0, col: 0 } : this.lines.linePos(offset);
    const problem: ConfigProblem = { file: this.file, line: place.line, column: place.col, message };
    if (hint !== undefined) problem.hint = hint;
    if (connector !== undefined) problem.connector = connector;
    if (offset !== undefined)
      problem.source = this.excerpt(place.line, place.col - 1, finding.unparsed === true);
    return problem;
  }

  private excerpt(line: number, column: number, unparsed: boolean): { text: string; column: number } {
    const start = this.lines.lineStarts[line - 1] ?? 0;
    const next = this.text.indexOf("\n", start);
    const text = this.text.slice(start, next === -1 ? undefined : next).replace(/\r$/, "");
    const spans = unparsed ? valueWords(text) : this.hiddenIn(start, start + text.length);
    return shorten(mask(text, spans, column));
  }

  /** The hidden parts of the line between the offsets, relative to its start. Fast, since there can be as many lines as parts. */
  private hiddenIn(start: number, end: number): Span[] {
    if (!this.tidy) {
      this.hidden = merged([...this.hidden, ...asides(this.text)]);
      this.tidy = true;
    }
    let low = 0;
    for (let high = this.hidden.length; low < high;) {
      const middle = (low + high) >>> 1;
      if ((this.hidden[middle]?.[1] ?? 0) <= start) low = middle + 1;
      else high = middle;
    }
    const found: Span[] = [];
    for (let i = low; i < this.hidden.length; i++) {
      const [from, to] = this.hidden[i] ?? [end, end];
      if (from >= end) break;
      found.push([from - start, to - start]);
    }
    return found;
  }
}

/**
 * The comments, anchors, aliases and tags of a YAML text: what is commented out, and secrets that begin with # & * ! and were not put in quotes.
 */
function asides(text: string): Span[] {
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
function merged(spans: readonly Span[]): Span[] {
  const out: Array<[number, number]> = [];
  for (const [start, end] of [...spans].sort((a, b) => a[0] - b[0])) {
    const last = out.at(-1);
    if (last !== undefined && start <= last[1]) last[1] = Math.max(last[1], end);
    else out.push([start, end]);
  }
  return out;
}

/** In a line that could not be parsed, everything but its first key and the punctuation may be a secret. */
function valueWords(text: string): Span[] {
  const key = /^\s*(?:- +)*(?:[a-z][a-z0-9_]*:(?=\s|$))?/.exec(text)?.[0].length ?? 0;
  return [...text.slice(key).matchAll(/[^\s{}[\],:"'|>&*#@`%!$-]+/g)].map(({ index, 0: word }): Span => [
    key + index,
    key + index + word.length,
  ]);
}

const maskText = "•••";

/** The text with each span (sorted, disjoint) replaced by a mask of fixed length, and where the column has moved to. */
function mask(text: string, spans: readonly Span[], column: number): { text: string; column: number } {
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

function shorten(line: { text: string; column: number }): { text: string; column: number } {
  if (line.text.length <= maxShown) return line;
  const from = Math.max(0, Math.min(line.column - maxShown / 2, line.text.length - maxShown));
  const head = from > 0 ? "…" : "";
  const tail = from + maxShown < line.text.length ? "…" : "";
  return {
    text: head + line.text.slice(from, from + maxShown) + tail,
    column: line.column - from + head.length,
  };
}

/** Why a file has no text, with what to do. */
export class UnreadableFile {
  readonly message: string;
  readonly hint: string;
  readonly missing: boolean;
  constructor(message: string, hint: string, missing = false) {
    this.message = message;
    this.hint = hint;
    this.missing = missing;
  }
}

/** The text of a regular UTF-8 file of at most `maxBytes`, without its BOM. Never hangs on a pipe. */
export async function readText(path: string, maxBytes: number): Promise<string | UnreadableFile> {
  let handle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return unreadable(error);
  }
  try {
    const stat = await handle.stat();
    if (stat.isDirectory()) return new UnreadableFile("is a folder, not a file", "Put a file in its place.");
    if (!stat.isFile())
      return new UnreadableFile("is not a regular file", "Put a regular file in its place.");
    if (stat.size > maxBytes) return tooLarge(stat.size, maxBytes);
    const bytes = await handle.readFile();
    // It may have grown since it was measured.
    if (bytes.length > maxBytes) return tooLarge(bytes.length, maxBytes);
    return decode(bytes);
  } catch (error) {
    return unreadable(error);
  } finally {
    await handle.close();
  }
}

function unreadable(error: unknown): UnreadableFile {
  const code = errnoOf(error) ?? "";
  if (code === "ENOENT" || code === "ENOTDIR")
    return new UnreadableFile("does not exist", "Create it.", true);
  if (code === "EACCES" || code === "EPERM") {
    return new UnreadableFile(
      "cannot be read: permission denied",
      "Give the user that runs spoolway permission to read it.",
    );
  }
  return new UnreadableFile(
    `cannot be read: ${code || (error as Error).message}`,
    "Check the file and its disk.",
  );
}

function tooLarge(bytes: number, maxBytes: number): UnreadableFile {
  const size = bytes < 10_000 ? `${bytes} bytes` : `${Math.ceil(bytes / 1024)} KiB`;
  return new UnreadableFile(
    `is ${size} large, at most ${maxBytes / 1024} KiB are allowed; it was not read`,
    "Is it the right file? Move what does not belong in it elsewhere.",
  );
}

function decode(bytes: Buffer): string | UnreadableFile {
  const mark = bytes.subarray(0, 2).toString("hex");
  if (mark === "fffe" || mark === "feff") return new UnreadableFile("is in UTF-16", "Save it as UTF-8.");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    // The decoder's only failure: bytes that are not UTF-8.
    return new UnreadableFile("is not valid UTF-8", "Save it as UTF-8.");
  }
}
