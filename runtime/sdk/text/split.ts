// spoolway/sdk/text/split: a text in pieces that each fit a platform's limit, counted as the platform counts, and never cut inside a character.
//
//   splitText(text, 4096, utf16Units)    Telegram: a few messages, cut at line breaks where there are any
//   toLines(text, 400, utf8Bytes)        IRC: a message is one line, so each line of the text is one at least

/** Counts a text as a platform does. The size of a whole has to be the sum of its parts' sizes. */
export type SizeOf = (text: string) => number;

export const utf8Bytes: SizeOf = (text) => Buffer.byteLength(text, "utf8");
/** As a string in JSON, without its quotes. */
export const jsonBytes: SizeOf = (text) => Buffer.byteLength(JSON.stringify(text)) - 2;
export const utf16Units: SizeOf = (text) => text.length;
export const codePoints: SizeOf = (text) => Array.from(text).length;

/**
 * The text as pieces of at most `max`, which has to be 4 or more. A piece ends at the last line break that fits, else at the last space (that one character is
 * dropped), else between two grapheme clusters, else (one cluster is longer than a piece) between two code points. Pieces without anything visible are left
 * out; lone surrogates become U+FFFD.
 */
export function splitText(text: string, max: number, sizeOf: SizeOf = utf8Bytes): string[] {
  const whole = text.toWellFormed();
  const pieces = sizeOf(whole) <= max ? [whole] : cut(whole, max, sizeOf);
  return pieces.filter(isVisible);
}

/** The lines of a text, long ones split as splitText does; empty lines are left out. */
export function toLines(text: string, max: number, sizeOf: SizeOf = utf8Bytes): string[] {
  return text.split(/\r\n|\r|\n/).flatMap((line) => splitText(line, max, sizeOf));
}

function cut(text: string, max: number, sizeOf: SizeOf): string[] {
  const pieces: string[] = [];
  let current = "";
  let size = 0;
  /** Where the piece may end, as an index of the character to drop; -1: nowhere. */
  let breakAt = -1;
  let spaceAt = -1;
  for (const part of partsOf(text, max, sizeOf)) {
    const isGap = part === " " || isLineBreak(part);
    const partSize = sizeOf(part);
    const isFull = size + partSize > max;
    while (size + partSize > max) {
      const at = isGap ? -1 : breakAt > 0 ? breakAt : spaceAt;
      pieces.push(at > 0 ? current.slice(0, at) : current);
      current = at > 0 ? current.slice(at).replace(/^(?:\r\n|[\r\n ])/, "") : "";
      size = sizeOf(current);
      breakAt = -1;
      spaceAt = current.lastIndexOf(" ");
    }
    if (isFull && isGap) continue; // the end of the piece stands for it
    if (isLineBreak(part)) breakAt = current.length;
    if (part === " ") spaceAt = current.length;
    current += part;
    size += partSize;
  }
  return [...pieces, current];
}

let graphemes: Intl.Segmenter | undefined;

/** Grapheme clusters; those that are longer than a piece, as code points. */
function* partsOf(text: string, max: number, sizeOf: SizeOf): Generator<string> {
  // Made when it is needed: 15 ms, and most texts fit.
  graphemes ??= new Intl.Segmenter(undefined, { granularity: "grapheme" });
  for (const { segment } of graphemes.segment(text)) {
    if (sizeOf(segment) <= max) yield segment;
    else yield* segment;
  }
}

const isLineBreak = (part: string): boolean => part === "\n" || part === "\r\n" || part === "\r";
const isVisible = (piece: string): boolean => piece.trim() !== "";
