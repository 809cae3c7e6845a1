// spoolway/sdk/text/line-text: a message for a chat that has lines of text and nothing else (IRC): to one target, in lines that fit, and not too many.
import { type Outgoing, reject } from "../../sdk.ts";
import { plainTextOf } from "./plain-text.ts";
import { toLines } from "./split.ts";

/** Less room than this for a line's text is no way to talk. */
const minLineBytes = 64;

export interface LineTextOptions {
  /** Its name, for errors. */
  platform: string;
  /** UTF-8 bytes of one line's text. */
  maxBytes: number;
  maxLines: number;
  /** What means something on the wire and becomes U+FFFD; a regular expression with the flag g. Line breaks are none of it: they divide lines. */
  forbidden: RegExp;
}

/**
 * Its lines; `isAction` when the text began with "/me ", which is left out then. Throws reject: invalid_target unless conversation_id is one word, since a comma could make
 * several of it, and a space or line break another command; too_large, and what plainTextOf throws.
 */
export function lineText(
  message: Outgoing,
  { platform, maxBytes, maxLines, forbidden }: LineTextOptions,
): { lines: string[]; isAction: boolean } {
  const target = message.conversation_id;
  if (!/^[^\s,:$\u0000-\u001f][^\s,\u0000-\u001f]*$/.test(target)) {
    const hint = "conversation_id is the name of one room or person.";
    throw reject(`not a room or person: ${JSON.stringify(target)}`, "invalid_target", { hint });
  }
  if (maxBytes < minLineBytes)
    throw reject(`${target} is too long for a line of ${platform}`, "invalid_target");
  const text = plainTextOf(message, platform).replace(forbidden, "\ufffd");
  const isAction = text.startsWith("/me ");
  const lines = toLines(isAction ? text.slice("/me ".length) : text, maxBytes);
  if (lines.length <= maxLines) return { lines, isAction };
  throw reject(`${lines.length} lines; max_lines is ${maxLines}`, "too_large");
}
