// Producers that rewrite, replace, remove or swap what is being read at that very moment: whatever happens before whichever call to the file system, no version
// of a message is lost or torn, nothing outside of the outbox is read, and no call fails for a reason that is not the drop's own.
//
// The moments are not left to chance: a real file system is put under the spool that lets somebody else act before its n-th call, for every n.
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  constants,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SpoolwayError } from "../../runtime/errors.ts";
import { claimDrop, scheduleDrop } from "../../runtime/spool/claim.ts";
import { type FileSystem, realFileSystem, useFileSystem } from "../../runtime/spool/fs.ts";
import { captureAttachment } from "../../runtime/spool/media.ts";
import { makePlace, type Place } from "./hostile-pump.ts";

const secret = "the secret outside";
let place: Place;
let outside: string;

beforeEach(async () => {
  place = await makePlace();
  outside = join(place.home, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "file"), secret);
});
afterEach(() => place.remove());

/** Calls `before` with the number of each call (from 0) before it is made. */
function interrupted(before: (call: number) => void): { fs: FileSystem; calls: () => number } {
  let calls = 0;
  const fs = Object.fromEntries(
    Object.entries(realFileSystem).map(([name, call]) => [
      name,
      typeof call !== "function" || /^[A-Z]/.test(name)
        ? call
        : (...args: unknown[]): unknown => {
            before(calls++);
            if (name === "openSync") expectNoWait(String(args[0]), Number(args[1]));
            return (call as (...args: unknown[]) => unknown)(...args);
          },
    ]),
  ) as unknown as FileSystem;
  return { fs, calls: () => calls };
}

/** An open of a pipe that waits for its writer would hang the test as well. */
function expectNoWait(path: string, flags: number): void {
  const isPipe = lstatSync(path, { throwIfNoEntry: false })?.isFIFO() === true;
  if (isPipe && (flags & constants.O_NONBLOCK) === 0) throw new Error(`${path}: opened without O_NONBLOCK`);
}

/** Runs `work` again and again, with `act` before its first call, its second … until it makes no more calls. Returns how many moments there were. */
async function atEveryMoment(
  act: (n: number) => void,
  work: (n: number) => Promise<void>,
  check: (n: number) => void,
): Promise<number> {
  for (let n = 0; ; n += 1) {
    const { fs, calls } = interrupted((call) => (call === n ? act(n) : undefined));
    const restore = useFileSystem(fs);
    try {
      await work(n);
    } finally {
      restore();
    }
    check(n);
    if (calls() <= n) return n;
  }
}

const message = (id: string, text: string, more: object = {}): string =>
  JSON.stringify({ id, conversation_id: "c", text, ...more });

/** What somebody does to the path of a drop. True: `fresh` lies there, or in what the path leads to, and must not get lost. */
const deeds: Record<string, (path: string, fresh: string) => boolean> = {
  "replaces it by rename": (path, fresh) => {
    const temp = join(dirname(path), "new.tmp");
    writeFileSync(temp, fresh);
    renameSync(temp, path);
    return true;
  },
  "writes it anew in place": (path, fresh) => {
    writeFileSync(path, fresh);
    return true;
  },
  "appends to it": (path) => {
    appendFileSync(path, "  ");
    return false;
  },
  "cuts it": (path) => {
    if (existsSync(path)) truncateSync(path, 5);
    return false;
  },
  "removes it": (path) => {
    rmSync(path, { force: true });
    return false;
  },
  "puts a pipe there": (path) => {
    rmSync(path, { force: true });
    execFileSync("mkfifo", [path]);
    return false;
  },
  "puts a link to a secret there": (path) => {
    rmSync(path, { force: true });
    symlinkSync(join(outside, "file"), path);
    return false;
  },
  "puts a folder there": (path) => {
    rmSync(path, { force: true });
    mkdirSync(path);
    writeFileSync(join(path, "inside"), "x");
    return false;
  },
};

const later = { not_before: "2190-01-01T00:00:00Z" };
const attached = { attachments: [{ path: "beside.txt" }] };
/** As long as a file name can be, in letters of three bytes: nothing can be added to it. */
const longName = `${"€".repeat(82)}-NNN.json`;

