// A file system that knows every call to the spool, and makes one of them fail, or be the last one of its process.
//
// Why here and not with strace: runtime/spool reaches the disk through one interface (runtime/spool/fs.ts; test/unit/architecture.test.ts holds that), so a wrapper sees
// every call, once, by name, whichever thread of libuv's pool makes it. strace counts per thread, sees one mkdir -p as several calls, and costs a process for
// each case. That nothing goes around the wrapper is shown with strace all the same (syscalls-strace.test.ts). What SQLite does below its calls is not seen here: there strace injects.
// A call is named by what it does to which file, with what differs from run to run taken out, and how often that was done before: the same call is found again in
// another run, also where two calls of different threads swap their places.
import { constants } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { type FileSystem, realFileSystem } from "../../runtime/spool/fs.ts";
import { isLooking } from "../helpers/seam.ts";
import { injectDatabase } from "./inject-database.ts";
import { deadAware } from "./inject-dead.ts";
import {
  type Call,
  Dead,
  errnoError,
  type Fault,
  type Plan,
  sqliteError,
  withoutChance,
} from "./inject-faults.ts";

export interface InjectOptions {
  /** The spool: calls elsewhere are passed on unseen. */
  root: string;
  /** Undefined: only records. */
  plan?: Plan | undefined;
  /** Called just before the fault acts. */
  fired?: () => void;
  /** Ends the process. Where it returns (a death that is only played), every later call fails and changes nothing. */
  kill?: () => void;
}

export interface Injected {
  fs: FileSystem;
  /** What was called since it was armed. */
  readonly calls: readonly Call[];
  readonly fired: boolean;
  readonly isDead: boolean;
  /** From now on calls count, and the plan holds … */
  arm: () => void;
  /** … until now. */
  disarm: () => void;
}

/** How one call is carried out: all of it, or what a fault leaves of it. */
interface Step<T> {
  run: () => T;
  /** Carries out a part of it, for a short write. */
  partly?: () => T;
}

class Injector {
  readonly calls: Call[] = [];
  fired = false;
  isArmed = false;
  readonly databases = new Set<DatabaseSync>();
  readonly #options: InjectOptions;
  readonly #counts = new Map<string, number>();
  #dead = false;

  constructor(options: InjectOptions) {
    this.#options = options;
  }

  isInside(path: string): boolean {
    return path.startsWith(`${this.#options.root}/`) || path === this.#options.root;
  }

