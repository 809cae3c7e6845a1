// Reading a spool through the interface under runtime/spool: the disk, or whatever a test put in its place.
import type { Dir } from "node:fs";
import { errnoOf } from "../../runtime/errors.ts";
import { fs } from "../../runtime/spool/fs.ts";

let looking = false;

/** Whether it is a test that looks now, and nothing of the product. */
export const isLooking = (): boolean => looking;

/** The names in a folder, sorted; none where there is no such folder. */
export function namesAt(folder: string): string[] {
  looking = true;
  try {
    return listed(folder);
  } finally {
    looking = false;
  }
}

function listed(folder: string): string[] {
  const reader = openFolder(folder);
  if (reader === undefined) return [];
  try {
    const names: string[] = [];
    for (let entry = reader.readSync(); entry !== null; entry = reader.readSync()) names.push(entry.name);
    return names.sort();
  } finally {
    reader.closeSync();
  }
}

function openFolder(folder: string): Pick<Dir, "readSync" | "closeSync"> | undefined {
  try {
    return fs.opendirSync(folder);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

export function existsAt(path: string): boolean {
  return fs.lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

export function bytesAt(path: string): Buffer {
  return fs.readFileSync(path);
}

/** Writes a file as any program does: under its final name, with nothing synced. */
export function writeNaively(path: string, bytes: Uint8Array): void {
  const fd = fs.openSync(path, "wx", 0o600);
  try {
    fs.writeSync(fd, bytes);
  } finally {
    fs.closeSync(fd);
  }
}
