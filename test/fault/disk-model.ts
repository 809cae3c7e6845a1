// The file system of runtime/spool/fs.ts in memory, on disks whose power can be cut (model-inode.ts has the rules). Several disks lie beside each other in one
// file system, so that many starts after many cuts can run at once:  /model/<disk>/…
//
// It answers as Linux does where runtime/spool asks; whatever is not needed there is missing.
import { constants, type FSWatcher } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import type { FileSystem } from "../../runtime/spool/fs.ts";
import { ModelDisk, modelRoot, nowNs } from "./model-disk.ts";
import { Inode } from "./model-inode.ts";
import { ModelDatabase } from "./model-database.ts";
import { fail, ModelStats } from "./model-stats.ts";

const { O_CREAT, O_EXCL } = constants;

interface Open {
  disk: ModelDisk;
  inode: Inode;
  path: string;
  position: number;
}

interface Place {
  disk: ModelDisk;
  folder: Inode;
  name: string;
  inode: Inode | undefined;
}

export class ModelFileSystem {
  readonly disks = new Map<string, ModelDisk>();
  readonly #open = new Map<number, Open>();
  #nextFd = 10_000;

  /** What useFileSystem takes. The overloads of node:fs cannot be written as a class: those that the spool uses are there. */
  get fs(): FileSystem {
    return this as unknown as FileSystem;
  }

  openSync = (path: string, flags: number | string, _mode?: number): number => {
    const wanted = flags === "wx" ? O_CREAT | O_EXCL : Number(flags);
    let inode = this.#look(path);
    if (inode !== undefined && wanted & O_EXCL) fail("EEXIST", path);
    if (inode === undefined) {
      if (!(wanted & O_CREAT)) fail("ENOENT", path);
      const { disk, folder, name } = this.#find(path);
      disk.onStep();
      inode = new Inode("file");
      inode.mtimeNs = nowNs();
      this.#change(disk, folder, [[name, inode]]);
      disk.touch(inode);
    }
    const disk = this.#disk(path) ?? fail("ENOENT", path);
    this.#open.set((this.#nextFd += 1), { disk, inode, path, position: 0 });
    return this.#nextFd;
  };

  closeSync = (fd: number): void => {
    this.#fd(fd);
    this.#open.delete(fd);
  };

  writeSync = (fd: number, bytes: Uint8Array, offset = 0, length = bytes.length - offset): number => {
    const open = this.#fd(fd);
    open.disk.onStep();
    const { inode, position } = open;
    const written = bytes.subarray(offset, offset + length);
    inode.bytes = Buffer.concat([
      inode.bytes.subarray(0, position),
      written,
      inode.bytes.subarray(position + length),
    ]);
    inode.mtimeNs = nowNs();
    open.position += length;
    open.disk.touch(inode);
    return length;
  };

  write = (
    fd: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    _position: null,
    done: (error: Error | null, count: number) => void,
  ): void => this.#fd(fd).disk.schedule(() => done(null, this.writeSync(fd, bytes, offset, length)));

  readSync = (fd: number, into: Buffer, offset: number, length: number, position: number): number =>
    this.#fd(fd).inode.bytes.copy(into, offset, position, position + length);

  read = (
    fd: number,
    into: Buffer,
    offset: number,
    length: number,
    position: number,
    done: (error: Error | null, count: number) => void,
  ): void => this.#fd(fd).disk.schedule(() => done(null, this.readSync(fd, into, offset, length, position)));

  readFileSync = (path: string, encoding?: BufferEncoding): Buffer | string => {
    const inode = this.#at(path);
    return encoding === undefined ? inode.bytes : inode.bytes.toString(encoding);
  };

  ftruncateSync = (fd: number, length: number): void => {
    const { disk, inode } = this.#fd(fd);
    disk.onStep();
    inode.bytes = inode.bytes.subarray(0, length);
    disk.touch(inode);
  };

  /** What was there when it was asked for is on the disk when it answers. Until then it may be, or not. */
  fsync = (fd: number, done: (error: Error | null) => void): void => {
    const { disk, inode } = this.#fd(fd);
    const { bytes } = inode;
    const last = inode.pending.at(-1);
    disk.schedule(() => {
      disk.onStep();
      if (inode.kind === "file") inode.synced = bytes;
      else inode.sync(last);
      disk.settle();
      done(null);
    });
  };

  linkSync = (from: string, to: string): void => {
    const inode = this.#at(from);
    const place = this.#find(to);
    if (place.inode !== undefined) fail("EEXIST", to);
    place.disk.onStep();
    inode.links += 1;
    this.#change(place.disk, place.folder, [[place.name, inode]]);
  };

