// Reading a file of the spool that anybody may have put there: never follows a link, never waits for a pipe's writer.
import { closeSync, fstatSync, readFileSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { errnoOf } from "../errors.ts";
import { openForReading } from "../spool/disk.ts";

/** The text, or undefined when there is no such file (any more). Throws for what is no regular file. */
export function readRegularFile(path: string): string | undefined {
  let fd: number;
  try {
    fd = openForReading(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    if (!fstatSync(fd).isFile()) throw new Error("it is no regular file");
    return readFileSync(fd, "utf8");
  } finally {
    closeSync(fd);
  }
}

const turnEvery = 64;

/** Reading is synchronous, since that is ten times as fast; await `turn()` for each file, so that signals and slow readers are noticed all the same. */
export class Turns {
  private count = 0;

  async turn(): Promise<void> {
    this.count += 1;
    if (this.count % turnEvery === 0) await nextTurn();
  }
}
