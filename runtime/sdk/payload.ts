// spoolway/sdk/payload: platforms that carry bytes, whatever they are (MQTT, NATS, Redis, AMQP): bytes as the content of an event, and a message as the bytes to send:
// text where it is text, else a file.
import { isUtf8 } from "node:buffer";
import { buffer } from "node:stream/consumers";
import type { Draft } from "../draft.ts";
import { type Context, type Outgoing, reject } from "../sdk.ts";
import { maxStringBytes } from "./wire-strings.ts";

/** Undefined for bytes that are no text. */
const textOf = (bytes: Buffer): string | undefined =>
  isUtf8(bytes) && !bytes.includes(0) ? bytes.toString() : undefined;

/** `name` and `mediaType` are for what is no text. */
export function contentOf(bytes: Buffer, name: string, mediaType?: string): NonNullable<Draft["content"]> {
  const text = textOf(bytes);
  if (text !== undefined) return { text, format: "plain" };
  const type = mediaType === undefined ? {} : { media_type: mediaType };
  return { attachments: [{ name, ...type, data: bytes, omitIfTooLarge: true }] };
}

/** An id of bytes, which mostly is text, as a text of which idBytes makes the same bytes. */
export function idText(bytes: Buffer): string {
  const text = textOf(bytes);
  return text === undefined || text.startsWith("base64:") ? `base64:${bytes.toString("base64")}` : text;
}

/** Throws invalid_message for more than a packet's two bytes of length can say: no id is that long. */
export function idBytes(id: string): Buffer {
  const bytes = id.startsWith("base64:") ? Buffer.from(id.slice(7), "base64") : Buffer.from(id);
  if (bytes.length <= maxStringBytes) return bytes;
  throw reject(`reply_to: ${bytes.length} bytes, of at most ${maxStringBytes}`, "invalid_message");
}

export interface Payload {
  /** The same in every attempt, and for each part another. */
  id: string;
  bytes: Buffer;
  /** Of a file. */
  name?: string;
  mediaType?: string | undefined;
}

/** What to send for a message: subject and text, then each file. Throws too_large for files above `maxBytes`, and refuses what is no message. */
export async function payloadsOf(
  message: Outgoing,
  { openAttachment, type }: Context,
  maxBytes: number,
): Promise<Payload[]> {
  const { id, action, subject, text, attachments = [] } = message;
  if (action !== "message") throw reject(`${type} cannot do ${action}`, "not_supported");
  const words = [subject, text].filter((part) => part !== undefined);
  if (words.length + attachments.length === 0)
    throw reject("the message has neither text nor files", "invalid_message");
  const payloads: Payload[] = words.length > 0 ? [{ id, bytes: Buffer.from(words.join("\n")) }] : [];
  for (const file of attachments) {
    if ((file.size ?? 0) > maxBytes)
      throw reject(`${file.name ?? file.path} has ${file.size} bytes, of at most ${maxBytes}`, "too_large");
    const part = payloads.length === 0 ? id : `${id}/${payloads.length}`;
    const bytes = await buffer(openAttachment(file));
    payloads.push({ id: part, bytes, name: file.name ?? file.path, mediaType: file.media_type });
  }
  return payloads;
}
