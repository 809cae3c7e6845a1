// The reserve, against a neighbour on the disk who takes every block and every inode in the very moment in which it becomes free: only what was allocated before can
// be written then.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { type FileSystem, realFileSystem, useFileSystem } from "../../runtime/spool/fs.ts";
import { InboxWriter } from "../../runtime/spool/inbox.ts";
import { spoolPaths, type SpoolPaths } from "../../runtime/spool/names.ts";
import { publishJson } from "../../runtime/spool/publish.ts";
import { fillReserve, openReserve } from "../../runtime/spool/reserve.ts";
import { DiskSpace } from "../../runtime/spool/space.ts";
import { openSpool, prepareConnector } from "../../runtime/spool/spool.ts";
import { LazyStateDb } from "../../runtime/spool/statedb.ts";
import { writeVolatile } from "../../runtime/spool/volatile.ts";
import { atEnd } from "../helpers/children.ts";
import { cannotMount, mountDisk, type SmallDisk } from "../helpers/smallDisk.ts";

const slots = 16;
const slotBytes = 4096;
const why = cannotMount("tmpfs");
if (why !== undefined) console.warn(`SKIPPED: the reserve on a full disk: ${why}`);

let putBack = (): void => undefined;
afterEach(() => putBack());

/** A spool on a small tmpfs with a reserve, and somebody who leaves nothing free from now on. */
async function fullSpool(
  what: "bytes" | "inodes",
): Promise<{ paths: SpoolPaths; disk: SmallDisk; root: string }> {
  const home = mkdtempSync(join(tmpdir(), "spoolway-reserve-"));
  atEnd(() => rmSync(home, { recursive: true }));
  const root = join(home, "spool");
  mkdirSync(root);
  const disk = mountDisk(root, { type: "tmpfs", bytes: 8 << 20, inodes: 2000 });
  await openSpool(root);
  const paths = prepareConnector(root, "one");
  openReserve(paths.reserve, slots * slotBytes);
  expect(readdirSync(paths.reserve)).toHaveLength(slots);
  const takeAll = () => disk.fillTo(what === "bytes" ? { bytes: 0 } : { inodes: 0 });
  takeAll();
  const greedy: Partial<FileSystem> = {
    unlinkSync: (path) => {
      realFileSystem.unlinkSync(path);
      takeAll();
    },
    renameSync: (from, to) => {
      realFileSystem.renameSync(from, to);
      takeAll();
    },
    ftruncateSync: (fd, length) => {
      realFileSystem.ftruncateSync(fd, length);
      takeAll();
    },
  };
  putBack = useFileSystem({ ...realFileSystem, ...greedy });
  return { paths, disk, root };
}

describe.skipIf(why !== undefined).each(["bytes", "inodes"] as const)("with no %s left", (what) => {
  test("as many messages as there are slots are settled, and not one more", async () => {
    const { paths } = await fullSpool(what);
    for (let n = 0; n < slots; n += 1) {
      expect(await publishJson(paths.tmp, paths.sent, `m${n}.json`, { n, text: "x".repeat(n * 200) })).toBe(
        true,
      );
    }
    await expect(publishJson(paths.tmp, paths.sent, "more.json", {})).rejects.toMatchObject({
      code: "spool_full",
    });
    for (let n = 0; n < slots; n += 1) {
      const record = JSON.parse(readFileSync(join(paths.sent, `m${n}.json`), "utf8")) as { n: number };
      expect(record.n).toBe(n);
    }
    expect(readdirSync(paths.tmp)).toEqual([]);
  });

  test("heartbeats leave half of it to the messages", async () => {
    const { paths, root } = await fullSpool(what);
    const beat = join(root, "heartbeat", "one.json");
    let written = 0;
    await expect(async () => {
      for (; written < 2 * slots; written += 1) writeVolatile(beat, `{"n":${written}}`);
    }).rejects.toMatchObject({ code: "ENOSPC" });
    expect(written).toBe(slots / 2);
    expect(readFileSync(beat, "utf8")).toBe(`{"n":${written - 1}}`);
    expect(await publishJson(paths.tmp, paths.sent, "m.json", {})).toBe(true);
  });

  test("events are refused before they are written, and accepted again once the reserve is whole", async () => {
    const { paths, disk, root } = await fullSpool(what);
    const state = new LazyStateDb(paths, 1e9);
    const limits = { minFreeBytes: 1 << 20, minFreeInodes: 100 };
    const inbox = new InboxWriter(paths, state, new DiskSpace(root, limits));
    putBack();
    disk.yield();
    await state.get(); // the database takes its files while there is room
    await inbox.deliver("early", Buffer.from("{}"));
    disk.fillTo(what === "bytes" ? { bytes: 700_000 } : { inodes: 50 });
    await expect(inbox.deliver("late", Buffer.from("{}"))).rejects.toMatchObject({ code: "spool_full" });
    // Room enough, but what was taken from the reserve is not back.
    disk.yield();
    for (const slot of readdirSync(paths.reserve)) rmSync(join(paths.reserve, slot));
    openReserve(paths.reserve, slots * slotBytes);
    await inbox.deliver("late", Buffer.from("{}"));
    expect(readdirSync(paths.inbox)).toHaveLength(2);
    expect(readdirSync(paths.reserve)).toHaveLength(slots);
    await state.close();
  });
});

