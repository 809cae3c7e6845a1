// Messages as requests, each of which counts once: a post has a nonce by which Discord knows it for some minutes, and the rest may be done again.
import { reject } from "spoolway/sdk";
import { jsonWithFiles } from "spoolway/sdk/http/multipart";
import { sendPosts } from "spoolway/sdk/posts";
import { unless } from "spoolway/sdk/http/refusals";
import { shortId } from "spoolway/sdk/short-id";
import { snowflake } from "spoolway/sdk/snowflakes";
import { fileName } from "spoolway/sdk/http/upload";
import type { Files, Message, Send, Session } from "./discord.d.ts";

const limits = { maxText: 2000, maxFiles: 10 };
const maxNonce = 25;
const ourMark = "sw";

/** Whether this message was dropped here: the gateway says its nonce, which anybody may choose, and the history does not. */
export const isOurs = ({ id, nonce, author }: Message, { gateway, sent }: Session): boolean =>
  author.id === gateway.me && (String(nonce).startsWith(ourMark) || sent.get(id) === true);

export const send: Send = async ({ call, posts, sent }, message, ctx) => {
  const { action, thread_id, reply_to, subject, text, reaction, attachments = [] } = message;
  const { signal } = ctx;
  const [, person] = /^user:(\d+)$/.exec(message.conversation_id) ?? [];
  const body = { recipient_id: person };
  const direct = person && (await call<{ id: string }>("POST", "/users/@me/channels", { body, signal })).id;
  const place = thread_id ? "thread_id" : "conversation_id";
  const channel = `/channels/${snowflake(thread_id ?? direct ?? message.conversation_id, place)}` as const;
  const allowed_mentions = { parse: ctx.config.mentions, replied_user: true };
  const request = (json: object, files: NonNullable<Files>): object => {
    const form = jsonWithFiles(ctx, "payload_json", json, files, (n) => `files[${n}]`);
    return { signal, ...(files.length > 0 ? { ...form, passThroughBody: true } : { body: json }) };
  };
  if (action === "message") {
    const answered = reply_to ? snowflake(reply_to, "reply_to") : undefined;
    const message_reference = answered && { message_id: answered, fail_if_not_exists: false };
    return sendPosts(posts, message, limits, async ({ text: content, files }, n) => {
      const post = { content, allowed_mentions, ...(n === 0 ? { message_reference } : {}) };
      const nonce = shortId(maxNonce, ourMark, message.id, n, channel, post, files);
      const posted = request({ ...post, nonce, enforce_nonce: true }, files);
      const { id } = await call<Message>("POST", `${channel}/messages`, posted);
      await sent.note(id, true);
      return id;
    });
  }
  if (action === "typing") return void (await call("POST", `${channel}/typing`, { signal }));
  const id = snowflake(message.target?.platform_id, "target.platform_id");
  const target = `${channel}/messages/${id}` as const;
  const gone = ctx.mayHaveBeenSent ? /\(10008\)$/ : /^$/; // an earlier try may have deleted it
  if (action === "edit") {
    const content = subject ? [subject, text].filter(Boolean).join("\n") : text;
    // Only what is listed is there afterwards: without a list everything stays, and what comes is not taken.
    const listed = attachments.map((file, n) => ({ id: n, filename: fileName(file) }));
    const edit = { content, allowed_mentions, ...(listed.length > 0 ? { attachments: listed } : {}) };
    await call("PATCH", target, request(edit, attachments));
  } else if (action === "react") {
    if (!reaction) throw reject("action react needs a reaction: one emoji", "invalid_message");
    await call("PUT", `${target}/reactions/${encodeURIComponent(reaction)}/@me`, { signal });
  } else await call("DELETE", target, { signal }).catch(unless(gone));
  return { platform_id: id };
};
