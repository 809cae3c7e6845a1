// A disk that remembers what was forced onto it, and what it may look like after a power cut. The rules:
//
//   bytes       Written and not synced (fsync of the file): after a cut the file may be empty, hold a part of them from the beginning, have its length and hold zeros,
//               hold all of them, or what it held when it was synced last. (ext4 data=ordered and data=writeback, xfs: allocation is delayed, sizes and extents are
//               written at other times than data.)
//   names       Each call that changes names (create, link, unlink, rename, mkdir, rmdir) is atomic in each folder. The changes of one folder reach the disk in
//               their order; those of different folders in any order. Stricter than ext4, xfs and btrfs, whose journals order all of them; POSIX promises not even this.
//   fsync       of a folder: everything that was changed in it before the call is on the disk when it returns, and nothing else: not the name of the folder itself in its
//               parent, not what a rename did in the other folder, and no file's bytes. fsync of a file: its bytes, not its names.
//   rename      is one operation: never neither name. Its removal of the old name never reaches the disk before its addition of the new one. The old name may
//               come back, though, where only the new one's folder was synced (schema/README.md, rows 10 and 12): then both have the file.
//   SQLite      (WAL) a commit with synchronous=FULL is on the disk with all commits before it, and the database has its name; later commits with NORMAL may be lost from
//               the end. https://www.sqlite.org/pragma.html#pragma_synchronous
import type { Random } from "../helpers/random.ts";

/** One call's change of the names in one folder: undefined removes. */
export interface Change {
  sets: ReadonlyArray<readonly [name: string, inode: Inode | undefined]>;
  /** The removal half of a rename: the addition of the new name, without which it never happens. */
  needs?: { folder: Inode; change: Change };
}

/** Statements of one transaction, to be repeated. */
export type Commit = ReadonlyArray<{ sql: string; values: readonly unknown[] }>;

let inodes = 0;

export class Inode {
  readonly kind: "file" | "folder" | "database";
  readonly number: number;
  mtimeNs = 0n;
  /** Names, in the running system. */
  links = 1;

  /** A file's content; replaced, never changed in place. */
  bytes: Buffer = Buffer.alloc(0);
  /** What was synced last. */
  synced: Buffer | undefined;

  /** A folder's names as every program sees them. */
  readonly entries = new Map<string, Inode>();
  /** Those that are on the disk for certain. */
  readonly durable = new Map<string, Inode>();
  /** What leads from the one to the other, oldest first. */
  pending: Change[] = [];

  commits: Commit[] = [];
  durableCommits = 0;

  constructor(kind: Inode["kind"]) {
    this.kind = kind;
    this.number = inodes += 1;
  }

  /** Whether a power cut would change nothing here. */
  get isSafe(): boolean {
    if (this.kind === "file") return this.synced === this.bytes;
    return this.kind === "folder" ? this.pending.length === 0 : this.durableCommits === this.commits.length;
  }

  change(sets: Change["sets"], needs?: Change["needs"]): Change {
    for (const [name, inode] of sets) set(this.entries, name, inode);
    const change = needs === undefined ? { sets } : { sets, needs };
    this.pending.push(change);
    return change;
  }

  /** Forces a folder's changes to the disk, up to this one. Nothing happens when it is there already. */
  sync(last: Change | undefined): void {
    const count = last === undefined ? 0 : this.pending.indexOf(last) + 1;
    for (const change of this.pending.splice(0, count)) {
      change.needs?.folder.sync(change.needs.change);
      for (const [name, inode] of change.sets) set(this.durable, name, inode);
    }
  }
}

function set(entries: Map<string, Inode>, name: string, inode: Inode | undefined): void {
  if (inode === undefined) entries.delete(name);
  else entries.set(name, inode);
}

/** One legal state after a cut: how many pending changes of each folder, which bytes of each file, how many commits of each database are there. */
export interface Survival {
  changes: Map<Inode, number>;
  bytes: Map<Inode, Buffer>;
  commits: Map<Inode, number>;
}

export type Mood = "everything" | "nothing" | "anything";

