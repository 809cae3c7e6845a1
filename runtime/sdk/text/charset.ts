// spoolway/sdk/text/charset: bytes of a document as text, by what they say of themselves: a byte order mark, the charset of the content type, an XML declaration or a meta
// element; else UTF-8, and where they are no UTF-8, Windows-1252, which never fails.

/** `contentType`: the header's value, where there is one. */
export function decodeText(bytes: Uint8Array, contentType?: string | null): string {
  const head = new TextDecoder("latin1").decode(bytes.subarray(0, 1024));
  const named = [markOf(bytes), charsetOf(contentType), declared(head)];
  for (const label of named) {
    const decoder = label === undefined ? undefined : decoderOf(label);
    if (decoder !== undefined) return decoder.decode(bytes);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes); // the one error that a fatal decoder throws: no UTF-8
  }
}

/** `text/xml; charset="UTF-8"` → UTF-8. */
export function charsetOf(contentType: string | null | undefined): string | undefined {
  return /;\s*charset\s*=\s*["']?([^\s;"']+)/i.exec(contentType ?? "")?.[1];
}

function markOf([a, b, c]: Uint8Array): string | undefined {
  if (a === 0xef && b === 0xbb && c === 0xbf) return "utf-8";
  if (a === 0xfe && b === 0xff) return "utf-16be";
  return a === 0xff && b === 0xfe ? "utf-16le" : undefined;
}

function declared(head: string): string | undefined {
  const xml = /^\s*<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)/.exec(head)?.[1];
  const label = xml ?? /<meta[^>]*?charset\s*=\s*["']?([\w.:-]+)/i.exec(head)?.[1];
  // That its bytes were read at all says that it is no UTF-16, whatever it claims.
  return label !== undefined && /^utf-?16/i.test(label) ? undefined : label;
}

function decoderOf(label: string): TextDecoder | undefined {
  try {
    return new TextDecoder(label);
  } catch {
    return undefined; // a name that nobody knows: as if none were given
  }
}
