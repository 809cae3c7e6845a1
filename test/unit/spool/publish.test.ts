// Publishing on a disk whose fsync fails: one fresh file, and the one whose fsync failed is never trusted again.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { type FileSystem, realFileSystem, useFileSystem } from "../../../runtime/spool/fs.ts";
import { publishOne } from "../../../runtime/spool/publish.ts";

let tmp: string;
let folder: string;

beforeEach(() => {
  const root = mkdtempSync(join(tmpdir(), "spoolway-publish-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  [tmp, folder] = [join(root, "tmp"), join(root, "sent")];
  for (const path of [tmp, folder]) mkdirSync(path);
});

/** The inodes of the files that were synced, and of those for which that failed. */
interface Inodes {
  synced: number[];
  failed: number[];
}

/** A disk that answers the first `failures` fsyncs with EIO. */
function disk(failures: number): Inodes {
  const inodes: Inodes = { synced: [], failed: [] };
  const paths = new Map<number, string>();
  const openSync: FileSystem["openSync"] = (path, flags, mode) => {
    const fd = realFileSystem.openSync(path, flags, mode);
    paths.set(fd, String(path));
    return fd;
  };
  const fsync = (fd: number, done: (error: Error | null) => void): void => {
    const { ino } = realFileSystem.fstatSync(fd);
    if (inodes.failed.length < failures) {
      inodes.failed.push(ino);
      // Kept open: the number of a file that is gone would be given to the next one.
      const kept = realFileSystem.openSync(paths.get(fd) ?? "", "r");
      onTestFinished(() => realFileSystem.closeSync(kept));
      setImmediate(done, Object.assign(new Error("EIO: i/o error, fsync"), { code: "EIO" }));
      return;
    }
    inodes.synced.push(ino);
    realFileSystem.fsync(fd, done);
  };
  onTestFinished(useFileSystem({ ...realFileSystem, openSync, fsync: fsync as FileSystem["fsync"] }));
  return inodes;
}

test("a failed fsync gets one fresh file, and the one that failed is not what is published", async () => {
  const { synced, failed } = disk(1);
  expect(await publishOne(tmp, folder, "a.json", Buffer.from("{}"))).toBe(true);
  expect(readFileSync(join(folder, "a.json"), "utf8")).toBe("{}");
  const { ino } = statSync(join(folder, "a.json"));
  expect(failed).toHaveLength(1);
  expect(failed).not.toContain(ino);
  expect(synced).toContain(ino);
  expect(readdirSync(tmp)).toEqual([]);
});

test("a second failed fsync is said, and nothing is left of either file", async () => {
  const { synced, failed } = disk(2);
  await expect(publishOne(tmp, folder, "a.json", Buffer.from("{}"))).rejects.toMatchObject({
    code: "spool_write_failed",
  });
  expect(new Set(failed).size, "two files").toBe(2);
  expect(synced).toEqual([]);
  expect([readdirSync(tmp), readdirSync(folder)]).toEqual([[], []]);
});