/** Chooses what survives. "everything" is what a killed process leaves on a machine that lives on. */
export function survivalOf(dirty: Iterable<Inode>, mood: Mood, random: Random): Survival {
  const survival: Survival = { changes: new Map(), bytes: new Map(), commits: new Map() };
  for (const inode of dirty) {
    const amount = (from: number, to: number): number =>
      mood === "everything" ? to : mood === "nothing" ? from : from + random.below(to - from + 1);
    if (inode.kind === "folder") survival.changes.set(inode, amount(0, inode.pending.length));
    else if (inode.kind === "database")
      survival.commits.set(inode, amount(inode.durableCommits, inode.commits.length));
    else survival.bytes.set(inode, bytesAfter(inode, mood, random));
  }
  // Never neither name: an old name is only gone where the new one is there.
  for (let isStable = false; !isStable;) {
    isStable = true;
    for (const [folder, count] of survival.changes) {
      for (const { needs } of folder.pending.slice(0, count)) {
        const wanted = needs === undefined ? 0 : needs.folder.pending.indexOf(needs.change) + 1;
        if (needs === undefined || (survival.changes.get(needs.folder) ?? 0) >= wanted) continue;
        survival.changes.set(needs.folder, wanted);
        isStable = false;
      }
    }
  }
  return survival;
}

function bytesAfter({ bytes, synced }: Inode, mood: Mood, random: Random): Buffer {
  if (mood === "everything") return bytes;
  if (mood === "nothing") return synced ?? Buffer.alloc(0);
  const states = [
    bytes,
    synced ?? Buffer.alloc(0),
    Buffer.alloc(bytes.length),
    bytes.subarray(0, random.below(bytes.length + 1)),
  ];
  return states[random.below(states.length)] ?? bytes;
}

/** The disk as the next start finds it: everything in it is on the disk. `rename` gives names in a folder other ones. */
export function afterCut(
  root: Inode,
  survival: Survival,
  rename: (folder: string, name: string) => string,
): Inode {
  const copies = new Map<Inode, Inode>();
  const copyOf = (inode: Inode, name: string): Inode => {
    const known = copies.get(inode);
    if (known !== undefined) {
      known.links += 1;
      return known;
    }
    const copy = plainCopy(inode, survival);
    copies.set(inode, copy);
    if (inode.kind !== "folder") return copy;
    const { entries, returned } = namesAfter(inode, survival);
    for (const [child, found] of entries) {
      // A name that came back is a file of its own: the file system's count of names says one.
      const there = returned.has(child) ? plainCopy(found, survival) : copyOf(found, child);
      const called = rename(name, child);
      copy.entries.set(called, there);
      copy.durable.set(called, there);
    }
    return copy;
  };
  return copyOf(root, "");
}

function plainCopy(inode: Inode, survival: Survival): Inode {
  const copy = new Inode(inode.kind);
  copy.mtimeNs = inode.mtimeNs;
  copy.bytes = survival.bytes.get(inode) ?? inode.bytes;
  copy.synced = copy.bytes;
  copy.commits = inode.commits.slice(0, survival.commits.get(inode));
  copy.durableCommits = copy.commits.length;
  return copy;
}

/** A folder's names after the cut, and those of them that a rename had taken away. */
function namesAfter(
  folder: Inode,
  { changes }: Survival,
): { entries: Map<string, Inode>; returned: Set<string> } {
  const count = changes.get(folder) ?? 0;
  const entries = new Map(folder.durable);
  for (const change of folder.pending.slice(0, count))
    for (const [name, inode] of change.sets) set(entries, name, inode);
  const returned = new Set<string>();
  for (const { sets, needs } of folder.pending.slice(count)) {
    if (needs === undefined) continue;
    const at = needs.folder.pending.indexOf(needs.change);
    const isNewNameThere = at < (changes.get(needs.folder) ?? 0);
    for (const [name] of sets) if (isNewNameThere && entries.has(name)) returned.add(name);
  }
  return { entries, returned };
}

/** Tells two states apart. */
export function signatureOf(root: Inode, path = ""): string {
  if (root.kind === "file") return `${path}:${root.bytes.length}:${root.bytes[0] ?? ""};`;
  if (root.kind === "database") return `${path}:${root.commits.length};`;
  let all = `${path}/;`;
  for (const [name, inode] of root.entries) all += signatureOf(inode, `${path}/${name}`);
  return all;
}
