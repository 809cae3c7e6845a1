// Drops whose names are no UTF-8 (`größe.json` from an old Latin-1 program): no text can name them, so no other part of the spool could open, refuse or show
// them. They get a name that can be read, each byte as its Latin-1 letter, and are drops like any other then.
import { isUtf8 } from "node:buffer";
import { moveExclusive } from "./disk.ts";
import { fs } from "./fs.ts";
import { sha256 } from "./hash.ts";
import { isDropName, numberedName } from "./names.ts";
import { isImmovable } from "./stuck.ts";

const maxNameBytes = 255;

/** Whether this may be a name that did not survive its way into text. A name may also hold U+FFFD itself. */
export const seemsIllegible = (name: string): boolean => name.includes("\ufffd");

/** Renames the illegible drops in a folder. Returns their new names, and how many could not be renamed. Never replaces a file. */
export function makeLegible(folder: string): { renamed: string[]; stuck: number } {
  const renamed: string[] = [];
  let stuck = 0;
  for (const bytes of rawNames(folder)) {
    const name = bytes.toString("latin1");
    if (isUtf8(bytes) || !isDropName(name)) continue;
    try {
      renamed.push(rename(folder, bytes, name));
    } catch (error) {
      if (!isImmovable(error, pathOf(folder, bytes))) throw error;
      stuck += 1;
    }
  }
  return { renamed, stuck };
}

function rename(folder: string, bytes: Buffer, name: string): string {
  const from = pathOf(folder, bytes);
  // The same bytes get the same name, and so the same id, also where a power cut undoes the renaming.
  const wanted = Buffer.byteLength(name) <= maxNameBytes ? name : `${sha256(bytes)}.json`;
  for (let n = 1; ; n += 1) {
    const free = numberedName(wanted, n);
    if (moveExclusive(from, `${folder}/${free}`)) return free;
    if (fs.lstatSync(from, { throwIfNoEntry: false }) === undefined) return free; // its producer took it back
  }
}

const pathOf = (folder: string, name: Buffer): Buffer => Buffer.concat([Buffer.from(`${folder}/`), name]);

/** Names as bytes: Latin-1 text has one letter for each. */
function rawNames(folder: string): Buffer[] {
  const reader = fs.opendirSync(folder, { encoding: "latin1" });
  try {
    const names: Buffer[] = [];
    for (let entry = reader.readSync(); entry !== null; entry = reader.readSync())
      names.push(Buffer.from(entry.name, "latin1"));
    return names;
  } finally {
    reader.closeSync();
  }
}