for (const [what, more] of Object.entries({ plain: {}, attached, scheduled: later })) {
  for (const [deed, act] of Object.entries(deeds)) {
    test(`a drop, ${what}: each moment of its claim somebody ${deed}`, async () => {
      const { outbox } = place;
      writeFileSync(join(outbox.paths.outbox, "beside.txt"), "bytes");
      const nameOf = (n: number): string => longName.replace("NNN", String(n).padStart(3, "0"));
      const pathOf = (n: number): string => join(outbox.paths.outbox, nameOf(n));
      const fresh = (n: number): string => message(`m${n}`, "fresh", more);
      let isFresh = false;
      let claimed: string | undefined;
      const moments = await atEveryMoment(
        (n) => (isFresh = act(pathOf(n), fresh(n))),
        async (n) => {
          isFresh = false;
          claimed = undefined;
          // By way of the real one, which does not count.
          realFileSystem.closeSync(writeDrop(pathOf(n), message(`m${n}`, "old", more)));
          const drop = outbox.read(nameOf(n));
          expect("bytes" in drop && drop.bytes?.includes(secret), `moment ${n}: read outside`).not.toBe(true);
          if (drop.kind !== "message") return;
          if (what === "scheduled") {
            claimed = (await scheduleDrop(outbox, nameOf(n), drop, Date.UTC(2190, 0)))?.entry.message.text;
            return;
          }
          const claim = await claimDrop(outbox, nameOf(n), drop);
          if (claim.kind === "claimed") claimed = claim.entry.message.text;
        },
        (n) => {
          const held = accepted(n);
          expect(held, `moment ${n}: what is accepted lies on disk`).toEqual(
            claimed === undefined ? [] : [claimed],
          );
          const waiting = freshDrops(`m${n}`);
          if (isFresh && claimed !== "fresh")
            expect(waiting, `moment ${n}: the new version is not lost`).toHaveLength(1);
          expect(everything(), `moment ${n}`).not.toContain(secret);
          expect(readdirSync(outbox.paths.tmp), "nothing stays in tmp/").toEqual([]);
          for (const name of readdirSync(outbox.paths.outbox))
            if (name !== "beside.txt") rmSync(join(outbox.paths.outbox, name), { recursive: true });
        },
      );
      expect(moments).toBeGreaterThan(8);
    });
  }
}

test("a drop that is replaced twice while it is claimed: no version is lost but by its own producer", async () => {
  const { outbox } = place;
  const { outbox: folder, sending } = outbox.paths;
  const calls = 16;
  for (let first = 0; first < calls; first += 1) {
    for (let second = first + 1; second <= calls; second += 1) {
      const name = longName.replace("NNN", String(first * 20 + second).padStart(3, "0"));
      const replace = (version: string): boolean =>
        deeds["replaces it by rename"]?.(join(folder, name), message("p", version)) ?? false;
      const waiting = (): string[] =>
        readdirSync(folder).map((file) => readFileSync(join(folder, file), "utf8"));
      let isOverwritten = false;
      const acted: number[] = [];
      const act = (call: number): void => {
        acted.push(call);
        if (call === first) replace("first");
        if (call !== second) return;
        isOverwritten =
          existsSync(join(folder, name)) &&
          readFileSync(join(folder, name), "utf8") === message("p", "first");
        replace("second");
      };
      writeFileSync(join(folder, name), message("p", "old"));
      const restore = useFileSystem(interrupted(act).fs);
      let accepted: string | undefined;
      try {
        const drop = outbox.read(name);
        const claim = drop.kind === "message" ? await claimDrop(outbox, name, drop) : drop;
        if (claim.kind === "claimed") accepted = claim.entry.message.text;
      } finally {
        restore();
      }
      const what = `before call ${first} and before call ${second}`;
      const kept = [accepted, ...waiting().map((text) => (JSON.parse(text) as { text: string }).text)];
      // A claim that ended before the call did not see that one happen.
      if (acted.includes(second)) expect(kept, what).toContain("second");
      if (acted.includes(first) && !isOverwritten) expect(kept, what).toContain("first");
      for (const place of [folder, sending]) for (const file of readdirSync(place)) rmSync(join(place, file));
    }
  }
});

function writeDrop(path: string, text: string): number {
  const fd = realFileSystem.openSync(path, "w");
  realFileSystem.writeSync(fd, text);
  return fd;
}

