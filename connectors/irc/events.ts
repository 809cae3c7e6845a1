// A line of IRC as an event: who said what where. Everything that has no place of its own stays in `raw`.
import type { IrcMessage } from "irc-framework";
import type { Draft } from "spoolway/sdk";
import { mentions } from "spoolway/sdk/mentions";
import type { Link } from "./link.ts";

/** The event for a message, or undefined where it is none, or one that the config does not ask for. */
export function toDraft(message: IrcMessage, link: Link): Draft | undefined {
  const { command, params, nick, prefix, tags } = message;
  const isMessage = ["PRIVMSG", "NOTICE"].includes(command) && prefix.includes("!"); // else the server itself
  const said = isMessage
    ? (params[1] ?? "").replace(/^\u0001ACTION (.*?)\u0001?$/, "/me $1")
    : inWords(message);
  if (said === undefined || said.startsWith("\u0001") || !(isMessage || link.config.membership))
    return undefined;
  // Where to answer: the channel (what was said to its operators is answered to them), or the other one of a private talk.
  const target = params[0] ?? "";
  const isChannel = link.isChannel(target);
  const name = isChannel || link.isMe(nick) ? target : nick;
  const conversation = { id: link.fold(name), type: isChannel ? "channel" : "direct", name } as const;
  const isAnywhere = command !== "QUIT" && command !== "NICK";
  const { msgid, time = "", account } = tags;
  const answers = tags["+draft/reply"] || tags["+reply"];
  return {
    kind: isMessage ? "message" : "membership",
    ...(msgid ? { key: [isAnywhere ? conversation.id : "", msgid], platform_id: msgid } : {}),
    ...(Number.isNaN(Date.parse(time)) ? {} : { occurred_at: new Date(time).toISOString() }),
    ...(isAnywhere ? { conversation } : {}),
    ...(answers ? { reply_to: answers } : {}),
    sender: {
      // A nick is whoever has it today, an account is somebody. A nick has no colon, so it cannot look like one.
      id: account ? `account:${account}` : link.fold(nick),
      username: nick,
      display_name: nick,
      ...(["bot", "draft/bot", "inspircd.org/bot"].some((tag) => tag in tags) ? { is_bot: true } : {}),
      is_self: link.isMe(nick),
    },
    ...(isMessage ? { mentions_me: mentions(link.fold(said), link.fold(link.nick)) } : {}),
    content: { text: plain(said), format: "plain" },
    raw: { command, params, prefix, tags: { ...tags } },
  };
}

function inWords({ command, nick, params }: IrcMessage): string | undefined {
  const why = (text: string | undefined): string => (text ? `: ${text}` : "");
  if (command === "JOIN") return `${nick} joined`;
  if (command === "PART") return `${nick} left${why(params[1])}`;
  if (command === "QUIT") return `${nick} quit${why(params[0])}`;
  if (command === "KICK") return `${params[1]} was kicked by ${nick}${why(params[2])}`;
  return command === "NICK" ? `${nick} is now ${params[0]}` : undefined;
}

/** Without colours and other formatting codes, which `raw` keeps. */
const plain = (text: string): string =>
  text.replace(
    /\u0003(?:\d{1,2}(?:,\d{1,2})?)?|\u0004(?:[\da-f]{6})?|[\u0002\u000f\u0011\u0016\u001d-\u001f]/gi,
    "",
  );
