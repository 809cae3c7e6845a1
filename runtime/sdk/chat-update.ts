// spoolway/sdk/chat-update: what happened in a chat of a platform whose chats, people and messages have numbers (Telegram and its like), as events: who said, edited,
// reacted, came or went.
import type { Draft, DraftAttachment } from "../sdk.ts";

export interface Person {
  id: number | string;
  name?: string | undefined;
  username?: string | undefined;
  isBot?: boolean | undefined;
}

export interface ChatUpdate {
  kind: NonNullable<Draft["kind"]>;
  /** The platform's id of this update, and what kind it is there. */
  update: number | string;
  name: string;
  chat?: { id: number | string; type: "direct" | "group" | "channel"; name?: string | undefined } | undefined;
  /** Of the message: the one that was said, or that an edit or a reaction is about. */
  message?: number | undefined;
  by?: Person | undefined;
  /** Our own account. */
  me: number | string;
  seconds?: number | undefined;
  thread?: number | undefined;
  answers?: number | undefined;
  mentionsMe?: boolean | undefined;
  text?: string | undefined;
  reaction?: string | undefined;
  attachment?: DraftAttachment | undefined;
  /** Who came, who is gone: a membership event for each, in place of the event itself. */
  came?: readonly Person[] | undefined;
  gone?: Person | undefined;
  raw: unknown;
}

/** What somebody is in a chat; `is_member` where the status leaves it open (one who may not write may be there, or not). */
export interface Member<User> {
  user: User;
  status: string;
  is_member?: boolean;
}

/** Who came or went by a change from one to the other. Nobody: it was a new rank, a ban of somebody who was not there, or the end of one. */
export function movedBy<User>(before?: Member<User>, now?: Member<User>): { came?: User; gone?: User } {
  const [was, is] = [isThere(before), isThere(now)];
  if (now === undefined || was === is) return {};
  return is ? { came: now.user } : { gone: now.user };
}

const isThere = (one?: { status: string; is_member?: boolean }): boolean =>
  one?.is_member ?? ["creator", "administrator", "member"].includes(one?.status ?? "");

export function chatUpdate(update: ChatUpdate): Draft[] {
  const { kind, chat, by, came = [], gone, text, reaction, attachment } = update;
  const id = textOf(update.message);
  const isAbout = ["edit", "reaction"].includes(kind) && id !== undefined;
  const key = [textOf(chat?.id) ?? "", id ?? update.name, String(update.update)];
  const base: Draft = {
    kind,
    key,
    platform_id: id,
    target: isAbout ? { platform_id: id } : undefined,
    occurred_at: update.seconds === undefined ? undefined : new Date(update.seconds * 1000).toISOString(),
    conversation: chat && { ...chat, id: String(chat.id) },
    thread_id: textOf(update.thread),
    reply_to: textOf(update.answers),
    sender: by && senderOf(by, update.me),
    mentions_me: kind === "message" || kind === "edit" ? (update.mentionsMe ?? false) : undefined,
    content: { text, reaction, format: "plain", attachments: attachment && [attachment] },
    raw: update.raw,
  };
  const moved = came.map((who) => ({ who, how: "joined" }));
  if (gone) moved.push({ who: gone, how: by && by.id !== gone.id ? `was removed by ${nameOf(by)}` : "left" });
  if (moved.length === 0) return [base];
  return moved.map(({ who, how }) => ({
    ...base,
    kind: "membership",
    key: [...key, String(who.id)],
    sender: senderOf(who, update.me),
    content: { text: `${nameOf(who)} ${how}`, format: "plain" },
  }));
}

const textOf = (id: number | string | undefined): string | undefined =>
  id === undefined ? undefined : String(id);

const nameOf = ({ id, name, username }: Person): string => name || username || String(id);

function senderOf(person: Person, me: number | string): NonNullable<Draft["sender"]> {
  const { id, username, isBot } = person;
  return { id: String(id), username, display_name: nameOf(person), is_bot: isBot, is_self: id === me };
}
