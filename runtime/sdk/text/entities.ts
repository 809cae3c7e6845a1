// spoolway/sdk/text/entities: &amp;, &eacute;, &#8217; and the like as the characters that they stand for.

/** The names of U+00A0 to U+00FF, in this order. */
const latin1 =
  "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest " +
  "Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig " +
  "agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml";

/** Each with its character behind it. */
const others =
  "amp& lt< gt> quot\" apos' hellip… bull• trade™ euro€ ndash– mdash— lsquo‘ rsquo’ sbquo‚ ldquo“ rdquo” bdquo„ lsaquo‹ rsaquo› dagger† Dagger‡ permil‰ prime′ Prime″ minus− " +
  "larr← uarr↑ rarr→ darr↓ harr↔ infin∞ ne≠ le≤ ge≥ OEligŒ oeligœ ScaronŠ scaronš YumlŸ fnofƒ circˆ tilde˜ check✓ star☆ hearts♥ middot· horbar― newline\n tab\t " +
  "ensp\u2002 emsp\u2003 thinsp\u2009 zwnj\u200c zwj\u200d lrm\u200e rlm\u200f";

const names = new Map<string, string>([
  ...latin1.split(" ").map((name, n): [string, string] => [name, String.fromCharCode(0xa0 + n)]),
  ...others.split(" ").map((one): [string, string] => [one.slice(0, -1), one.slice(-1)]),
]);

/** U+0080 to U+009F mean Windows-1252 in HTML. */
const windows = new TextDecoder("windows-1252");

/** Each reference once: "&amp;lt;" is "&lt;". What is none is left as it is. */
export function decodeEntities(text: string): string {
  return text.replaceAll(
    /&(?:#(\d{1,8})|#x([0-9a-f]{1,7})|([a-z][a-z0-9]{1,9}));/gi,
    (whole, decimal?: string, hex?: string, name?: string) => {
      if (name !== undefined) return names.get(name) ?? whole;
      return character(decimal === undefined ? Number.parseInt(hex ?? "", 16) : Number(decimal));
    },
  );
}

function character(code: number): string {
  if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return "\ufffd";
  if (code >= 0x80 && code <= 0x9f) return windows.decode(Uint8Array.of(code));
  return String.fromCodePoint(code);
}