/** Texts of the accepted messages with the id m<n>. */
function accepted(n: number): string[] {
  const { paths } = place.outbox;
  return (["sending", "retry"] as const).flatMap((folder) =>
    readdirSync(paths[folder])
      .filter((file) => new RegExp(`(^|-)m${n}~`).test(file))
      .map((file) => {
        const value = JSON.parse(readFileSync(join(paths[folder], file), "utf8")) as {
          text: string;
          message?: { text: string };
        };
        return (value.message ?? value).text;
      }),
  );
}

/** Whole drops in the outbox with this id and the new text, under whatever name. */
function freshDrops(id: string): string[] {
  const { outbox } = place.outbox.paths;
  return readdirSync(outbox, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(outbox, entry.name), "utf8"))
    .filter((text) => text.includes(`"${id}"`) && text.includes('"fresh"') && text.endsWith("}"));
}

/** All bytes of all regular files of the spool. */
function everything(): string {
  const { root } = place.outbox.paths;
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"))
    .join("\n");
}

/** What somebody does to the folder of an attachment, or to the `file` in it. */
const attachmentDeeds: Record<string, (folder: string) => void> = {
  "swaps its folder for a link to another": (folder) => {
    renameSync(folder, `${folder}-away`);
    symlinkSync(outside, folder);
  },
  "swaps its folder for another that is reached by ..": (folder) => {
    renameSync(folder, `${folder}-away`);
    symlinkSync("../../../outside", folder);
  },
  "swaps it for a link": (folder) => {
    rmSync(join(folder, "file"));
    symlinkSync(join(outside, "file"), join(folder, "file"));
  },
  "swaps it for a hard link": (folder) => {
    rmSync(join(folder, "file"));
    linkSync(join(outside, "file"), join(folder, "file"));
  },
  "swaps it for a pipe": (folder) => {
    rmSync(join(folder, "file"));
    execFileSync("mkfifo", [join(folder, "file")]);
  },
  "swaps it for a folder": (folder) => {
    rmSync(join(folder, "file"));
    mkdirSync(join(folder, "file"));
  },
  "moves its folder out of the outbox": (folder) =>
    renameSync(folder, join(place.home, `moved-${Math.random()}`)),
  "lets it grow": (folder) => appendFileSync(join(folder, "file"), "more".repeat(1000)),
  "lets it grow beyond all limits": (folder) => truncateSync(join(folder, "file"), 2 ** 40),
  "cuts it": (folder) => truncateSync(join(folder, "file"), 1),
  "removes it": (folder) => rmSync(folder, { recursive: true }),
};

const refusals = ["attachment_outside", "attachment_missing", "too_large"];

for (const [deed, act] of Object.entries(attachmentDeeds)) {
  test(`at each moment of taking an attachment in somebody ${deed}`, async () => {
    const { paths } = place.outbox;
    let outcome: string | undefined;
    const moments = await atEveryMoment(
      (n) => act(join(paths.outbox, `dir${n}`)),
      async (n) => {
        mkdirSync(join(paths.outbox, `dir${n}`));
        writeFileSync(join(paths.outbox, `dir${n}`, "file"), "inside".repeat(100_000));
        try {
          outcome = (await captureAttachment(paths, { path: `dir${n}/file` }, 1_000_000)).path;
        } catch (error) {
          if (!(error instanceof SpoolwayError)) throw error;
          outcome = error.code;
        }
      },
      (n) => {
        const isStored = outcome?.startsWith("media/") === true;
        expect(isStored || refusals.includes(outcome ?? ""), `moment ${n}: ${outcome}`).toBe(true);
        if (isStored)
          expect(readFileSync(join(paths.root, outcome ?? ""), "latin1"), `moment ${n}`).toMatch(
            /^i(nside|$)/,
          );
        expect(mediaTexts(), `moment ${n}`).not.toContain(secret);
        expect(readdirSync(paths.tmp), "nothing stays in tmp/").toEqual([]);
      },
    );
    expect(moments).toBeGreaterThan(8);
  });
}

const mediaTexts = (): string[] =>
  readdirSync(place.outbox.paths.media).map((file) =>
    readFileSync(join(place.outbox.paths.media, file), "latin1"),
  );
