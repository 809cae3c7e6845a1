// spoolway/sdk/text/plain-text: the text of a message for a platform that has text and nothing else (IRC, SMS); what it cannot say is refused instead of dropped.
import { type Outgoing, reject } from "../../sdk.ts";

/** Subject and text, one below the other. Throws not_supported for attachments and other actions, invalid_message when nothing can be seen. */
export function plainTextOf(message: Outgoing, platform: string): string {
  if (message.action !== "message") throw reject(`${platform} cannot do ${message.action}`, "not_supported");
  if ((message.attachments ?? []).length > 0) {
    const hint = "Put the file somewhere and send its address.";
    throw reject(`${platform} has no attachments`, "not_supported", { hint });
  }
  const text = [message.subject, message.text].filter(Boolean).join("\n");
  if (text.trim() === "") throw reject("the message has no text", "invalid_message");
  return text;
}
