// What the shim (inject.ts) sees is what the kernel sees: nothing goes around it. And what it cannot see, the calls that SQLite makes for state.db, meets its faults here.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { changes } from "./inject-faults.ts";
import { withoutChance } from "./inject-faults.ts";
import { parseStrace, straceMissing, type SystemCall } from "./inject-strace.ts";
import { scenarios } from "./scenarios.ts";
import { withFolder } from "./syscalls-case.ts";
import { judgeRemains, runChild } from "./syscalls-process.ts";

const all = process.env.SPOOLWAY_FAULTS === "all";
const isSkipped = straceMissing !== undefined;
if (isSkipped)
  console.warn(`SKIPPED: the shim against strace, and the faults inside of SQLite: ${straceMissing}`);

/** Together they make every kind of call. */
const compared = all
  ? scenarios.map(({ name }) => name)
  : ["deliver batch", "media write", "lane", "refusal", "pause and resume", "start on an empty folder"];
const traced =
  "%file,write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,ftruncate,fchown,fchmod,fallocate,copy_file_range,sendfile,close";

describe.skipIf(isSkipped)("the calls that change the spool", () => {
  test.for(compared)(
    "are the same for the kernel and for the shim: %s",
    { timeout: 300_000 },
    async (name) => {
      await withFolder(async (folder, spool) => {
        const log = join(folder, "log");
        const { said, code, stderr } = await runChild(name, folder, undefined, {
          args: ["-e", `trace=${traced}`],
          log,
        });
        expect(code, stderr).toBe(0);
        const calls = said
          .filter((line) => line.startsWith("{"))
          .map((line) => JSON.parse(line) as { what: string; nth: number });
        const seen = calls
          .filter((call) => changes(call) && !/^(database|sql) /.test(call.what))
          .map(({ what }) => what);
        expect(sorted(kernelCalls(readFileSync(log, "utf8"), spool))).toEqual(sorted(seen));
      });
    },
  );
});

/** Node's mkdir -p is one call for each parent that is missing. */
function sorted(calls: readonly string[]): string[] {
  const folders = new Set(calls.filter((what) => what.startsWith("mkdir ")));
  return [...calls.filter((what) => !what.startsWith("mkdir ")), ...folders].sort();
}

/** What the act changed below `spool`, by strace, in the shim's words; without SQLite's own files. */
function kernelCalls(log: string, spool: string): string[] {
  const calls = parseStrace(log);
  const says = (text: string) => (call: SystemCall) =>
    call.name === "write" && call.args.includes(`"${text}\\n"`);
  const [from, to] = [calls.findIndex(says("armed")), calls.findIndex(says("done"))];
  expect(from, "the child says when it begins").toBeGreaterThan(0);
  const name = (path: string): string => withoutChance(path.slice(spool.length + 1));
  /** By descriptor: the name under which it was opened, and whether to write. */
  const open = new Map<string, { path: string; writes: boolean }>();
  const found: string[] = [];
  for (const [index, call] of calls.entries()) {
    const paths = [...call.args.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, path = ""]) => path);
    const inside = paths.filter(
      (path) => (path === spool || path.startsWith(`${spool}/`)) && !path.includes("/state.db"),
    );
    const fd = /^(\d+)</.exec(call.args)?.[1] ?? "";
    const note = (what: string): void => void (index > from && index < to && found.push(what));
    if (call.name === "openat" && inside[0] !== undefined) {
      const writes = /O_WRONLY|O_RDWR/.test(call.args);
      open.set(/^(\d+)/.exec(call.text)?.[1] ?? "", { path: inside[0], writes });
      if (call.args.includes("O_CREAT")) note(`create ${name(inside[0])}`);
    } else if (call.name === "openat") open.delete(/^(\d+)/.exec(call.text)?.[1] ?? "");
    else if (byDescriptor[call.name] !== undefined) {
      const file = open.get(fd);
      if (file !== undefined && (call.name !== "close" || file.writes))
        note(`${byDescriptor[call.name]} ${name(file.path)}`);
      if (call.name === "close") open.delete(fd);
    } else if (byPath[call.name] !== undefined && inside.length > 0) {
      note(`${byPath[call.name]} ${inside.map(name).join(" → ")}`);
    }
  }
  // SQLite makes the name of its log durable.
  return found.filter((what) => what !== "fsync state/one");
}

const byDescriptor: Record<string, string> = {
  write: "write",
  pwrite64: "write",
  writev: "write",
  pwritev: "write",
  pwritev2: "write",
  fsync: "fsync",
  fdatasync: "fsync",
  ftruncate: "truncate",
  fallocate: "allocate",
  fchown: "chown",
  fchmod: "chmod",
  close: "close",
};
const byPath: Record<string, string> = {
  link: "link",
  linkat: "link",
  symlink: "symlink",
  symlinkat: "symlink",
  rename: "rename",
  renameat: "rename",
  renameat2: "rename",
  unlink: "unlink",
  unlinkat: "unlink",
  mkdir: "mkdir",
  mkdirat: "mkdir",
  rmdir: "rmdir",
  utimensat: "utimes",
  chmod: "chmod",
  chown: "chown",
  truncate: "truncate",
};

/** The most that is tried of each call; after the last that comes there are no more. */
const nthMax = all ? 60 : 2;
const inSqlite = [
  { scenario: "state write", call: "pwrite64" },
  { scenario: "state write", call: "fsync" },
  { scenario: "cursor", call: "pwrite64" },
  { scenario: "cursor", call: "fsync" },
  { scenario: "deliver batch", call: "pwrite64" },
  { scenario: "deliver batch", call: "fsync" },
];
const faults = ["signal=SIGKILL", "error=EIO", "error=ENOSPC"];

describe.skipIf(isSkipped)("inside of SQLite", () => {
  let cases = 0;
  let fired = 0;
  beforeAll(() => () => console.log(`faults at SQLite's own calls: ${cases} cases, ${fired} fired`));

  test.for(inSqlite.flatMap((one) => faults.map((fault) => ({ ...one, fault }))))(
    "$fault at each $call of $scenario",
    { timeout: 600_000 },
    async ({ scenario, call, fault }) => {
      let acted = 0;
      for (let nth = 1; nth <= nthMax; nth += 1) {
        const outcome = await runInSqlite(scenario, call, `${fault}:when=${nth}`);
        if (!outcome.fired) break;
        acted += 1;
        cases += 1;
        fired += 1;
        expect(outcome.problems, `when=${nth}`).toEqual([]);
      }
      expect(acted, "the fault fired").toBeGreaterThan(0);
    },
  );
});

async function runInSqlite(
  scenario: string,
  call: string,
  fault: string,
): Promise<{ fired: boolean; problems: string[] }> {
  return withFolder(async (folder, spool) => {
    const log = join(folder, "log");
    const files = ["state.db", "state.db-wal"].flatMap((file) => ["-P", join(spool, "state/one", file)]);
    const args = [...files, "-e", `trace=${call}`, "-e", `inject=${call}:${fault}`];
    const { signal, code } = await runChild(scenario, folder, undefined, { args, log });
    const text = readFileSync(log, "utf8");
    const killed = text.includes("+++ killed by SIGKILL +++");
    // strace ends as its child did.
    if (killed) expect(signal ?? code, "killed").toBeTruthy();
    return { fired: killed || text.includes("(INJECTED)"), problems: await judgeRemains(folder) };
  });
}
