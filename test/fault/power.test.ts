// The harness of the power cuts itself: that it really loses what was not synced, and keeps what was. Without this the other power tests would prove nothing.
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { missingPowerDisk, type MountMode, PowerDisk } from "./power-disk.ts";

const missing = missingPowerDisk();
const disks: PowerDisk[] = [];
afterAll(() => disks.forEach((disk) => disk.remove()));

/** Writes a file that an ordinary program would call saved, syncing what is named. */
function write(path: string, text: string, ...synced: Array<"bytes" | "name">): void {
  const fd = openSync(path, "w");
  writeFileSync(fd, text);
  if (synced.includes("bytes")) fsyncSync(fd);
  closeSync(fd);
  if (synced.includes("name")) syncFolder(dirname(path));
}

function syncFolder(path: string): void {
  const fd = openSync(path, "r");
  fsyncSync(fd);
  closeSync(fd);
}

describe.skipIf(missing)(`a power cut${missing === undefined ? "" : ` (${missing})`}`, () => {
  const cutAfter = async (mode: MountMode, work: (folder: string) => void): Promise<string> => {
    const disk = PowerDisk.create({ mode, megabytes: 64 });
    disks.push(disk);
    work(disk.folder);
    disk.cut();
    expect(() => writeFileSync(join(disk.folder, "late"), "")).toThrow(/EIO|EROFS/);
    await disk.revive();
    return disk.folder;
  };

  test("loses files, renames and removals that nobody synced", async () => {
    const folder = await cutAfter("ordered", (at) => {
      for (const name of ["renamed", "removed"]) write(join(at, name), name, "bytes", "name");
      write(join(at, "unsynced"), "x");
      mkdirSync(join(at, "folder"));
      renameSync(join(at, "renamed"), join(at, "new-name"));
      unlinkSync(join(at, "removed"));
    });
    const there = ["renamed", "removed", "unsynced", "folder", "new-name"].filter((name) =>
      existsSync(join(folder, name)),
    );
    expect(there).toEqual(["renamed", "removed"]);
  });

  test("keeps what was synced", async () => {
    const folder = await cutAfter("ordered", (at) => {
      write(join(at, "temporary"), "kept", "bytes");
      renameSync(join(at, "temporary"), join(at, "final"));
      syncFolder(at);
    });
    expect(existsSync(join(folder, "temporary"))).toBe(false);
    expect(readFileSync(join(folder, "final"), "utf8")).toBe("kept");
  });

  test.each(["ordered", "writeback"] as const)(
    "leaves an empty file behind a synced name of unsynced bytes (%s)",
    async (mode) => {
      const folder = await cutAfter(mode, (at) => write(join(at, "torn"), "bytes", "name"));
      expect(readFileSync(join(folder, "torn"), "utf8")).toBe("");
    },
  );

  test("leaves what lay there before behind a synced name of unsynced bytes (stale)", async () => {
    const folder = await cutAfter("stale", (at) => {
      write(join(at, "old"), "o".repeat(4096), "bytes", "name");
      unlinkSync(join(at, "old"));
      syncFolder(at);
      for (let n = 0; n < 20; n += 1) write(join(at, `torn${n}`), "new", "name");
    });
    const contents = Array.from({ length: 20 }, (_, n) => readFileSync(join(folder, `torn${n}`), "utf8"));
    expect(contents.filter((text) => text === "new")).toEqual([]);
  });
});
