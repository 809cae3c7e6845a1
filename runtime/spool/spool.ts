// Opening a spool: its folders, a proof that its file system can do what the protocol needs, and the sweep of what dead processes left.
import { join } from "node:path";
import { errnoOf, SpoolwayError } from "../errors.ts";
import {
  createFile,
  linkExclusive,
  makeFolder,
  makeFolderDurably,
  move,
  remove,
  syncFile,
  syncFolder,
  writeAll,
} from "./disk.ts";
import { fs } from "./fs.ts";
import { perConnector, shared, spoolPaths, type SpoolPaths } from "./names.ts";
import { isFull, openReserve } from "./reserve.ts";
import { sweepTmp, tmpPath } from "./tmp.ts";

/**
 * Creates what is missing, checks the file system, sweeps tmp/. For the supervisor, before any connector runs. Throws spool_unusable with what
 * does not work, and spool_full.
 */
export async function openSpool(root: string): Promise<void> {
  await makeRoot(root);
  for (const folder of [...perConnector, ...shared]) ensureFolder(join(root, folder));
  await syncFolder(root);
  await sweepTmp(join(root, "tmp"));
  await checkFileSystem(root);
}

/** Makes the reserve of this process, `owner` (a connector's name, or one that none can have). Throws spool_unusable and spool_full. */
export function prepareReserve(root: string, owner: string, bytes: number): void {
  const folder = spoolPaths(root, owner).reserve;
  ensureFolder(folder);
  openReserve(folder, bytes);
}

/** As prepareConnector, for the process that puts messages there: resolves when the folders' own names are on stable storage. Throws spool_write_failed too. */
export async function openConnector(root: string, name: string): Promise<SpoolPaths> {
  const paths = prepareConnector(root, name);
  await Promise.all(perConnector.map((folder) => syncFolder(join(root, folder))));
  return paths;
}

/** Creates a connector's folders and returns all paths it works with. Throws spool_unusable and spool_full. */
export function prepareConnector(root: string, name: string): SpoolPaths {
  const paths = spoolPaths(root, name);
  for (const folder of perConnector) ensureFolder(paths[folder]);
  return paths;
}

async function makeRoot(root: string): Promise<void> {
  try {
    await makeFolderDurably(root);
  } catch (error) {
    // The folder above may be one that we may pass but not read: then its owner has made ours, and that is long on the disk.
    const code = errnoOf(error instanceof SpoolwayError ? error.cause : undefined);
    if (code !== "EACCES" && code !== "EPERM") throw unusable(root, error);
  }
}

function ensureFolder(path: string): void {
  try {
    makeFolder(path);
    // A link here could lead the whole protocol to another file system or to somebody else's folder.
    if (!fs.lstatSync(path).isDirectory()) throw new Error("it is a link or a file, not a folder");
  } catch (error) {
    throw unusable(path, error);
  }
}

function unusable(path: string, error: unknown): SpoolwayError {
  const code = isFull(error) ? "spool_full" : "spool_unusable";
  return new SpoolwayError(code, `${path}: ${(error as Error).message}`, { cause: error });
}

/** Proves on real files that create, write, fsync, link, rename and folder fsync work, and that all folders share one device. */
async function checkFileSystem(root: string): Promise<void> {
  const device = fs.statSync(root).dev;
  for (const folder of [...perConnector, ...shared]) {
    if (fs.statSync(join(root, folder)).dev !== device) {
      throw new SpoolwayError(
        "spool_unusable",
        `${join(root, folder)} lies on another file system than ${root}`,
      );
    }
  }
  const tmp = join(root, "tmp");
  const [first, second, third] = [tmpPath(tmp), tmpPath(tmp), tmpPath(tmp)];
  let step = "create a file";
  try {
    const fd = createFile(first);
    try {
      step = "write";
      writeAll(fd, Buffer.from("check"));
      step = "fsync";
      await syncFile(fd);
    } finally {
      fs.closeSync(fd);
    }
    step = "make a hard link";
    if (!linkExclusive(first, second)) throw new Error("the name was taken");
    if (linkExclusive(first, second)) throw new Error("a link replaced an existing file");
    step = "rename";
    if (!move(first, third)) throw new Error("the file was gone");
    step = "fsync a folder";
    await syncFolder(tmp);
  } catch (error) {
    const reason = errnoOf(error) ?? (error as Error).message;
    const code = isFull(error) ? "spool_full" : "spool_unusable";
    throw new SpoolwayError(code, `cannot ${step} in ${tmp}: ${reason}`, { cause: error });
  } finally {
    for (const path of [first, second, third]) remove(path);
  }
}
