// Files that say what is true now and are worthless after a crash: heartbeats. Atomic for readers, not synced.
import { dirname, join } from "node:path";
import { createFile, move, remove, writeAll } from "./disk.ts";
import { fs } from "./fs.ts";
import { fillReserve, isFull, takeSpareSlot } from "./reserve.ts";
import { tmpPath } from "./tmp.ts";

/** Replaces the file at `path` (in a folder of the spool) in one step. On a full disk by way of the reserve, while that has more than messages need. */
export function writeVolatile(path: string, text: string): void {
  const temp = tmpPath(join(dirname(dirname(path)), "tmp"));
  const bytes = Buffer.from(text);
  try {
    replace(path, temp, createFile(temp), bytes);
  } catch (error) {
    const fd = isFull(error) ? takeSpareSlot(temp, bytes.length) : undefined;
    if (fd === undefined) throw error;
    replace(path, temp, fd, bytes);
    // The heartbeat before this one gave up its room.
    fillReserve();
  }
}

function replace(path: string, temp: string, fd: number, bytes: Buffer): void {
  let done = false;
  try {
    writeAll(fd, bytes);
    if (fs.fstatSync(fd).size > bytes.length) fs.ftruncateSync(fd, bytes.length);
    done = move(temp, path);
  } finally {
    fs.closeSync(fd);
    if (!done) remove(temp);
  }
  if (!done) throw new Error(`${temp} was removed by somebody else`);
}

/** Removes a file in control/ that was obeyed. */
export function removeControl(path: string): void {
  remove(path);
}
