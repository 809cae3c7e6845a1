// A configuration file as text: places as line and column, and lines that can be shown without what must stay secret.
import { LineCounter } from "yaml";
import { asides, mask, merged, shorten, valueWords, type Span } from "./mask.ts";
import type { ConfigProblem } from "./model.ts";

/** A mistake at a place in a source, before it becomes a ConfigProblem. */
export interface Finding {
  /** Index in the source's text; undefined where there is no place. */
  offset?: number | undefined;
  message: string;
  hint?: string | undefined;
  /** True where the text around it could not be understood, so that its values cannot be told from secrets. */
  unparsed?: boolean;
}

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
