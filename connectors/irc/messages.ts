// Lines of IRC as events, and messages as lines: who said what where. What the server has to say against a message becomes the message's fate.
import type { IrcMessage } from "irc-framework";
import { type Draft, type Outgoing, reject, type SendResult, type SpoolwayError } from "spoolway/sdk";
import { chatEvent, type ChatLine } from "spoolway/sdk/chat-event";
import { notYet } from "spoolway/sdk/socket/goodbye";
import { lineText } from "spoolway/sdk/text/line-text";
import { utf8Bytes } from "spoolway/sdk/text/split";
import { changeOf, type Link } from "./link.ts";

/** Colours and other codes of formatting; `raw` keeps them. */
const formatting = /\x03(?:\d{1,2}(?:,\d{1,2})?)?|\x04(?:[\da-f]{6})?|[\x02\x0f\x11\x16\x1d-\x1f]/gi;

/** The event for a line, or undefined where it is none, or one that the config does not ask for. */
export function toDraft(message: IrcMessage, link: Link): Draft | undefined {
  const { command, params, nick, prefix, tags } = message;
  const [target = "", text = ""] = params;
  const isMessage = ["PRIVMSG", "NOTICE"].includes(command) && prefix.includes("!"); // else the server itself
  const said = isMessage
    ? text.replace(/^\x01ACTION (.*?)\x01?$/, "/me $1").replace(formatting, "")
    : undefined;
  const what = said ?? (link.config.membership ? changeOf(message) : undefined);
  if (what === undefined || said?.startsWith("\x01")) return undefined; // CTCP
  const line: ChatLine = {
    nick,
    account: tags.account, // where the server vouches for one; a nick has no colon
    isBot: ["bot", "draft/bot", "inspircd.org/bot"].some((tag) => tag in tags),
    what,
    target, // what was said to a channel's operators (@#dev) is answered to them
    isRoom: link.isChannel(target),
    id: tags.msgid,
    time: tags.time,
    replyTo: tags["+draft/reply"] || tags["+reply"],
    raw: { command, params, prefix, tags: { ...tags } },
  };
  return chatEvent(line, link.presence);
}

/** RFC 2812: with the line's end, and with our user@host, which others see before the text: USERLEN 10 and a tilde, HOSTLEN 64. */
const maxLineBytes = 512 - (11 + 1 + 64);
/** Lines: 2 KiB, far below the queue at which servers end a connection (1 to 8 KiB are usual for all conversations). */
const maxUnconfirmed = 4;

export async function sendMessage(link: Link, message: Outgoing): Promise<SendResult> {
  const { nick: me, rooms, fold } = link.presence;
  const target = message.conversation_id;
  const lines = linesOf(message, link);
  await rooms.need(target);
  const isAbout = (name = ""): boolean => fold(name) === fold(target);
  const ids: string[] = [];
  // Each line has one echo: one more is the message that we said to ourselves.
  let echoes = link.client.network.cap.isEnabled("echo-message") ? lines.length : 0;
  const take = ({ command, params, nick, tags }: IrcMessage): boolean => {
    if (isRefusal(command) && isAbout(params[1])) throw rooms.absence(target) ?? problemOf(command, params);
    const isEcho = command === "PRIVMSG" && me.is(nick) && isAbout(params[0]) && echoes-- > 0;
    if (isEcho && tags.msgid) ids.push(tags.msgid);
    return isEcho;
  };
  await link.exchange(lines, { take, window: maxUnconfirmed });
  return { platform_id: ids[0], platform_ids: ids.length > 1 ? ids : undefined };
}

function linesOf(message: Outgoing, { client, config, presence }: Link): string[] {
  const { conversation_id: target, reply_to } = message;
  const longestNick = Math.max(utf8Bytes(presence.nick.current), utf8Bytes(config.nick));
  const { lines, isAction } = lineText(message, {
    platform: "IRC",
    maxBytes: maxLineBytes - longestNick - utf8Bytes(`:! PRIVMSG ${target} :\x01ACTION \x01\r\n`),
    maxLines: config.max_lines,
    forbidden: /[\x00\x01]/g, // the second is CTCP's mark
  });
  const tags = reply_to && client.network.supportsTag("draft/reply") ? { "+draft/reply": reply_to } : {};
  return lines.map((text) => {
    const line = new client.Message("PRIVMSG", target, isAction ? `\x01ACTION ${text}\x01` : text);
    return Object.assign(line, { tags }).to1459();
  });
}

/** A numeric that says no. 43x are about our own nick. */
const isRefusal = (command: string): boolean => /^(?:4(?!3[1-8])\d\d|5\d\d|716|707|936)$/.test(command);

function problemOf(command: string, [, target = "", ...more]: string[]): SpoolwayError {
  const words = more.at(-1) || `error ${command}`;
  if (command === "439" || command === "707") return notYet(target, words); // target change too fast
  const offline = "Nobody of that name is online; IRC keeps nothing for them.";
  if (command === "401") return reject(`${target}: ${words}`, "no_such_nick", { hint: offline });
  const hint = `May we speak to ${target}? A channel has to be among channels.`;
  return reject(`${target}: ${words}`, "rejected", { hint });
}
