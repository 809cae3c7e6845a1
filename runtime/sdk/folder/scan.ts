// spoolway/sdk/folder/scan: what lies in a folder, in bounded memory whatever somebody copies into it. The scan is the truth; events of the file system are only a
// reason to look sooner (spoolway/sdk/folder/watch does both).
import type { Dirent } from "node:fs";
import { opendir } from "node:fs/promises";
import { join, matchesGlob } from "node:path";
import { Readable } from "node:stream";
import { errnoOf } from "../../errors.ts";
import { refusalOf, signatureOf, statOf } from "./regular-file.ts";

/** An entry of the folder that may become an event. */
export interface Entry {
  /** Path below the folder, with slashes. */
  name: string;
  path: string;
  size: bigint;
  mtimeNs: bigint;
  /** The same file with the same content has the same; changes with every write. See signatureOf. */
  signature: string;
  /** Why it is refused without being opened. */
  refusal: string | undefined;
}

export interface ScanOptions {
  /** Look into folders below it too. */
  recursive: boolean;
  /** Only files whose path below the folder matches this glob. */
  pattern: string | undefined;
  /** Whether the change time is a part of the signature: yes where files are taken away, no where they stay. See signatureOf. */
  changeTime: boolean;
  /** Entries that are done with, and whose files are still there. */
  isHandled(entry: Entry): boolean;
  /** A name that is no UTF-8 cannot be opened under the name that Node has for it. */
  onUnreachable(name: string): void;
}

/** More than these wait for the next scan: memory is bounded, whatever somebody copies into the folder. */
const maxEntries = 10_000;
const statsAtOnce = 64;

/**
 * The entries that are to be handled, oldest first, then by name; `complete` when that was all. Throws what opendir throws when the folder is not there.
 */
export async function scan(
  root: string,
  options: ScanOptions,
): Promise<{ entries: Entry[]; complete: boolean }> {
  const found: Entry[] = [];
  const folders = [""];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    await scanFolder(root, folder, options, folders, found);
    if (found.length >= maxEntries) break;
  }
  return { entries: found.sort(byAge), complete: found.length < maxEntries };
}

async function scanFolder(
  root: string,
  folder: string,
  options: ScanOptions,
  folders: string[],
  found: Entry[],
): Promise<void> {
  let names: string[] = [];
  const look = async (): Promise<void> => {
    const entries = await Promise.all(names.map((name) => examine(root, name, options)));
    names = [];
    for (const entry of entries) if (entry !== undefined && !options.isHandled(entry)) found.push(entry);
  };
  for await (const item of await openFolder(root, folder)) {
    const name = folder === "" ? item.name : `${folder}/${item.name}`;
    if (isSkipped(item.name)) continue;
    if (item.isDirectory()) {
      if (options.recursive) folders.push(name);
      continue;
    }
    if (options.pattern !== undefined && !matchesGlob(name, options.pattern)) continue;
    names.push(name);
    if (names.length >= statsAtOnce) await look();
    if (found.length >= maxEntries) break;
  }
  await look();
}

/** A folder below that was removed meanwhile is empty; the watched one itself must be there. */
async function openFolder(root: string, folder: string): Promise<AsyncIterable<Dirent>> {
  try {
    return await opendir(join(root, folder));
  } catch (error) {
    if (folder !== "" && errnoOf(error) === "ENOENT") return Readable.from([]);
    throw error;
  }
}

/** Dot files (.done and .failed among them) and what editors, browsers and copying programs call a file that is not finished. */
const isSkipped = (name: string): boolean =>
  name.startsWith(".") || /(\.tmp|~|\.part|\.partial|\.crdownload)$/i.test(name);

async function examine(root: string, name: string, options: ScanOptions): Promise<Entry | undefined> {
  const path = join(root, name);
  const stats = await statOf(path);
  if (stats === undefined) {
    if (name.includes("\ufffd")) options.onUnreachable(name);
    return undefined; // gone since it was listed
  }
  if (stats.isDirectory()) return undefined;
  return {
    name,
    path,
    size: stats.size,
    mtimeNs: stats.mtimeNs,
    signature: signatureOf(stats, options.changeTime),
    refusal: refusalOf(stats),
  };
}

function byAge(a: Entry, b: Entry): number {
  if (a.mtimeNs !== b.mtimeNs) return a.mtimeNs < b.mtimeNs ? -1 : 1;
  return a.name < b.name ? -1 : 1;
}
