// spoolway/sdk/wire-strings: texts in packets of protocols that write a string's length into two bytes (MQTT, STOMP, AMQP's tables). Servers hang up on any other, and
// on all that is under way: so it is refused before it is sent.
import { reject } from "../sdk.ts";

export const maxStringBytes = 65_535;

/** No control characters, no halves of characters, nothing that Unicode will never assign. */
export function isWireString(text: string): boolean {
  return (
    Buffer.byteLength(text) <= maxStringBytes && !/[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u.test(text)
  );
}

/** Throws invalid_message with the first that is none. */
export function demandWireStrings(texts: ReadonlyArray<string | undefined>): void {
  const odd = texts.find((text) => text !== undefined && !isWireString(text));
  if (odd === undefined) return;
  const rule = `names of files, media types and properties have no control characters, and at most ${maxStringBytes} bytes`;
  throw reject(`${JSON.stringify(odd.slice(0, 80))}: ${rule}`, "invalid_message");
}