  renameSync = (from: string, to: string): void => {
    const source = this.#find(from);
    const target = this.#find(to);
    const { disk } = target;
    if (source.inode === undefined) fail("ENOENT", from);
    if (source.inode === target.inode) return;
    disk.onStep();
    if (target.inode !== undefined) target.inode.links -= 1;
    if (source.folder === target.folder) {
      this.#change(disk, target.folder, [
        [target.name, source.inode],
        [source.name, undefined],
      ]);
      return;
    }
    const change = this.#change(disk, target.folder, [[target.name, source.inode]]);
    source.folder.change([[source.name, undefined]], { folder: target.folder, change });
    disk.touch(source.folder);
  };

  unlinkSync = (path: string): void => {
    const { disk, folder, name, inode } = this.#find(path);
    if (inode === undefined) fail("ENOENT", path);
    if (inode.kind === "folder") fail("EISDIR", path);
    disk.onStep();
    inode.links -= 1;
    this.#change(disk, folder, [[name, undefined]]);
  };

  mkdirSync = (path: string, { recursive }: { recursive?: boolean } = {}): string | undefined => {
    if (recursive && this.#look(path)?.kind === "folder") return undefined;
    const parts = path.split("/").slice(1);
    let first: string | undefined;
    for (let count = recursive ? 3 : parts.length; count <= parts.length; count += 1) {
      const at = `/${parts.slice(0, count).join("/")}`;
      const { disk, folder, name, inode } = this.#find(at);
      if (inode !== undefined) {
        if (!recursive || inode.kind !== "folder") fail("EEXIST", at);
        continue;
      }
      disk.onStep();
      this.#change(disk, folder, [[name, new Inode("folder")]]);
      first ??= at;
    }
    return first;
  };

  opendirSync = (path: string): { readSync: () => { name: string } | null; closeSync: () => void } => {
    const inode = this.#at(path);
    if (inode.kind !== "folder") fail("ENOTDIR", path);
    const names = [...inode.entries.keys()];
    return {
      readSync: () => {
        const name = names.shift();
        return name === undefined ? null : { name };
      },
      closeSync: () => undefined,
    };
  };

  lstatSync = (
    path: string,
    options: { bigint?: boolean; throwIfNoEntry?: boolean } = {},
  ): ModelStats | undefined => {
    const inode = this.#look(path);
    if (inode === undefined) return options.throwIfNoEntry === false ? undefined : fail("ENOENT", path);
    return new ModelStats(inode, options.bigint ?? false);
  };

  statSync = this.lstatSync;

  fstatSync = (fd: number, options: { bigint?: boolean } = {}): ModelStats =>
    new ModelStats(this.#fd(fd).inode, options.bigint ?? false);

  utimesSync = (path: string, _accessed: Date, modified: Date): void => {
    this.#at(path).mtimeNs = BigInt(modified.getTime()) * 1_000_000n;
  };

  /** Of a descriptor, as /proc has them. */
  readlinkSync = (path: string): string => this.#fd(Number(path.split("/").at(-1))).path;
  realpathSync = (path: string): string => path;
  statfsSync = () => ({ bsize: 4096, blocks: 1e9, bavail: 1e9, bfree: 1e9, files: 1e9, ffree: 1e9 });

  /** A directory watch is a hint, and this one never gives any. */
  watch = (): FSWatcher => ({ on: () => undefined, close: () => undefined }) as unknown as FSWatcher;

  openDatabase = async (path: string): Promise<DatabaseSync> => {
    const { disk, folder, name, inode: found } = this.#find(path);
    const inode = found ?? new Inode("database");
    if (found === undefined) {
      disk.onStep();
      this.#change(disk, folder, [[name, inode]]);
    }
    const database = new ModelDatabase(inode, {
      step: () => {
        disk.onStep();
        disk.dirty.add(inode);
      },
      durable: () => {
        folder.sync(folder.pending.find(({ sets }) => sets.some(([, set]) => set === inode)));
        disk.settle();
      },
    });
    return database as unknown as DatabaseSync;
  };

  #change(disk: ModelDisk, folder: Inode, sets: Parameters<Inode["change"]>[0]) {
    const change = folder.change(sets);
    disk.touch(folder);
    return change;
  }

  #fd(fd: number): Open {
    return this.#open.get(fd) ?? fail("EBADF", String(fd));
  }

  #at(path: string): Inode {
    return this.#look(path) ?? fail("ENOENT", path);
  }

  /** The inode of a path; of a disk's own root too. */
  #look(path: string): Inode | undefined {
    const end = path.lastIndexOf("/");
    if (end === modelRoot.length) return this.disks.get(path.slice(end + 1))?.root;
    return this.#folder(path.slice(0, end))?.inode.entries.get(path.slice(end + 1));
  }

  #find(path: string): Place {
    const end = path.lastIndexOf("/");
    const { disk, inode: folder } = this.#folder(path.slice(0, end)) ?? fail("ENOENT", path);
    if (folder.kind !== "folder") fail("ENOTDIR", path);
    const name = path.slice(end + 1);
    return { disk, folder, name, inode: folder.entries.get(name) };
  }

  /** The disk that a path lies on. */
  #disk(path: string): ModelDisk | undefined {
    const start = modelRoot.length + 1;
    const end = path.indexOf("/", start);
    return this.disks.get(end < 0 ? path.slice(start) : path.slice(start, end));
  }

  #folder(path: string): { disk: ModelDisk; inode: Inode } | undefined {
    const disk = this.#disk(path);
    if (disk === undefined) return undefined;
    let inode: Inode | undefined = disk.folders.get(path);
    if (inode === undefined) {
      // By its parent, which is remembered too.
      const end = path.lastIndexOf("/");
      inode =
        end === modelRoot.length
          ? disk.root
          : this.#folder(path.slice(0, end))?.inode.entries.get(path.slice(end + 1));
      if (inode?.kind === "folder") disk.folders.set(path, inode);
    }
    return inode && { disk, inode };
  }
}
