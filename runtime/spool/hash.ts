// SHA-256 and random bytes. node:crypto costs a starting process 13 ms and 4 MB, and a connector may wait for days before it needs either.
import type { Hash } from "node:crypto";

export function createSha256(): Hash {
  return process.getBuiltinModule("node:crypto").createHash("sha256");
}

/** Lower-case hex. */
export function sha256(bytes: Uint8Array): string {
  return createSha256().update(bytes).digest("hex");
}

export function randomBytes(count: number): Buffer {
  return process.getBuiltinModule("node:crypto").randomBytes(count);
}
