// spoolway/sdk/fingerprint: what tells one thing from another where a platform gives it no id: the same parts have the same.
import { createHash } from "node:crypto";

/** Of bytes and of whatever JSON can say, in this order. */
export function fingerprint(...parts: unknown[]): string {
  const hash = createHash("sha256");
  for (const part of parts) {
    const bytes = part instanceof Uint8Array ? part : Buffer.from(JSON.stringify(part) ?? "");
    hash.update(`${bytes.length}:`).update(bytes); // so that no two lists of parts run into the same bytes
  }
  return hash.digest("base64");
}
