// Events of Matrix as ours.
import type { Context, Draft } from "spoolway/sdk";
import { path } from "spoolway/sdk/http/api";
import { isoTime } from "spoolway/sdk/iso-time";
import { readContent } from "spoolway/sdk/matrix/content";
import type { MatrixEvent, MatrixSession, Shown } from "spoolway/sdk/matrix/sync";
import { membershipText } from "spoolway/sdk/text/membership-text";
import { objectOf, textAt, textOf } from "spoolway/sdk/untrusted";
import type { Config } from "./manifest.d.ts";

export interface Session extends MatrixSession {
  ctx: Context<Config>;
  /** Where a first sync begins. */
  now: string;
}

const isEdit = (content: object): boolean => textAt(content, "m.relates_to", "rel_type") === "m.replace";

/** Undefined for what is none to us: what we sent (receipts have its ids), what was deleted already, changes of rooms and profiles. */
export async function toDraft(
  { event, names }: Shown,
  room: string,
  session: Session,
): Promise<Draft | undefined> {
  const { type, event_id: id, sender, content, redacts, unsigned = {}, state_key = "" } = event;
  const { me, api, ctx, rooms } = session;
  if ((sender === me && unsigned.transaction_id) || unsigned.redacted_because) return undefined;
  const redacted = type === "m.room.redaction" ? (textOf(redacts) ?? textAt(content, "redacts")) : undefined;
  const platform_id = redacted ?? textAt(content, "m.relates_to", "event_id") ?? "";
  const isBot = content.msgtype === "m.notice" || undefined;
  const isSelf = sender === me;
  const draft: Draft = {
    kind: "event",
    key: [room, id],
    platform_id: id,
    occurred_at: isoTime(event.origin_server_ts),
    conversation: rooms.conversation(room),
    sender: { id: sender, username: sender, display_name: names.get(sender), is_self: isSelf, is_bot: isBot },
    raw: event,
  };
  const about = { ...draft, target: { platform_id } };
  switch (type) {
    case "m.room.encrypted":
      return { ...draft, content: { text: "an encrypted message, which cannot be read here" } };
    case "m.room.redaction":
      return { ...about, kind: "delete" };
    case "m.reaction":
      return { ...about, kind: "reaction", content: { reaction: textAt(content, "m.relates_to", "key") } };
    case "m.room.member": {
      const membership = textOf(content.membership) ?? "";
      const was = unsigned.prev_content?.membership;
      if (!ctx.config.membership || membership === was) return undefined;
      const [who = "", by] = [state_key, sender].map((user) => names.get(user) ?? user);
      const text = membershipText(membership, who, by, textOf(content.reason), was);
      return { ...draft, kind: "membership", content: { text } };
    }
    case "m.sticker":
    case "m.room.message": {
      if (!isEdit(content)) return { ...draft, kind: "message", ...readContent(content, content, session) };
      const first = await api.find<MatrixEvent>(path`/client/v3/rooms/${room}/event/${platform_id}`);
      if (first?.unsigned?.redacted_because) return undefined;
      const newContent = objectOf(content["m.new_content"]);
      // Anybody can say that he edits another's message, or with nothing, or an edit: clients show none of these.
      if (first?.sender !== sender || isEdit(first.content) || textOf(newContent.body) === undefined)
        return draft;
      const now = readContent(newContent, first.content, session);
      return { ...about, kind: "edit", platform_id, ...now };
    }
  }
  return undefined;
}
