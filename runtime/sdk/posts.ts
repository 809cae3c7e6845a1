// spoolway/sdk/posts: a message as posts of a platform that takes so much text and so many files in one: the text first, its files with the last of it, and what does not fit
// in further posts, each sent once (sdk/parts).
import { type Outgoing, reject, type SendResult } from "../sdk.ts";
import { sendParts } from "./parts.ts";
import type { Recent } from "./recent.ts";
import { type SizeOf, splitText, utf16Units } from "./text/split.ts";

export interface Post {
  text: string;
  files: NonNullable<Outgoing["attachments"]>;
}

export interface PostLimits {
  maxText: number;
  maxFiles: number;
  /** Default UTF-16 units. */
  sizeOf?: SizeOf;
}

/** Sends each; `send` resolves with the platform's id of the post. */
export function sendPosts(
  sent: Recent<string[]>,
  message: Outgoing,
  limits: PostLimits,
  send: (post: Post, n: number) => Promise<string>,
): Promise<SendResult> {
  return sendParts(sent, message, postsOf(message, limits), send);
}

/** One post at least. The subject is the first line. Throws invalid_message where there is nothing to be seen. */
export function postsOf({ subject = "", text = "", attachments = [] }: Outgoing, limits: PostLimits): Post[] {
  const { maxText, maxFiles, sizeOf = utf16Units } = limits;
  const whole = [subject, text].filter((one) => one.trim() !== "").join("\n");
  const posts: Post[] = splitText(whole, maxText, sizeOf).map((piece) => ({ text: piece, files: [] }));
  const files = attachments.slice();
  const last = posts.at(-1);
  if (last !== undefined) last.files = files.splice(0, maxFiles);
  while (files.length > 0) posts.push({ text: "", files: files.splice(0, maxFiles) });
  if (posts.length === 0) throw reject("the message has no text, subject or attachment", "invalid_message");
  return posts;
}
