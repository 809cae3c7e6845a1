// spoolway/sdk/parts: a message that becomes several on the platform (a long text, text and files), each sent once. What is out is noted durably, so that a try that
// fails in the middle, or a crash, goes on where it was: only the part that was under way may be there twice.
//
//   const parts = await Recent.open<string[]>(ctx.state, "parts");      once a session, in connect
//   return sendParts(parts, message, partsOf(message, limits), (part, n) => say(part, n === 0 ? message.reply_to : undefined));
import { createHash } from "node:crypto";
import { type Outgoing, reject, type SendResult } from "../sdk.ts";
import { markdownToChatHtml, wholePieces } from "./text/markdown.ts";
import { type SizeOf, splitText } from "./text/split.ts";
import type { Recent } from "./recent.ts";

export type OutgoingFile = NonNullable<Outgoing["attachments"]>[number];

/** A text, a file, or a file with a text below it. "" only where the message has nothing at all: for the platform to refuse. */
export interface Part {
  text?: string;
  /** The text is HTML: markdown has become it (sdk/text/markdown). */
  isHtml: boolean;
  file?: OutgoingFile;
}

export interface PartLimits {
  text: number;
  /** Of a text that goes with a file. */
  caption: number;
  sizeOf: SizeOf;
  fileMaxBytes: number;
}

/** `send` resolves with the platform's id of the part. The parts have to be made of the message alone: a later try must make the same ones. */
export async function sendParts<T>(
  sent: Recent<string[]>,
  message: Outgoing,
  parts: readonly T[],
  send: (part: T, n: number) => Promise<string>,
): Promise<SendResult> {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return { platform_id: await send(only, 0) };
  // A dead letter that was changed and sent again is another message, although with the same id.
  const digest = createHash("sha256").update(JSON.stringify(parts)).digest("base64url").slice(0, 16);
  const key = `${message.id} ${digest}`;
  const ids = [...(sent.get(key) ?? [])];
  for (const [n, part] of parts.entries()) {
    if (n < ids.length) continue;
    ids.push(await send(part, n));
    await sent.note(key, [...ids]);
  }
  return { platform_id: ids[0], platform_ids: ids };
}

/**
 * The text in pieces that fit, then the files one by one; a text that fits below the first file goes there. Markdown is cut before it becomes HTML, code blocks go on in the
 * next piece, and HTML is never cut: its tags would break, and platforms count it without them. Throws too_large for a file above the limit.
 */
export function partsOf(message: Outgoing, { text, caption, sizeOf, fileMaxBytes }: PartLimits): Part[] {
  const { attachments: files = [], format = "plain" } = message;
  const large = files.find(({ size = 0 }) => size > fileMaxBytes);
  if (large)
    throw reject(`${large.name ?? large.path}: ${large.size} bytes, at most ${fileMaxBytes}`, "too_large");
  const isHtml = format !== "plain";
  const whole = [message.subject, message.text].filter(Boolean).join("\n");
  const pieces = format === "html" ? [whole].filter(Boolean) : splitText(whole, text, sizeOf);
  const texts = format === "markdown" ? wholePieces(pieces).map(markdownToChatHtml) : pieces;
  const isCaption = files.length > 0 && pieces.length === 1 && sizeOf(pieces[0] ?? "") <= caption;
  if (files.length === 0 && pieces.length === 0) return [{ text: "", isHtml: false }];
  const below = isCaption ? texts : [];
  const above = isCaption ? [] : texts.map((one) => ({ text: one, isHtml }));
  return [
    ...above,
    ...files.map((file, n) => ({ file, isHtml, ...(below[n] === undefined ? {} : { text: below[n] }) })),
  ];
}
