// Names in the spool: what they are made of and how they are read back.
import { join } from "node:path";
import { createSha256, randomBytes } from "./hash.ts";

/** Folders with one folder per connector below. */
export const perConnector = ["outbox", "sending", "retry", "sent", "failed", "state", "reserve"] as const;
/** Folders shared by all. */
export const shared = ["inbox", "heartbeat", "control", "media", "tmp"] as const;

export type PerConnector = (typeof perConnector)[number];

/** Absolute paths of one connector's folders and of the shared ones. */
export interface SpoolPaths extends Record<PerConnector | (typeof shared)[number], string> {
  root: string;
}

/** The paths for connector `name` in the spool at `root`. */
export function spoolPaths(root: string, name: string): SpoolPaths {
  const paths = { root } as SpoolPaths;
  for (const folder of perConnector) paths[folder] = join(root, folder, name);
  for (const folder of shared) paths[folder] = join(root, folder);
  return paths;
}

const alphabet = "abcdefghijklmnopqrstuvwxyz234567";

/** 26 characters (130 bits) of lower-case base32 of a SHA-256: safe in every file system, also those that fold case. */
function base32(digest: Buffer): string {
  let bits = 0;
  let value = 0;
  let out = "";
  for (const byte of digest) {
    value = ((value << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      out += alphabet[(value >>> (bits - 5)) & 31];
      bits -= 5;
      if (out.length === 26) return out;
    }
  }
  return out;
}

/** The id of an inbound event: the same key of the same connector has the same id. */
export function eventId(connector: string, key: readonly string[] | undefined): string {
  if (key === undefined) return base32(randomBytes(32));
  return base32(
    createSha256()
      .update(`${connector}\0${JSON.stringify(key)}`)
      .digest(),
  );
}

/** The id of a drop that declares none: the same file is the same message, also after a power cut. */
export function dropId(connector: string, file: string, mtimeNs: bigint, bytes: Uint8Array): string {
  const hash = createSha256().update(`${connector}\0${file}\0${mtimeNs}\0`);
  return base32(hash.update(bytes).digest());
}

const declaredId = /^[A-Za-z0-9][A-Za-z0-9._:@+=-]{0,119}$/;

/** Whether a producer's id can be a file name. */
export function isId(text: unknown): text is string {
  return typeof text === "string" && declaredId.test(text);
}

let lastTick = 0n;

/**
 * The wall-clock time now, in microseconds since 1970, as `20261120T235201.123456Z`: fixed width, sorts by time, and no two calls in one process
 * give the same.
 */
export function timeName(): string {
  let micros = BigInt(Math.floor((performance.timeOrigin + performance.now()) * 1000));
  // The monotonic clock drifts from the wall clock over days of uptime and does not follow its steps.
  const wall = BigInt(Date.now()) * 1000n;
  if (micros < wall || micros > wall + 999n) micros = wall;
  if (micros <= lastTick && lastTick - micros < 1_000_000n) micros = lastTick + 1n;
  lastTick = micros;
  return formatTime(micros);
}

/** Microseconds since 1970 as a name. */
export function formatTime(micros: bigint): string {
  const iso = new Date(Number(micros / 1000n)).toISOString(); // 2026-11-20T23:52:01.123Z
  const rest = String(micros % 1000n).padStart(3, "0");
  return `${iso.slice(0, 10).replaceAll("-", "")}T${iso.slice(11, 19).replaceAll(":", "")}.${iso.slice(20, 23)}${rest}Z`;
}

const timePattern = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)\.(\d{3})(\d{3})Z/;

/** Milliseconds since 1970 of a name that starts with a time; undefined otherwise. */
export function parseTime(name: string): number | undefined {
  const m = timePattern.exec(name);
  if (!m) return undefined;
  return Date.parse(`${m[1]}-${m[2]}-${m[3]}T${m[4]}:${m[5]}:${m[6]}.${m[7]}Z`);
}

/** `<id>~<attempt>.json` */
export const claimName = (id: string, attempt: number): string => `${id}~${attempt}.json`;
/** `<due>-<id>~<attempt>.json` */
export const retryName = (dueMs: number, id: string, attempt: number): string =>
  `${formatTime(BigInt(Math.max(0, Math.floor(dueMs))) * 1000n)}-${claimName(id, attempt)}`;
/** `<time>-<id>.json` */
export const inboxName = (id: string): string => `${timeName()}-${id}.json`;

const claimPattern = /^(.+)~(\d+)\.json$/;
const retryPattern = /^(\d{8}T\d{6}\.\d{6}Z)-(.+)~(\d+)\.json$/;
const inboxPattern = /^(\d{8}T\d{6}\.\d{6}Z)-(.+)\.json$/;

export function parseClaimName(name: string): { id: string; attempt: number } | undefined {
  const m = claimPattern.exec(name);
  return m && isId(m[1]) ? { id: m[1], attempt: Number(m[2]) } : undefined;
}

export function parseRetryName(name: string): { id: string; attempt: number; dueMs: number } | undefined {
  const m = retryPattern.exec(name);
  return m && isId(m[2]) ? { id: m[2], attempt: Number(m[3]), dueMs: parseTime(m[1] ?? "") ?? 0 } : undefined;
}

export function parseInboxName(name: string): { id: string; timeMs: number } | undefined {
  const m = inboxPattern.exec(name);
  return m && isId(m[2]) ? { id: m[2], timeMs: parseTime(m[1] ?? "") ?? 0 } : undefined;
}

/** Whether a name in outbox/<name>/ is a drop: *.json, no dot file. (`*.tmp` and `*~` do not end in .json.) */
export function isDropName(name: string): boolean {
  return name.endsWith(".json") && !name.startsWith(".");
}

/** The name itself for 1, then `x.2.json`, `x.3.json` …, cut where the file system would find it too long. */
export function numberedName(file: string, n: number): string {
  if (n === 1) return file;
  let stem = file.slice(0, -".json".length);
  while (Buffer.byteLength(stem) > 200) stem = stem.slice(0, -1);
  return `${stem.toWellFormed()}.${n}.json`;
}

const instanceName = /^[a-z0-9][a-z0-9-]{0,62}$/;
export const isInstanceName = (name: string): boolean => instanceName.test(name);
