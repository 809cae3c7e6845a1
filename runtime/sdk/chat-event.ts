// spoolway/sdk/chat-event: what somebody said or did in a chat of nicks and rooms, as an event. Who it was is told by the account where the platform vouches for one: a
// nick is whoever has it today, an account is somebody.
import type { Draft } from "../sdk.ts";
import { mentions } from "./text/mentions.ts";
import type { Nick } from "./nick.ts";

/** Who came, went, or has another name now. Without a room it is everywhere. */
export type Change =
  | { deed: "joined"; who: string; room: string }
  | { deed: "left"; who: string; room: string; why?: string | undefined }
  | { deed: "kicked"; who: string; room: string; by: string; why?: string | undefined }
  | { deed: "quit"; who: string; why?: string | undefined }
  | { deed: "renamed"; who: string; now: string };

export interface ChatLine {
  /** Who says or does it. */
  nick: string;
  account: string | undefined;
  isBot: boolean;
  /** What is said, or done. */
  what: string | Change;
  /** Whom it is said to: a room, or one person. */
  target: string;
  isRoom: boolean;
  /** The platform's id for it, its time, and the id of what it answers; "" counts as none. */
  id: string | undefined;
  time: string | undefined;
  replyTo: string | undefined;
  /** As it came. */
  raw: Record<string, unknown>;
}

/** The event. `me` is our own nick, `fold` makes names equal that are the same to the platform. */
export function chatEvent(line: ChatLine, { nick: me, fold }: ChatNames): Draft {
  const { nick, account, what, target, isRoom, id, replyTo } = line;
  const isSaid = typeof what === "string";
  const isAnywhere = isSaid || "room" in what;
  // Where to answer: the room, or the other one of a private talk.
  const name = isRoom || me.is(nick) ? target : nick;
  const conversation = { id: fold(name), type: isRoom ? "channel" : "direct", name } as const;
  return {
    kind: isSaid ? "message" : "membership",
    key: id ? [isAnywhere ? conversation.id : "", id] : undefined,
    platform_id: id || undefined,
    occurred_at: isoTime(line.time),
    conversation: isAnywhere ? conversation : undefined,
    reply_to: replyTo || undefined,
    sender: {
      // No nick may look like an account: platforms allow no colon in it, and where one does it becomes another character.
      id: account ? `account:${account}` : fold(nick).replaceAll(":", "\ufffd"),
      username: nick,
      display_name: nick,
      is_bot: line.isBot || undefined,
      is_self: me.is(nick),
    },
    mentions_me: isSaid ? mentions(fold(what), fold(me.current)) : undefined,
    content: { text: isSaid ? what : inWords(what), format: "plain" },
    raw: line.raw,
  };
}

export interface ChatNames {
  nick: Nick;
  fold(name: string): string;
}

/** A change as people say it: "ada left: lunch". */
export function inWords(change: Change): string {
  const why = "why" in change && change.why ? `: ${change.why}` : "";
  if (change.deed === "renamed") return `${change.who} is now ${change.now}`;
  if (change.deed === "kicked") return `${change.who} was kicked by ${change.by}${why}`;
  return `${change.who} ${change.deed}${why}`;
}

function isoTime(text = ""): string | undefined {
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : new Date(time).toISOString();
}
