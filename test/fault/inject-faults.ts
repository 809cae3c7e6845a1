// The faults: which of them each call of the spool's file system can meet, and the errors that they are told by.

export type Fault = "kill before" | "kill after" | "EIO" | "ENOSPC" | "EMFILE" | "short write";

/** One call that changes something, or opens something, e.g. `rename outbox/one/a.json → sending/one/a~1.json`, for the n-th time. */
export interface Call {
  what: string;
  nth: number;
}

export interface Plan {
  call: Call;
  fault: Fault;
}

/** What every call of a dead process throws. */
export class Dead extends Error {
  readonly code = "EDEAD";
}

/** What each call may come to, by its first word. Killing fits everywhere. */
const errnosOf: Record<string, readonly Fault[]> = {
  create: ["EIO", "ENOSPC", "EMFILE"],
  open: ["EIO", "EMFILE"],
  read: ["EIO", "EMFILE"],
  list: ["EIO", "EMFILE"],
  pread: ["EIO"],
  stat: ["EIO"],
  write: ["EIO", "ENOSPC", "short write"],
  fsync: ["EIO", "ENOSPC"],
  truncate: ["EIO"],
  close: ["EIO"],
  link: ["EIO", "ENOSPC"],
  rename: ["EIO", "ENOSPC"],
  unlink: ["EIO"],
  mkdir: ["EIO", "ENOSPC"],
  rmdir: ["EIO"],
  utimes: ["EIO"],
  chown: ["EIO"],
  database: ["EIO", "EMFILE"],
  sql: ["EIO", "ENOSPC"],
};

/** Calls that open for reading: a process that is killed there is the same as one killed at the call before or after. */
const readers = new Set(["open", "read", "list", "pread", "stat"]);

export function faultsOf({ what }: Call): Fault[] {
  const verb = what.split(" ", 1)[0] ?? "";
  const errnos = errnosOf[verb];
  if (errnos === undefined) throw new Error(`no faults are known for ${what}`);
  return readers.has(verb) ? [...errnos] : ["kill before", "kill after", ...errnos];
}

export const isKill = (fault: Fault): boolean => fault === "kill before" || fault === "kill after";

/** Whether the call is one that changes something on the disk. */
export const changes = ({ what }: Call): boolean => !readers.has(what.split(" ", 1)[0] ?? "");

/** A path below the spool, without what differs from run to run. */
export function withoutChance(path: string): string {
  return path
    .replace(/^tmp\/.+/, "tmp/*")
    .replaceAll(/\d{8}T\d{6}\.\d{6}Z/g, "<time>")
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "<uuid>")
    .replaceAll(/\b[a-z2-7]{26}\b/g, "<id>");
}

const texts: Record<string, { errno: number; text: string }> = {
  EIO: { errno: -5, text: "i/o error" },
  ENOSPC: { errno: -28, text: "no space left on device" },
  EMFILE: { errno: -24, text: "too many open files" },
};

export function errnoError(code: string, what: string): NodeJS.ErrnoException {
  const { errno, text } = texts[code] ?? { errno: -5, text: "" };
  return Object.assign(new Error(`${code}: ${text}, ${what} (injected)`), {
    code,
    errno,
    syscall: what.split(" ", 1)[0] ?? "",
  });
}

/** As node:sqlite throws them: SQLITE_IOERR, SQLITE_FULL; SQLITE_CANTOPEN when there is nothing to open it with. */
export function sqliteError(fault: Fault, isOpening: boolean): Error {
  const [errcode, errstr] = isOpening
    ? [14, "unable to open database file"]
    : fault === "ENOSPC"
      ? [13, "database or disk is full"]
      : [10, "disk I/O error"];
  return Object.assign(new Error(`${errstr} (injected)`), { code: "ERR_SQLITE_ERROR", errcode, errstr });
}
