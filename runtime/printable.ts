// Text of others on a terminal: nothing in it may move the cursor, colour, hide or reorder what is shown.

// C0 without tab and newline, DEL, C1, line and paragraph separators, and what reorders text (bidirectional controls).
const unsafe = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** The text with control characters as \x1b or \u202e. Newlines and tabs stay; CRLF becomes a newline; broken surrogates become U+FFFD. */
export function printable(text: string): string {
  return text.toWellFormed().replaceAll("\r\n", "\n").replace(unsafe, escape);
}

function escape(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, "0")}`
    : `\\u${code.toString(16).padStart(4, "0")}`;
}
