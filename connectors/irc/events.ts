// A line of IRC as an event: who said what where. Everything that has no place of its own stays in `raw`.
import type { IrcMessage } from "irc-framework";
import type { Draft } from "spoolway/sdk";
import type { Link } from "./link.ts";

type Kind = NonNullable<Draft["kind"]>;

/** The event for a message, or undefined where it is none, or one that the config does not ask for. */
export function toDraft(message: IrcMessage, link: Link): Draft | undefined {
  switch (message.command) {
    case "PRIVMSG":
    case "NOTICE":
      return speech(message, link);
    case "TAGMSG":
      return tagged(message, link);
    case "JOIN":
    case "PART":
    case "KICK":
    case "QUIT":
    case "NICK":
      return ifWanted("membership", link, () => notice("membership", message, link));
    case "TOPIC":
    case "MODE":
    case "INVITE":
      if (message.command === "MODE" && !isChannel(message.params[0] ?? "", link)) return undefined; // our own user modes
      return ifWanted("channel", link, () => notice("event", message, link));
    default:
      return undefined;
  }
}

function speech(message: IrcMessage, link: Link): Draft | undefined {
  const text = message.params[1] ?? "";
  if (!message.prefix.includes("!")) {
    return ifWanted("server", link, () => ({
      ...basics(message, link),
      kind: "event",
      content: plain(text),
    }));
  }
  const base = { ...basics(message, link), mentions_me: mentions(text, link) };
  if (!text.startsWith("\u0001")) return { ...base, content: plain(text) };
  const ctcp = text.slice(1).replace(/\u0001$/, "");
  if (ctcp.startsWith("ACTION ")) return { ...base, content: plain(`/me ${ctcp.slice(7)}`) };
  return ifWanted("ctcp", link, () => ({ ...base, kind: "event", content: plain(ctcp) }));
}

/** A message that is only tags: a reaction, or somebody typing. */
function tagged(message: IrcMessage, link: Link): Draft | undefined {
  const reaction = message.tags["+draft/react"];
  const about = repliedTo(message);
  if (reaction && about) {
    return {
      ...basics(message, link),
      kind: "reaction",
      target: { platform_id: about },
      content: { reaction },
    };
  }
  if (message.tags["+typing"] !== "active") return undefined;
  return ifWanted("typing", link, () => ({ ...basics(message, link), kind: "typing" }));
}

function notice(kind: Kind, message: IrcMessage, link: Link): Draft {
  return { ...basics(message, link), kind, content: plain(inWords(message)) };
}

function inWords({ command, nick, prefix, params }: IrcMessage): string {
  const who = nick || prefix;
  const why = (text: string | undefined): string => (text ? `: ${text}` : "");
  switch (command) {
    case "JOIN":
      return `${who} joined`;
    case "PART":
      return `${who} left${why(params[1])}`;
    case "QUIT":
      return `${who} quit${why(params[0])}`;
    case "KICK":
      return `${params[1]} was kicked by ${who}${why(params[2])}`;
    case "NICK":
      return `${who} is now ${params[0]}`;
    case "TOPIC":
      return `${who} set the topic${why(params[1])}`;
    case "INVITE":
      return `${who} invited ${params[0]} to ${params[1]}`;
    default:
      return `${who} set ${params.slice(1).join(" ")}`;
  }
}

function basics(message: IrcMessage, link: Link): Draft {
  const conversation = conversationOf(message, link);
  const { msgid, time } = message.tags;
  const occurredAt = time === undefined ? Number.NaN : Date.parse(time);
  const answers = repliedTo(message);
  return {
    ...(msgid ? { key: [conversation?.id ?? "", msgid], platform_id: msgid } : {}),
    ...(Number.isNaN(occurredAt) ? {} : { occurred_at: new Date(occurredAt).toISOString() }),
    ...(conversation ? { conversation } : {}),
    ...(answers ? { reply_to: answers } : {}),
    sender: senderOf(message, link),
    raw: {
      command: message.command,
      params: message.params,
      prefix: message.prefix,
      tags: { ...message.tags },
    },
  };
}

/**
 * Where to answer: the channel (with its status prefix: what was said to the operators is answered to the operators), or the other one of a
 * private talk. QUIT and NICK happen nowhere in particular.
 */
function conversationOf({ command, nick, prefix, params }: IrcMessage, link: Link): Draft["conversation"] {
  if (command === "QUIT" || command === "NICK") return undefined;
  const target = (command === "INVITE" ? params[1] : params[0]) ?? "";
  if (isChannel(target, link)) return { id: link.fold(target), type: "channel", name: target };
  const other = link.isMe(nick) ? target : nick || prefix;
  return { id: link.fold(other), type: "direct", name: other };
}

/** A channel, or the operators (@#chan) or voiced members (+#chan) of one. */
export function isChannel(target: string, link: Link): boolean {
  const { network } = link.client;
  const prefixes = network.options.STATUSMSG;
  const isGroup =
    Array.isArray(prefixes) && prefixes.includes(target[0]) && network.isChannelName(target.slice(1));
  return isGroup || network.isChannelName(target);
}

/** A nick is whoever has it today, an account is somebody: their ids cannot be mistaken for each other, as a nick has no colon. */
function senderOf({ nick, prefix, tags, command }: IrcMessage, link: Link): NonNullable<Draft["sender"]> {
  if (nick === "" || (!prefix.includes("!") && command === "NOTICE"))
    return { id: prefix, username: prefix, is_bot: true };
  return {
    id: tags.account ? `account:${tags.account}` : link.fold(nick),
    username: nick,
    display_name: nick,
    ...(["bot", "draft/bot", "inspircd.org/bot"].some((tag) => tag in tags) ? { is_bot: true } : {}),
    is_self: link.isMe(nick),
  };
}

function mentions(text: string, link: Link): boolean {
  const me = link.fold(link.nick);
  const ofNick = /[\p{L}\p{N}_\-[\]\\`^{}|]/u;
  const inText = link.fold(text);
  for (let at = inText.indexOf(me); at !== -1; at = inText.indexOf(me, at + 1)) {
    const isWord = ![inText[at - 1], inText[at + me.length]].some(
      (next) => next !== undefined && ofNick.test(next),
    );
    if (isWord) return true;
  }
  return false;
}

const repliedTo = ({ tags }: IrcMessage): string | undefined =>
  tags["+draft/reply"] || tags["+reply"] || undefined;

/** Without colours and other formatting codes, which `raw` keeps. */
function plain(text: string): { text: string; format: "plain" } {
  const clean = text
    .replace(/\u0003(?:\d{1,2}(?:,\d{1,2})?)?/g, "")
    .replace(/\u0004(?:[\da-f]{6}(?:,[\da-f]{6})?)?/gi, "")
    .replace(/[\u0002\u000f\u0011\u0016\u001d-\u001f]/g, "");
  return { text: clean, format: "plain" };
}

function ifWanted(extra: Link["config"]["events"][number], link: Link, make: () => Draft): Draft | undefined {
  return link.config.events.includes(extra) ? make() : undefined;
}
