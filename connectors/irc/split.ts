// A text as IRC lines: each fits its bytes, none is cut inside a character.

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/**
 * The lines of a text, each at most `maxBytes` bytes of UTF-8. Line breaks end a line, empty lines are left out. A long line is cut at the last space that
 * fits (that one space is dropped), else between two grapheme clusters, else (one cluster is longer than a line) between two code points.
 * Control characters that mean something on the wire (NUL, CTCP's 0x01) become U+FFFD, as do lone surrogates.
 */
export function toLines(text: string, maxBytes: number): string[] {
  const clean = text.toWellFormed().replace(/[\u0000\u0001]/g, "\ufffd");
  return clean
    .split(/\r\n|\r|\n/)
    .filter((line) => line.trim() !== "")
    .flatMap((line) => (byteLength(line) <= maxBytes ? [line] : cut(line, maxBytes)));
}

function cut(line: string, maxBytes: number): string[] {
  const lines: string[] = [];
  let current = "";
  let bytes = 0;
  let spaceAt = -1;
  for (const part of parts(line, maxBytes)) {
    const size = byteLength(part);
    const isFull = bytes + size > maxBytes;
    while (bytes + size > maxBytes) {
      const atSpace = spaceAt > 0 && part !== " ";
      lines.push(atSpace ? current.slice(0, spaceAt) : current);
      current = atSpace ? current.slice(spaceAt + 1) : "";
      bytes = byteLength(current);
      spaceAt = -1;
    }
    if (isFull && part === " ") continue; // the line break stands for it
    if (part === " ") spaceAt = current.length;
    current += part;
    bytes += size;
  }
  lines.push(current);
  return lines.filter((one) => one.trim() !== "");
}

/** Grapheme clusters; those that are longer than a line, as code points. */
function* parts(line: string, maxBytes: number): Generator<string> {
  for (const { segment } of graphemes.segment(line)) {
    if (byteLength(segment) <= maxBytes) yield segment;
    else yield* segment;
  }
}

export const byteLength = (text: string): number => Buffer.byteLength(text, "utf8");
