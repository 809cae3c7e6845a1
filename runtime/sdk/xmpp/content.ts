// spoolway/sdk/xmpp/content: a dropped message as what is in its stanzas: text in parts that servers take, answers, corrections, reactions, retractions.
import { type Outgoing, reject } from "../../sdk.ts";
import { splitText, utf8Bytes } from "../text/split.ts";
import type { Build, Stanza } from "./stanzas.ts";

const maxTextBytes = 50_000;
const hints = "urn:xmpp:hints";
const noFilesHint = "Put the file somewhere and send its address.";
const noTargetHint = "In a room, only what is among the last 100 messages of its archive is found.";

/**
 * The children of each stanza that the message becomes. `nameOf` says what another message is called there: in a room, by the room. Throws not_supported for attachments,
 * invalid_message when there is no text or no target, unknown_target, and too_large for a correction that needs two stanzas.
 */
export async function contentsOf<S extends Stanza>(
  message: Outgoing,
  xml: Build<S>,
  nameOf: (id: string) => Promise<string | undefined>,
): Promise<S[][]> {
  const { action, target: { platform_id: about = "" } = {}, text = "" } = message;
  if ((message.attachments ?? []).length > 0)
    throw reject("XMPP attachments are not supported", "not_supported", { hint: noFilesHint });
  if (action === "typing")
    return [
      [
        xml("composing", { xmlns: "http://jabber.org/protocol/chatstates" }),
        xml("no-store", { xmlns: hints }),
      ],
    ];
  if (action !== "message" && about === "") throw reject(`${action}: there is no target`, "invalid_message");
  if (action === "react" || action === "delete") {
    const id = await nameOf(about);
    if (id === undefined)
      throw reject(`there is no message ${about}`, "unknown_target", { hint: noTargetHint });
    const reactions = xml(
      "reactions",
      { xmlns: "urn:xmpp:reactions:0", id },
      message.reaction ? xml("reaction", {}, message.reaction) : undefined, // none: it is taken back
    );
    const retract = xml("retract", { xmlns: "urn:xmpp:message-retract:1", id });
    // Archives leave out what has no text, unless they are asked.
    return [[action === "react" ? reactions : retract, xml("store", { xmlns: hints })]];
  }
  const parts = splitText(text, maxTextBytes, escapedBytes);
  if (parts.length === 0) throw reject("the message has no text", "invalid_message");
  if (action === "edit" && parts.length > 1)
    throw reject("a correction has to fit into one stanza", "too_large");
  const { subject, thread_id, reply_to } = message;
  const answered = reply_to && (await nameOf(reply_to));
  return parts.map((part, n) => [
    xml("body", {}, part),
    ...(thread_id ? [xml("thread", {}, thread_id)] : []),
    ...(subject && n === 0 ? [xml("subject", {}, subject)] : []),
    ...(answered && n === 0 ? [xml("reply", { xmlns: "urn:xmpp:reply:0", id: answered })] : []),
    ...(action === "edit" ? [xml("replace", { xmlns: "urn:xmpp:message-correct:0", id: about })] : []),
  ]);
}

const escapedBytes = (text: string): number => utf8Bytes(text) + 4 * (text.match(/[&<>]/g)?.length ?? 0);