describe.skipIf(why !== undefined)("the database of seen events", () => {
  const noLimits = { minFreeBytes: 0, minFreeInodes: 0 };

  test("that could not be opened on a full disk is opened when there is room", async () => {
    const { paths, disk } = await fullSpool("bytes");
    const state = new LazyStateDb(paths, 1e9);
    const inbox = new InboxWriter(paths, state);
    await expect(inbox.deliver("one", Buffer.from("{}"))).rejects.toThrow(/full/);
    disk.yield();
    await inbox.deliver("one", Buffer.from("{}"));
    await state.close();
  });

  test("that is full makes no event come twice", async () => {
    const { paths, disk, root } = await fullSpool("bytes");
    disk.yield();
    putBack();
    const state = new LazyStateDb(paths, 1e9);
    const inbox = new InboxWriter(paths, state, new DiskSpace(root, noLimits));
    await inbox.deliver("early", Buffer.from("{}"));
    disk.fillTo({ bytes: slotBytes }); // enough for the event, not for the database
    await inbox.deliver("one", Buffer.from("{}"));
    expect(disk.freeBytes).toBe(0);
    // Not known as seen, and not to be recorded: nothing more is accepted.
    await expect(inbox.deliver("one", Buffer.from("{}"))).rejects.toThrow();
    disk.yield();
    expect(await inbox.deliver("one", Buffer.from("{}"))).toEqual({ duplicate: true });
    expect(readdirSync(paths.inbox)).toHaveLength(2);
    await state.close();
  });
});

test.skipIf(why !== undefined)(
  "what an earlier process left of it is used, what was linked elsewhere never",
  async () => {
    const { paths, disk } = await fullSpool("bytes");
    putBack();
    disk.yield();
    realFileSystem.linkSync(join(paths.reserve, "3"), join(paths.sent, "record.json"));
    realFileSystem.unlinkSync(join(paths.reserve, "5"));
    const kept = statSync(join(paths.reserve, "0")).ino;
    openReserve(paths.reserve, slots * slotBytes);
    expect(readdirSync(paths.reserve)).toHaveLength(slots);
    expect(statSync(join(paths.reserve, "0")).ino).toBe(kept);
    expect(statSync(join(paths.sent, "record.json")).nlink).toBe(1);
    expect(fillReserve()).toBe(true);
  },
);

test("a reserve is at most a small part of a small disk", async () => {
  const home = mkdtempSync(join(tmpdir(), "spoolway-reserve-"));
  atEnd(() => rmSync(home, { recursive: true }));
  const paths = spoolPaths(home, "one");
  mkdirSync(paths.reserve, { recursive: true });
  // A disk of 1 MiB, as statfs tells of it.
  putBack = useFileSystem({
    ...realFileSystem,
    statfsSync: ((path: string) => ({
      ...realFileSystem.statfsSync(path),
      bsize: 4096,
      blocks: 256,
      files: 0,
    })) as typeof realFileSystem.statfsSync,
  });
  openReserve(paths.reserve, 64 * slotBytes);
  expect(readdirSync(paths.reserve)).toHaveLength(16);
});
