// A message as lines on the wire, and the server's answers as its fate.
//
//   check ─▶ (join a configured channel that we are not in) ─▶ lines in groups, each confirmed before the next ─▶ ids of the echoes
//
// A long message remembers durably which groups the server has confirmed: after a lost connection it goes on there and does not begin again.
import { createHash } from "node:crypto";
import { type Outgoing, reject, retry, type SendContext, type SendResult } from "spoolway/sdk";
import type { Channels } from "./channels.ts";
import type { IrcConfig } from "./config.ts";
import type { Link } from "./link.ts";
import { type Line, say } from "./say.ts";
import { byteLength, toLines } from "./split.ts";

/** RFC 2812, with the line's end. */
const maxLineBytes = 512;
/** Of user@host where the server has not shown ours yet: USERLEN 10 and a tilde, HOSTLEN 64. */
const longestUserHost = 11 + 1 + 64;
const minTextBytes = 64;
const maxTagBytes = 500;
/** Of lines that the server has not confirmed: far below the queue at which servers end a connection (1 to 8 KiB). */
const maxGroupBytes = 2048;

interface Progress {
  /** Of all lines and their target. */
  digest: string;
  done: number;
  ids: string[];
}

export async function sendMessage(
  link: Link,
  channels: Channels,
  message: Outgoing,
  ctx: SendContext<IrcConfig>,
): Promise<SendResult> {
  const target = checkTarget(message.conversation_id);
  const lines = linesOf(message, target, link);
  return link.exclusive(link.fold(target), async () => {
    if (channels.isMissing(target)) {
      const refusal = await channels.enter(target);
      if (refusal !== undefined) throw retry(`not in ${target}: ${refusal}`);
    }
    try {
      return await sayAll(link, target, lines, message, ctx);
    } catch (error) {
      // Kicked in the middle of it: the channel's loss, not the message's.
      if (channels.isMissing(target))
        throw retry(`no longer in ${target}: ${(error as Error).message}`, { cause: error });
      throw error;
    }
  });
}

/** One target and nothing else: a comma would make several of it, a space or line break another command. */
function checkTarget(target: string): string {
  if (/^[^\s,:$\u0000-\u001f][^\s,\u0000-\u001f]*$/.test(target)) return target;
  throw reject(`not a channel or nick: ${JSON.stringify(target)}`, "invalid_target", {
    hint: 'conversation_id is one channel ("#dev") or one nick.',
  });
}

function linesOf(message: Outgoing, target: string, link: Link): Line[] {
  const { network } = link.client;
  const { action, attachments = [], target: about } = message;
  if (attachments.length > 0) {
    throw reject("IRC has no attachments", "not_supported", {
      hint: "Put the file somewhere and send its address.",
    });
  }
  const given = [message.reply_to, message.reaction, about?.platform_id];
  if (given.some((value) => byteLength(value ?? "") > maxTagBytes)) {
    // The server would drop the line with an error that names no target.
    throw reject(`an id or a reaction is longer than ${maxTagBytes} bytes`, "invalid_message");
  }
  const tags: Line["tags"] = {};
  if (message.reply_to && network.supportsTag("draft/reply")) tags["+draft/reply"] = message.reply_to;
  if (action === "message") return textLines(message, target, link, tags);
  if (action === "typing" && network.supportsTag("typing"))
    return [{ command: "TAGMSG", tags: { "+typing": "active" } }];
  if (action === "react" && network.supportsTag("draft/react") && about && message.reaction) {
    return [
      { command: "TAGMSG", tags: { "+draft/react": message.reaction, "+draft/reply": about.platform_id } },
    ];
  }
  throw reject(`this IRC server cannot do ${action}`, "not_supported");
}

function textLines(message: Outgoing, target: string, link: Link, tags: Record<string, string>): Line[] {
  const { config } = link;
  const text = [message.subject, message.text].filter(Boolean).join("\n");
  const isAction = text.startsWith("/me ");
  const command = config.send_as === "notice" && !isAction ? "NOTICE" : "PRIVMSG";
  const nick = config.nick.length > link.nick.length ? config.nick : link.nick;
  const prefix = `:${nick}!${link.userHost ?? "x".repeat(longestUserHost)} ${command} ${target} :\r\n`;
  const room = maxLineBytes - byteLength(prefix) - (isAction ? "\u0001ACTION \u0001".length : 0);
  if (room < minTextBytes) throw reject(`${target} is too long for a line of IRC`, "invalid_target");
  const most = `at most ${config.max_lines} lines (max_lines) are sent for one message`;
  if (byteLength(text) > config.max_lines * maxLineBytes)
    throw reject(`${byteLength(text)} bytes; ${most}`, "too_large");
  const parts = toLines(isAction ? text.slice(4) : text, room);
  if (parts.length === 0) throw reject("the message has no text", "invalid_message");
  if (parts.length > config.max_lines) throw reject(`${parts.length} lines; ${most}`, "too_large");
  return parts.map((part) => ({ command, text: isAction ? `\u0001ACTION ${part}\u0001` : part, tags }));
}

/**
 * As many lines as the flood control lets through at once, and never more than a server's queue holds, are written before the server is asked. What it has
 * confirmed of a long message stays remembered when the rest is refused: redriven, the message goes on there.
 */
async function sayAll(
  link: Link,
  target: string,
  lines: Line[],
  message: Outgoing,
  ctx: SendContext<IrcConfig>,
): Promise<SendResult> {
  const size = Math.min(link.config.flood.burst, maxGroupBytes / maxLineBytes);
  const isLong = lines.length > size;
  const key = `sent:${message.id}`;
  const digest = createHash("sha256")
    .update(JSON.stringify([target, lines]))
    .digest("base64");
  const before = isLong ? await ctx.state.get<Progress>(key) : undefined;
  // Other lines: changed by a person, or cut for another nick or host. They would not fit together.
  let { done, ids }: Progress = before?.digest === digest ? before : { digest, done: 0, ids: [] };
  while (done < lines.length) {
    const group = lines.slice(done, done + size);
    const { problem, msgids } = await say(link, target, group);
    if (problem?.fate === "reject" && done > 0) {
      const words = `${problem.message} (${done} of ${lines.length} lines were sent)`;
      throw reject(words, problem.code, { hint: problem.hint });
    }
    if (problem) throw problem;
    done += group.length;
    ids = [...ids, ...msgids];
    if (isLong && done < lines.length) await ctx.state.set(key, { digest, done, ids } satisfies Progress);
  }
  if (isLong) await ctx.state.delete(key);
  return ids[0] === undefined
    ? {}
    : { platform_id: ids[0], ...(ids.length > 1 ? { platform_ids: ids } : {}) };
}