  /** Notes the call; the fault that the plan has for it, if it has one. */
  meet(what: string): Fault | undefined {
    this.expectAlive();
    // How often a test looks whether all is done is never twice the same.
    if (!this.isArmed || isLooking()) return undefined;
    const nth = (this.#counts.get(what) ?? 0) + 1;
    this.#counts.set(what, nth);
    this.calls.push({ what, nth });
    const { plan } = this.#options;
    if (plan === undefined || plan.call.what !== what || plan.call.nth !== nth) return undefined;
    this.fired = true;
    this.#options.fired?.();
    return plan.fault;
  }

  /** A synchronous call, with whatever is planned for it. */
  step<T>(what: string, { run, partly }: Step<T>): T {
    const fault = this.meet(what);
    if (fault === undefined) return run();
    if (fault === "short write" && partly !== undefined) return partly();
    if (fault === "kill before") this.die();
    if (fault === "kill after") {
      try {
        run();
      } catch {
        // It failed by itself (nothing to remove): the process dies after it all the same.
      }
      this.die();
    }
    // close(2) gives the descriptor back also when it reports an error.
    if (what.startsWith("close ")) run();
    throw errnoError(fault, what);
  }

  die(): never {
    this.#dead = true;
    this.#options.kill?.();
    // The kernel closes what a process had open; here it would keep its locks.
    for (const database of this.databases) if (database.isOpen) database.close();
    throw new Dead("the process was killed");
  }

  expectAlive(): void {
    if (this.#dead) throw new Dead("the process was killed");
  }

  get isDead(): boolean {
    return this.#dead;
  }

  name(path: string): string {
    return withoutChance(path.slice(this.#options.root.length + 1));
  }
}

/** What the flag "w" stands for. */
const writing = constants.O_CREAT | constants.O_WRONLY;

type Callback = (error: NodeJS.ErrnoException | null, ...rest: never[]) => void;

/** Wraps the real file system. `injected.fs` is for useFileSystem. */
export function inject(options: InjectOptions): Injected {
  const real = realFileSystem;
  const injector = new Injector(options);
  /** Paths of what is open, and whether it was opened to write. */
  const open = new Map<number, { path: string; writes: boolean }>();
  const nameOf = (fd: number): string => injector.name(open.get(fd)?.path ?? "");
  const isOurs = (fd: number): boolean => open.has(fd);

  const fs: FileSystem = {
    ...real,
    openSync: (path, flags, mode) => {
      const text = String(path);
      if (!injector.isInside(text)) return real.openSync(path, flags, mode);
      const bits = typeof flags === "number" ? flags : flags?.includes("w") === true ? writing : 0;
      const verb = (bits & constants.O_CREAT) === 0 ? "open" : "create";
      const fd = injector.step(`${verb} ${injector.name(text)}`, {
        run: () => real.openSync(path, flags, mode),
      });
      open.set(fd, { path: text, writes: (bits & (constants.O_WRONLY | constants.O_RDWR)) !== 0 });
      return fd;
    },
    closeSync: (fd) => {
      const known = open.get(fd);
      const run = (): void => {
        open.delete(fd);
        real.closeSync(fd);
      };
      // The descriptors of a dead process are closed by its system; here by the product's own `finally`.
      if (known === undefined || !known.writes || injector.isDead) return run();
      injector.step(`close ${injector.name(known.path)}`, { run });
    },
    writeSync: ((fd: number, bytes: Uint8Array, offset: number = 0) => {
      if (!isOurs(fd)) return real.writeSync(fd, bytes, offset);
      const half = Math.max(1, (bytes.length - offset) >> 1);
      return injector.step(`write ${nameOf(fd)}`, {
        run: () => real.writeSync(fd, bytes, offset),
        partly: () => real.writeSync(fd, bytes, offset, half),
      });
    }) as FileSystem["writeSync"],
    ftruncateSync: (fd, length) =>
      isOurs(fd)
        ? injector.step(`truncate ${nameOf(fd)}`, { run: () => real.ftruncateSync(fd, length) })
        : real.ftruncateSync(fd, length),
    fchownSync: (fd, uid, gid) =>
      isOurs(fd)
        ? injector.step(`chown ${nameOf(fd)}`, { run: () => real.fchownSync(fd, uid, gid) })
        : real.fchownSync(fd, uid, gid),
    linkSync: (from, to) => two("link", from, to, () => real.linkSync(from, to)),
    renameSync: (from, to) => two("rename", from, to, () => real.renameSync(from, to)),
    unlinkSync: (path) => one("unlink", path, () => real.unlinkSync(path)),
    rmdirSync: (path, ...rest) => one("rmdir", path, () => real.rmdirSync(path, ...rest)),
    utimesSync: (path, ...rest) => one("utimes", path, () => real.utimesSync(path, ...rest)),
    mkdirSync: ((path: string, ...rest: []) =>
      one("mkdir", path, () => real.mkdirSync(path, ...rest))) as FileSystem["mkdirSync"],
    opendirSync: (path, ...rest) => one("list", path, () => real.opendirSync(path, ...rest)),
    readFileSync: ((path: string, ...rest: []) =>
      one("read", path, () => real.readFileSync(path, ...rest))) as FileSystem["readFileSync"],
    lstatSync: ((path: string, ...rest: []) =>
      one("stat", path, () => real.lstatSync(path, ...rest))) as FileSystem["lstatSync"],
    statSync: ((path: string, ...rest: []) =>
      one("stat", path, () => real.statSync(path, ...rest))) as FileSystem["statSync"],
    fstatSync: ((fd: number, ...rest: []) =>
      isOurs(fd)
        ? injector.step(`stat ${nameOf(fd)}`, { run: () => real.fstatSync(fd, ...rest) })
        : real.fstatSync(fd, ...rest)) as FileSystem["fstatSync"],
    readSync: ((fd: number, ...rest: [Uint8Array]) => {
      const run = (): number => real.readSync(fd, ...rest);
      return isOurs(fd) ? injector.step(`pread ${nameOf(fd)}`, { run }) : run();
    }) as FileSystem["readSync"],
    read: ((fd: number, ...rest: unknown[]) => {
      const what = isOurs(fd) ? `pread ${nameOf(fd)}` : undefined;
      later(rest.pop() as Callback, what, (done) => real.read(fd, ...([...rest, done] as [never])));
    }) as FileSystem["read"],
    fsync: ((fd: number, callback: Callback) => {
      later(callback, isOurs(fd) ? `fsync ${nameOf(fd)}` : undefined, (done) =>
        real.fsync(fd, done as never),
      );
    }) as FileSystem["fsync"],
    write: ((
      fd: number,
      bytes: Uint8Array,
      offset: number,
      length: number,
      at: number,
      callback: Callback,
    ) => {
      const what = isOurs(fd) ? `write ${nameOf(fd)}` : undefined;
      later(callback, what, (done, isShort) =>
        real.write(fd, bytes, offset, isShort ? Math.max(1, length >> 1) : length, at, done as never),
      );
    }) as unknown as FileSystem["write"],
    openDatabase: async (path) => {
      const what = `database ${injector.name(path)}`;
      const fault = injector.meet(what);
      if (fault === "kill before") injector.die();
      if (fault !== undefined && fault !== "kill after") throw sqliteError(fault, true);
      const database = await real.openDatabase(path);
      injector.databases.add(database);
      if (fault === "kill after") injector.die();
      return injectDatabase(database, (sql, run) => {
        const met = injector.meet(`sql ${injector.name(path)} ${sql}`);
        if (met === "kill before") injector.die();
        if (met !== undefined && met !== "kill after") throw sqliteError(met, false);
        const result = run();
        if (met === "kill after") injector.die();
        return result;
      });
    },
  };

  function one<T>(verb: string, path: unknown, run: () => T): T {
    const text = String(path);
    return injector.isInside(text) ? injector.step(`${verb} ${injector.name(text)}`, { run }) : run();
  }

  function two(verb: string, from: unknown, to: unknown, run: () => void): void {
    injector.step(`${verb} ${injector.name(String(from))} → ${injector.name(String(to))}`, { run });
  }

  /** An asynchronous call. What it comes to is told by its callback. */
  function later(
    callback: Callback,
    what: string | undefined,
    run: (done: Callback, isShort: boolean) => void,
  ): void {
    const fail = (error: Error): void => void setImmediate(callback, error);
    if (injector.isDead) return fail(new Dead("the process was killed"));
    const fault = what === undefined ? undefined : injector.meet(what);
    if (fault === "kill before") return orDead(() => injector.die(), fail);
    if (fault !== undefined && fault !== "kill after" && fault !== "short write")
      return fail(errnoError(fault, what ?? ""));
    run((...result) => {
      // Somebody else's call killed the process meanwhile, or this one does.
      if (injector.isDead) return callback(new Dead("the process was killed"));
      if (fault === "kill after") return orDead(() => injector.die(), callback as (error: Error) => void);
      callback(...result);
    }, fault === "short write");
  }

  return {
    fs: { ...fs, ...deadAware(fs, injector) },
    calls: injector.calls,
    get fired() {
      return injector.fired;
    },
    get isDead() {
      return injector.isDead;
    },
    arm: () => {
      injector.isArmed = true;
    },
    disarm: () => {
      injector.isArmed = false;
    },
  };
}

function orDead(act: () => never, fail: (error: Error) => void): void {
  try {
    act();
  } catch (error) {
    fail(error as Error);
  }
}
