// The reserve: small files with room already allocated, kept in reserve/<name>/ for the time when the disk is full. What ends a message (receipt, retry record,
// dead letter), and a heartbeat, is then written INTO one of them, which takes no block and no inode that somebody else could have taken first:
//
//   reserve/<name>/<n> ──rename──▶ tmp/<unnamed> ──write in place, cut to size, fsync──▶ its name        (publish.ts, volatile.ts)
//
// The message that is settled gives up its claim, and out of that room the file is made again at once. A file system that cannot write in place (btrfs, ZFS) and a
// record that is larger than a slot get room in another way: slots are removed, and the plain write is tried once more. Nothing that adds to the disk (events,
// attachments) may use it: that is refused earlier (space.ts).
//
// One reserve per process. It is not synced: what a power cut leaves of it is made good at the next start.
import { join } from "node:path";
import { errnoOf } from "../errors.ts";
import { createFile, move, openForWriting, remove, writeAll } from "./disk.ts";
import { fs } from "./fs.ts";

/** A block of most file systems: a receipt that takes a slot frees a claim of the same size. */
const slotBytes = 4096;
const zeros = Buffer.alloc(slotBytes);
/** A reserve takes at most this part of the file system, so that a small one still has room for messages. */
const maxPart = 1 / 16;

interface Reserve {
  folder: string;
  wanted: number;
  /** Names of the slots that are there. */
  slots: string[];
  /** Why the last filling ended early, for another reason than lack of room. */
  problem: Error | undefined;
}

let own: Reserve | undefined;

/** Whether a write failed for lack of room: bytes, inodes or a quota. */
export function isFull(error: unknown): boolean {
  const code = errnoOf(error);
  return code === "ENOSPC" || code === "EDQUOT";
}

/** Makes this process's reserve of so many bytes in this folder, or goes on with that of the last one. What there is no room for is made later. */
export function openReserve(folder: string, bytes: number): void {
  const wanted = Math.min(Math.floor(bytes / slotBytes), affordableSlots(folder));
  const names = Array.from({ length: wanted }, (_, n) => String(n));
  const slots = names.filter((name) => isWhole(join(folder, name)));
  own = { folder, wanted, slots, problem: undefined };
  fillReserve();
}

/** What keeps the reserve from being made, other than a lack of room. */
export function reserveProblem(): Error | undefined {
  return own?.problem;
}

/** Makes the slots that are missing, as far as there is room. Called whenever something was removed; never throws. False while room is lacking. */
export function fillReserve(): boolean {
  if (own === undefined) return true;
  const { folder, slots, wanted } = own;
  try {
    for (let n = 0; slots.length < wanted; n += 1) {
      const name = String(n);
      if (slots.includes(name)) continue;
      makeSlot(join(folder, name));
      slots.push(name);
    }
    own.problem = undefined;
  } catch (error) {
    if (isFull(error)) return false;
    // A lack of descriptors, somebody's hand in the folder: messages go on without a reserve, and the heartbeat's writer says so.
    own.problem = error as Error;
  }
  return true;
}

/** Puts a slot at `path` (in tmp/) and opens it; undefined when there is none, or so many bytes do not fit. Cut it to size after writing. */
export function takeSlot(path: string, bytes: number): number | undefined {
  if (own === undefined || bytes > slotBytes) return undefined;
  const name = own.slots.at(-1);
  if (name === undefined) return undefined;
  const moved = move(join(own.folder, name), path);
  own.slots.pop();
  return moved ? openForWriting(path) : undefined;
}

/** As takeSlot, for what is no message: only while half of the reserve is left, and, where one slot is too small, in the room of several. */
export function takeSpareSlot(path: string, bytes: number): number | undefined {
  if (own === undefined || own.slots.length <= own.wanted / 2) return undefined;
  const fd = takeSlot(path, bytes);
  if (fd !== undefined || !releaseSlots(bytes)) return fd;
  return createFile(path);
}

/** Gives the file system room for so many bytes and a name. False when nothing is left to give. */
export function releaseSlots(bytes: number): boolean {
  if (own === undefined) return false;
  // One more than the bytes need: a folder may have to grow for the name.
  const given = own.slots.splice(-(Math.ceil(bytes / slotBytes) + 1));
  for (const name of given) remove(join(own.folder, name));
  return given.length > 0;
}

/** Does what names a file for a message that was accepted. Where a folder would have to grow and cannot, the reserve gives it the room. */
export function withReserve<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!isFull(error) || !releaseSlots(0)) throw error;
    return act();
  }
}

/** So many slots that the reserve is a small part of the file system. */
function affordableSlots(folder: string): number {
  const { bsize, blocks, files } = fs.statfsSync(folder);
  // 0 where the file system has no such limit.
  const byBytes = blocks === 0 ? Infinity : (blocks * bsize * maxPart) / slotBytes;
  const byInodes = files === 0 ? Infinity : files * maxPart;
  return Math.floor(Math.min(byBytes, byInodes));
}

/** Whether a slot of an earlier process can be used. One with a second name has become somebody's record: never written into. */
function isWhole(path: string): boolean {
  const stat = fs.lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return false;
  if (stat.isFile() && stat.nlink === 1 && stat.size === slotBytes) return true;
  remove(path);
  return false;
}

/** The bytes are written, not only promised: a file with holes would have to take its blocks later. */
function makeSlot(path: string): void {
  const fd = createFile(path);
  let done = false;
  try {
    writeAll(fd, zeros);
    done = true;
  } finally {
    fs.closeSync(fd);
    if (!done) remove(path);
  }
}
