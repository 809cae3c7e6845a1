// What makes a delivery unique: the sender's own id of it, in a header or in the body. A repetition carries the same one.
import { Refusal } from "./answer.ts";
import type { Settings } from "./config.ts";
import type { Received } from "./received.ts";
import { id, resolvePointer } from "./values.ts";

const maxChars = 512;

/** What makes this delivery unique, and where it stood. */
export function deliveryId(
  received: Received,
  settings: Settings,
): { source: string; id: string } | undefined {
  const { body, headers } = received;
  const header = (name: string): { source: string; id: string } | undefined => {
    // Idempotency-Key is a structured field, a quoted string; many send it bare.
    const value = String(headers[name] ?? "").replace(/^"(.*)"$/, "$1");
    return value === "" ? undefined : { source: name, id: value };
  };
  const pointed = (pointer: string): { source: string; id: string } | undefined => {
    const value = id(resolvePointer(body, pointer));
    return value === undefined ? undefined : { source: pointer, id: value };
  };
  const candidates = [
    () => (settings.map.key === undefined ? undefined : pointed(settings.map.key)),
    () => (settings.keyHeader === undefined ? undefined : header(settings.keyHeader)),
    () => (settings.verify.scheme === "slack" ? pointed("/event_id") : undefined),
    () => (settings.verify.scheme === "stripe" ? pointed("/id") : undefined),
    () => header("webhook-id"),
    () => header("idempotency-key"),
    () => header("x-github-delivery"),
  ];
  for (const candidate of candidates) {
    const found = candidate();
    if (found !== undefined) {
      limited("the delivery id", found.id, maxChars);
      return found;
    }
  }
  return undefined;
}

/** The value. Throws Refusal 400 where it is too long. */
export function limited(what: string, value: string | undefined, max: number): string | undefined {
  if (value === undefined || value.length <= max) return value;
  throw new Refusal(
    400,
    "field_too_long",
    `${what} has ${value.length} characters, at most ${max} are allowed`,
    "Shorten it.",
  );
}
