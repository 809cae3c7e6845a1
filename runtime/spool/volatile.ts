// Files that say what is true now and are worthless after a crash: heartbeats. Atomic for readers, not synced.
import { dirname, join } from "node:path";
import { createFile, move, remove, writeAll } from "./disk.ts";
import { fs } from "./fs.ts";
import { tmpPath } from "./tmp.ts";

/** Replaces the file at `path` (in a folder of the spool) in one step. */
export function writeVolatile(path: string, text: string): void {
  const temp = tmpPath(join(dirname(dirname(path)), "tmp"));
  const fd = createFile(temp);
  let done = false;
  try {
    writeAll(fd, Buffer.from(text));
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
