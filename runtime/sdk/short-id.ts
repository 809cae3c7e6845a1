// spoolway/sdk/short-id: an idempotency key for a platform that allows only short ones, the same for the same content.
import { createHash } from "node:crypto";

/** The prefix and as much of a digest of `parts` as `maxChars` has room for: letters, digits, - and _. Unique enough from 20 characters of digest on. */
export function shortId(maxChars: number, prefix: string, ...parts: unknown[]): string {
  const digest = createHash("sha256").update(JSON.stringify(parts)).digest("base64url");
  return (prefix + digest).slice(0, maxChars);
}
