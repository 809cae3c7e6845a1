// A message as lines on the wire, and the server's answers as its fate.
import type { IrcMessage } from "irc-framework";
import { type Outgoing, reject, retry, type SendResult, type SpoolwayError } from "spoolway/sdk";
import { plainTextOf } from "spoolway/sdk/plain-text";
import { toLines, utf8Bytes } from "spoolway/sdk/split";
import type { Link } from "./link.ts";
import type { Presence } from "./presence.ts";

/** RFC 2812, with the line's end. */
const maxLineBytes = 512;
/** Of our user@host, which others see before the text: USERLEN 10 and a tilde, HOSTLEN 64. */
const maxUserHostBytes = 11 + 1 + 64;
/** Lines: 2 KiB, far below the queue at which servers end a connection (1 to 8 KiB are usual for all conversations). */
const maxUnconfirmed = 4;

export async function sendMessage(link: Link, presence: Presence, message: Outgoing): Promise<SendResult> {
  const target = message.conversation_id;
  const lines = linesOf(message, link);
  if (presence.rooms.whyAbsent(target) !== undefined) await presence.restore();
  const refusal = presence.rooms.whyAbsent(target);
  if (refusal !== undefined) throw retry(`not in ${target}: ${refusal}`);
  // Each line has one echo: one more is the message that we said to ourselves.
  let echoes = link.client.network.cap.isEnabled("echo-message") ? lines.length : 0;
  const isAbout = (name = ""): boolean => link.fold(name) === link.fold(target);
  const isAnswer = (heard: IrcMessage): boolean => {
    if (isRefusal(heard)) return isAbout(heard.params[1]);
    return heard.command === "PRIVMSG" && link.isMe(heard.nick) && isAbout(heard.params[0]) && echoes-- > 0;
  };
  const answers: IrcMessage[] = [];
  for (let at = 0; at < lines.length && !answers.some(isRefusal); at += maxUnconfirmed)
    answers.push(...(await link.exchange(lines.slice(at, at + maxUnconfirmed), isAnswer)));
  const refused = answers.find(isRefusal);
  const loss = presence.rooms.whyAbsent(target); // kicked in the middle of it: the channel's, not the message's
  if (refused) throw loss === undefined ? problemOf(refused) : retry(`no longer in ${target}: ${loss}`);
  const ids = answers.flatMap(({ tags }) => tags.msgid ?? []);
  return { ...(ids[0] ? { platform_id: ids[0] } : {}), ...(ids.length > 1 ? { platform_ids: ids } : {}) };
}

function linesOf(message: Outgoing, { client, config, nick }: Link): string[] {
  const { conversation_id: target, reply_to = "" } = message;
  // One target and nothing else: a comma would make several of it, a space or line break another command.
  if (!/^[^\s,:$\u0000-\u001f][^\s,\u0000-\u001f]*$/.test(target)) {
    const hint = 'conversation_id is one channel ("#dev") or one nick.';
    throw reject(`not a channel or nick: ${JSON.stringify(target)}`, "invalid_target", { hint });
  }
  // NUL and CTCP's mark mean something on the wire.
  const text = plainTextOf(message, "IRC").replace(/[\u0000\u0001]/g, "\ufffd");
  const [open, close] = text.startsWith("/me ") ? ["\u0001ACTION ", "\u0001"] : ["", ""];
  const longestNick = Math.max(utf8Bytes(nick), utf8Bytes(config.nick));
  const room =
    maxLineBytes - maxUserHostBytes - longestNick - utf8Bytes(`:! PRIVMSG ${target} :${open}${close}\r\n`);
  if (room < 64) throw reject(`${target} is too long for a line of IRC`, "invalid_target");
  const parts = toLines(open ? text.slice(4) : text, room);
  if (parts.length > config.max_lines)
    throw reject(`${parts.length} lines; max_lines is ${config.max_lines}`, "too_large");
  const tags = reply_to && client.network.supportsTag("draft/reply") ? { "+draft/reply": reply_to } : {};
  const line = (part: string) => new client.Message("PRIVMSG", target, `${open}${part}${close}`);
  return parts.map((part) => Object.assign(line(part), { tags }).to1459());
}

/** A numeric that says no. 43x are about our own nick. */
const isRefusal = ({ command }: IrcMessage): boolean =>
  /^(?:4(?!3[1-8])\d\d|5\d\d|716|707|936)$/.test(command);

function problemOf({ command, params }: IrcMessage): SpoolwayError {
  const words = params.at(-1) || `error ${command}`;
  const message = `${params[1]}: ${words}`;
  // Target change too fast: the server takes it in a while, and often says in how many seconds.
  if (command === "439" || command === "707")
    return retry(message, { retryAfterMs: 1000 * Number(/\d+/.exec(words)?.[0] ?? 60) });
  const [code, hint] =
    command === "401"
      ? ["no_such_nick", "Nobody of that name is online; IRC keeps nothing for them."]
      : ["rejected", `May we speak to ${params[1]}? A channel has to be among channels.`];
  return reject(message, code, { hint });
}
