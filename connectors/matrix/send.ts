// Messages as events of Matrix. The transaction of each is the message's id: sent again, it is the same event to the homeserver.
import { type Outgoing, reject, type SendContext, type SendResult } from "spoolway/sdk";
import { path } from "spoolway/sdk/http/api";
import { writeContents } from "spoolway/sdk/matrix/content";
import type { Session } from "./events.ts";

type Put = [where: string, content: object];
const typingMs = 30_000;
const roomHint = "Take conversation_id from an event of the room: it begins with an exclamation mark.";

export async function send(session: Session, message: Outgoing, ctx: SendContext): Promise<SendResult> {
  const { api, rooms } = session;
  const { conversation_id: id } = message;
  if (!id.startsWith("!"))
    throw reject(`${id} is not the id of a room`, "invalid_target", { hint: roomHint });
  const room = path`/client/v3/rooms/${id}`;
  // One that we have just come into may be encrypted, although nobody has told us yet.
  const isHidden = !rooms.has(id) && (await api.find(`${room}/state/m.room.encryption`)) !== undefined;
  rooms.demandPlain(id, isHidden);
  const ids: string[] = [];
  for (const [where, json] of await putsOf(session, message, ctx)) {
    const { event_id } = await api.call<{ event_id?: string }>("PUT", room + where, {
      json,
      signal: ctx.signal,
    });
    if (event_id !== undefined) ids.push(event_id);
  }
  return { platform_id: ids[0], platform_ids: ids.length > 1 ? ids : undefined };
}

/** The requests that a message becomes, the same ones each time. */
async function putsOf(
  { api, me, ctx: { config } }: Session,
  message: Outgoing,
  ctx: SendContext,
): Promise<Put[]> {
  const { id, action, target, reaction: key } = message;
  if (action === "typing") return [[path`/typing/${me}`, { typing: true, timeout: typingMs }]];
  const about = target?.platform_id;
  if (action !== "message" && about === undefined)
    throw reject(`${action} needs target.platform_id`, "invalid_message");
  if (action === "delete") return [[path`/redact/${about ?? ""}/${id}`, {}]];
  const relate = (relation: object): object => ({ "m.relates_to": { event_id: about, ...relation } });
  if (action === "react" && !key) throw reject("react needs reaction", "invalid_message");
  if (action === "react") return [[path`/send/m.reaction/${id}`, relate({ rel_type: "m.annotation", key })]];
  const contents = await writeContents(message, api, ctx, config.notice ? "m.notice" : "m.text");
  const [first, ...more] = contents;
  if (first === undefined) throw reject("the message has neither text nor attachments", "invalid_message");
  if (action === "edit" && more.length > 0)
    throw reject("an edit is one text that fits into an event", "too_large");
  const edit = {
    ...first,
    body: `* ${first.body}`,
    "m.new_content": first,
    ...relate({ rel_type: "m.replace" }),
  };
  const events = action === "edit" ? [edit] : contents;
  // No message's id has a ~: with anything else a part could have the transaction of another message, which would then never be sent.
  return events.map((content, n) => [path`/send/m.room.message/${n === 0 ? id : `${id}~${n}`}`, content]);
}
