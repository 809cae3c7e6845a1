// Dead letters that go back (T8, T8e of schema/README.md) or away. Both work beside a running bus.
//
//   a message   rename(failed/<id>.json → outbox/<name>/<time>-<id>.json)
//   a refusal   unlink(failed/<id>.json), rename(failed/<id>.entry → outbox/<name>/<time>-<its drop name>)
//   purge       unlink(failed/<id>.entry), unlink(failed/<id>.json)
//
// The names in outbox/ are new ones: a rename replaces what has the name, and a producer may just have dropped something under the old one.
// In a refusal the letter goes first: as long as it is there, the id counts as settled, and the pump would take the drop for a repeated one. A crash in
// between leaves the entry without its letter, which the next start-up repairs (R6). In a purge the entry goes first, for the same reason.
import { join } from "node:path";
import { errnoOf } from "../errors.ts";
import { exists, makeFolderDurably, move, remove, syncFolder } from "./disk.ts";
import { fs } from "./fs.ts";
import { spoolPaths, timeName } from "./names.ts";

/** What is needed of a dead letter to move it. */
export interface Letter {
  id: string;
  /** True when it holds a message; false for a refusal, whose drop is in the .entry. */
  hasMessage: boolean;
  /** The name it was dropped under. */
  drop: string | undefined;
}

/** redriven: it waits in outbox/. empty: it holds neither a message nor an entry. gone: somebody else moved it. */
export type Redriven = "redriven" | "empty" | "gone";

/** Moves dead letters of connector `name` back into its outbox; resolves when that is durable, with the outcome of each. */
export async function redrive(root: string, name: string, letters: readonly Letter[]): Promise<Redriven[]> {
  const { failed, outbox } = spoolPaths(root, name);
  await makeFolderDurably(outbox);
  const outcomes = letters.map((letter): Redriven => {
    const json = join(failed, `${letter.id}.json`);
    if (letter.hasMessage) {
      return move(json, join(outbox, `${timeName()}-${letter.id}.json`)) ? "redriven" : "gone";
    }
    const entry = join(failed, `${letter.id}.entry`);
    if (!exists(entry)) return exists(json) ? "empty" : "gone";
    remove(json);
    return move(entry, join(outbox, entryName(letter))) ? "redriven" : "gone";
  });
  if (outcomes.includes("redriven")) await Promise.all([syncFolder(outbox), syncFolder(failed)]);
  return outcomes;
}

/** kept: what was refused is a folder with something in it, which is not ours to remove. */
export type Purged = "purged" | "kept" | "gone";

/** Removes dead letters for good; resolves when that is durable, with the outcome of each. */
export async function purge(root: string, name: string, ids: readonly string[]): Promise<Purged[]> {
  const { failed, outbox, sending, retry } = spoolPaths(root, name);
  // An older name of the message, given back by a power cut, must not be taken for a new one once nothing says any more what became of it.
  await Promise.all([outbox, sending, retry].filter(exists).map((folder) => syncFolder(folder)));
  const outcomes = ids.map((id): Purged => {
    if (!removeEntry(join(failed, `${id}.entry`))) return "kept";
    return remove(join(failed, `${id}.json`)) ? "purged" : "gone";
  });
  if (outcomes.includes("purged")) await syncFolder(failed);
  return outcomes;
}

/** `<time>-x.json` for what was dropped as x.json, however often it was redriven. */
function entryName({ id, drop }: Letter): string {
  const plain = (drop ?? `${id}.json`).replace(/^(\d{8}T\d{6}\.\d{6}Z-)+/, "");
  const fits = Buffer.byteLength(plain) <= 200 && plain.endsWith(".json") && !plain.includes("/");
  return `${timeName()}-${fits ? plain : `${id}.json`}`;
}

/** True when it is not there any more. */
function removeEntry(path: string): boolean {
  if (!exists(path)) return true;
  try {
    if (fs.lstatSync(path).isDirectory()) fs.rmdirSync(path);
    else remove(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOTEMPTY") return false;
    throw error;
  }
}
