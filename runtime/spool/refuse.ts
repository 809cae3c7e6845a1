// Refusing what can never be sent (T6, T7 of schema/README.md): the entry itself moves to failed/, with a dead letter that says why.
import { join } from "node:path";
import type { DeadLetter } from "../../schema/types.ts";
import { errnoOf, hintFor } from "../errors.ts";
import { exists, move, moveExclusive, openForReading, remove, syncFile, syncFolder } from "./disk.ts";
import type { ReadMessage } from "./drops.ts";
import { fs } from "./fs.ts";
import { randomBytes, sha256 } from "./hash.ts";
import type { Outbox } from "./outbox.ts";
import { publishJson } from "./publish.ts";
import { refusalOf } from "./records.ts";
import { withReserve } from "./reserve.ts";
import { isImmovable } from "./stuck.ts";

export interface Refusal {
  id: string;
  code: string;
  error: string;
  hint?: string;
  bytes: Buffer | undefined;
}

/** moved: lies in failed/. gone: its producer took it back. stays: the system does not let it be moved; its dead letter says so. */
export type RefusedAs = "moved" | "gone" | "stays";

/** Whether a message has this id that was accepted and is not settled: a refusal takes another one then. */
export type IsTaken = (id: string) => boolean;

/** T6. `known`: hash of what was dropped under this id before, where that is known. Returns what was done. */
export async function settleDuplicate(
  outbox: Outbox,
  file: string,
  drop: ReadMessage,
  known: string | undefined,
  isTaken: IsTaken,
): Promise<"removed" | RefusedAs> {
  // A derived id is made of the content: it is the same message by construction. A record only says so, and could name any id.
  const isDerived = drop.entry.message.id === undefined && !drop.redriven;
  if (isDerived || known === drop.entry.contentSha256) {
    const path = join(outbox.paths.outbox, file);
    try {
      remove(path);
    } catch (error) {
      if (!isImmovable(error, path)) throw error;
      const why = { id: "", code: "duplicate_id", error: "it was accepted before", bytes: drop.bytes };
      return refuseInPlace(outbox, file, why, error);
    }
    await syncFolder(outbox.paths.outbox);
    return "removed";
  }
  const id = `${drop.entry.id.slice(0, 110)}+${sha256(drop.bytes).slice(0, 8)}`;
  const error = `another message with the id ${drop.entry.id} exists`;
  return refuseDrop(outbox, file, { id, code: "duplicate_id", error, bytes: drop.bytes }, isTaken);
}

/** T7. */
export async function refuseDrop(
  outbox: Outbox,
  file: string,
  why: Refusal,
  isTaken: IsTaken,
): Promise<RefusedAs> {
  // What could not be moved a moment ago is not tried again here: where somebody mends it meanwhile, it is a message and no refusal.
  if (why.code === "unmovable") return refuseInPlace(outbox, file, why);
  const source = join(outbox.paths.outbox, file);
  // From the choice of the id to the move nothing is awaited: from then on the entry itself says that the id is used.
  const id = freeId(outbox, why.id, isTaken);
  const entry = `${id}.entry`;
  try {
    if (!withReserve(() => move(source, join(outbox.paths.failed, entry)))) return "gone";
  } catch (error) {
    if (!isImmovable(error, source)) throw error;
    return refuseInPlace(outbox, file, why, error);
  }
  const letter = letterOf(outbox, file, id, why, entry);
  try {
    await syncEntry(join(outbox.paths.failed, entry));
    await publishJson(outbox.paths.tmp, outbox.paths.failed, `${id}.json`, letter);
  } catch (error) {
    // Back to where it will be looked at again, unless the producer used the name meanwhile: then the next start writes the letter (R6).
    moveExclusive(join(outbox.paths.failed, entry), source);
    throw error;
  }
  await syncFolder(outbox.paths.outbox);
  return "moved";
}

/** The producer did not sync its bytes, and the letter will say that they are here. What cannot be opened for reading keeps whatever it has. */
async function syncEntry(path: string): Promise<void> {
  if (fs.lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true) return;
  let fd: number;
  try {
    fd = openForReading(path);
  } catch (error) {
    if (["EACCES", "EPERM", "EAGAIN", "ENOENT"].includes(errnoOf(error) ?? "")) return;
    throw error;
  }
  try {
    await syncFile(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** A dead letter for what stays in outbox/; one, however often it is looked at. */
async function refuseInPlace(
  outbox: Outbox,
  file: string,
  why: Refusal,
  hindrance?: unknown,
): Promise<RefusedAs> {
  const id = outbox.idOf(file, undefined);
  const because = hindrance === undefined ? "" : `, since it cannot be moved: ${errnoOf(hindrance)}`;
  const error = `${why.error}; it stays in the outbox${because}`;
  const letter = letterOf(outbox, file, id, { ...why, error, hint: hintFor("unmovable") });
  await publishJson(outbox.paths.tmp, outbox.paths.failed, `${id}.json`, letter);
  return "stays";
}

const errorMaxLength = 2000;

function letterOf(outbox: Outbox, file: string, id: string, why: Refusal, entry?: string): DeadLetter {
  return refusalOf(outbox.name, {
    id,
    code: why.code,
    error: why.error.slice(0, errorMaxLength),
    drop: file,
    ...(entry === undefined ? {} : { entry }),
    ...(why.bytes === undefined ? {} : { ...rawOf(why.bytes), content_sha256: sha256(why.bytes) }),
    ...(why.hint === undefined ? {} : { hint: why.hint }),
  });
}

/** The id itself, or with +2 … +9, then at random: an id has one outcome, and that of an accepted message is not ours to make. */
function freeId({ paths }: Outbox, wanted: string, isTaken: IsTaken): string {
  const isUsed = (id: string): boolean =>
    isTaken(id) ||
    exists(join(paths.failed, `${id}.entry`)) ||
    exists(join(paths.failed, `${id}.json`)) ||
    exists(join(paths.sent, `${id}.json`));
  let id = wanted;
  for (let n = 2; isUsed(id); n += 1) {
    // Thousands of bad drops with one id must not each look for the first that is free.
    id = `${wanted.slice(0, 105)}+${n < 10 ? n : randomBytes(6).toString("hex")}`;
  }
  return id;
}

/** A claim that holds no message (a person edited it): kept as an entry of a dead letter. */
export async function breakClaim(outbox: Outbox, file: string, id: string, error: string): Promise<void> {
  const entry = `${id}.entry`;
  move(join(outbox.paths.sending, file), join(outbox.paths.failed, entry));
  const letter = refusalOf(outbox.name, {
    id,
    code: "invalid_message",
    error: `the claim was damaged: ${error}`,
    entry,
  });
  await publishJson(outbox.paths.tmp, outbox.paths.failed, `${id}.json`, letter);
}

const rawMaxBytes = 65_536;

/** What was refused, inside the dead letter too where it is small: readable at a glance. The .entry file has every byte. */
function rawOf(bytes: Buffer): { raw?: string; raw_base64?: string } {
  if (bytes.length > rawMaxBytes) return {};
  const text = bytes.toString("utf8");
  return Buffer.from(text).equals(bytes) ? { raw: text } : { raw_base64: bytes.toString("base64") };
}
