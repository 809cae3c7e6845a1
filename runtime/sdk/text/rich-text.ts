// spoolway/sdk/text/rich-text: the text of a message for a platform that has HTML beside a plain text (Matrix, mail): markdown and HTML become both.
import type { Outgoing } from "../../sdk.ts";
import { htmlToText } from "./html-text.ts";
import { markdownToChatHtml } from "./markdown.ts";
import { type SizeOf, splitText, utf8Bytes } from "./split.ts";

export interface RichText {
  text: string;
  html?: string;
}

/** Subject and text. A plain one in pieces of at most `max`; one with markup is never cut, because half of it would be another one. None where nothing can be seen. */
export function richTexts(
  { text, subject, format = "plain" }: Pick<Outgoing, "text" | "subject" | "format">,
  max: number,
  sizeOf: SizeOf = utf8Bytes,
): RichText[] {
  // Half a character, as texts have it that were cut by their length, is refused by many, or worse.
  const [title = "", body = ""] = [subject?.toWellFormed(), text?.toWellFormed()];
  const whole = [title, body].filter(Boolean).join("\n");
  if (format === "plain") return splitText(whole, max, sizeOf).map((piece) => ({ text: piece }));
  if (whole.trim() === "") return [];
  const html = `${title === "" ? "" : `${escaped(title)}<br>`}${body}`;
  if (format === "html") return [{ text: htmlToText(html), html }];
  return [{ text: whole, html: markdownToChatHtml(whole).replaceAll("\n", "<br>") }];
}

const escaped = (text: string): string => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
