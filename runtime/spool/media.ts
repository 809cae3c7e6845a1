// Attachment bytes: spool/media/<sha256>, written once (I2), streamed in both directions, confined to where attachments may lie.
import { isAbsolute, join, relative, sep } from "node:path";
import { Readable } from "node:stream";
import type { OutgoingAttachment } from "../../schema/types.ts";
import { errnoOf, SpoolwayError } from "../errors.ts";
import { passed } from "../passing-bytes.ts";
import { createFile, linkExclusive, openForReading, remove, syncFile, syncFolder } from "./disk.ts";
import { fs } from "./fs.ts";
import { createSha256 } from "./hash.ts";
import type { SpoolPaths } from "./names.ts";
import { isFull } from "./reserve.ts";
import type { DiskSpace } from "./space.ts";
import { tmpPath } from "./tmp.ts";

export interface StoredMedia {
  sha256: string;
  /** Bytes. */
  size: number;
  /** Relative to the spool: media/<sha256>. */
  path: string;
}

/** Larger ones are let go of later than they come, and a file of 100 MB makes a process grow by more than 30 MB. */
const chunkBytes = 64 * 1024;

/**
 * Stores a stream or bytes under its hash; resolves once durable. Throws too_large beyond maxBytes, spool_full and spool_write_failed; nothing stays behind
 * then.
 */
export async function storeMedia(
  paths: Pick<SpoolPaths, "tmp" | "media">,
  data: Uint8Array | AsyncIterable<unknown>,
  maxBytes: number,
  space?: DiskSpace,
): Promise<StoredMedia> {
  const temp = tmpPath(paths.tmp);
  const hash = createSha256();
  let size = 0;
  let fd: number | undefined;
  try {
    space?.demand(0, 1);
    fd = createFile(temp);
    for await (const chunk of data instanceof Uint8Array ? [data] : data) {
      const bytes = typeof chunk === "string" ? Buffer.from(chunk) : (chunk as Uint8Array);
      size += bytes.length;
      if (size > maxBytes) {
        throw new SpoolwayError("too_large", `an attachment has more than ${maxBytes} bytes`, {
          hint: "Raise runtime.max_attachment_bytes.",
        });
      }
      space?.demand(bytes.length, 0);
      hash.update(bytes);
      await writeFully(fd, bytes);
      passed(bytes.length);
    }
    await syncFile(fd);
    const sha256 = hash.digest("hex");
    const final = join(paths.media, sha256);
    // The same bytes may be there already: used again just now, for whoever removes media by age.
    if (!linkExclusive(temp, final)) fs.utimesSync(final, new Date(), new Date());
    await syncFolder(paths.media);
    return { sha256, size, path: `media/${sha256}` };
  } catch (error) {
    if (error instanceof SpoolwayError || errnoOf(error) === undefined) throw error;
    throw new SpoolwayError(
      isFull(error) ? "spool_full" : "spool_write_failed",
      `could not store an attachment: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  } finally {
    if (fd !== undefined) {
      fs.closeSync(fd);
      remove(temp);
    }
  }
}

/** In the thread pool: an attachment may be large, and waiting for the disk must block nobody. */
async function writeFully(fd: number, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length;) {
    offset += await new Promise<number>((resolve, reject) => {
      fs.write(fd, bytes, offset, bytes.length - offset, null, (error, count) =>
        error ? reject(error) : resolve(count),
      );
    });
  }
}

/**
 * Copies what a drop names into media/, so that it is there as long as the message is. Attachments in media/ already are only checked. Throws
 * attachment_missing, attachment_outside, too_large or spool_full.
 */
export async function captureAttachment(
  paths: SpoolPaths,
  attachment: OutgoingAttachment,
  maxBytes: number,
  space?: DiskSpace,
): Promise<OutgoingAttachment> {
  const { fd, inMedia } = openConfined(paths, attachment.path);
  try {
    const stat = fs.fstatSync(fd);
    if (!stat.isFile())
      throw new SpoolwayError("attachment_missing", `${attachment.path} is no regular file`);
    // As for a drop: what has a second name may be somebody else's file.
    if (inMedia === undefined && stat.nlink > 1)
      throw new SpoolwayError("attachment_outside", `${attachment.path} is a hard link`);
    if (stat.size > maxBytes) {
      throw new SpoolwayError(
        "too_large",
        `${attachment.path} has ${stat.size} bytes, at most ${maxBytes} are allowed`,
      );
    }
    const name = attachment.name ?? attachment.path.split("/").at(-1) ?? "attachment";
    if (inMedia !== undefined)
      return { ...attachment, name, path: `media/${inMedia}`, sha256: inMedia, size: stat.size };
    const stored = await storeMedia(paths, chunksOf(fd), maxBytes, space);
    return { ...attachment, name, ...stored };
  } finally {
    fs.closeSync(fd);
  }
}

/** The bytes of a captured attachment. The stream errors with attachment_missing when somebody removed them. */
export function openMedia(paths: Pick<SpoolPaths, "media">, attachment: OutgoingAttachment): Readable {
  const sha256 = /^media\/([0-9a-f]{64})$/.exec(attachment.path)?.[1];
  if (sha256 === undefined)
    throw new SpoolwayError("attachment_outside", `${attachment.path} is not in media/`);
  const path = join(paths.media, sha256);
  return Readable.from(
    (async function* () {
      let fd: number;
      try {
        fd = openForReading(path);
      } catch (error) {
        throw new SpoolwayError("attachment_missing", `${attachment.path}: ${errnoOf(error)}`, {
          cause: error,
        });
      }
      try {
        yield* chunksOf(fd);
      } finally {
        fs.closeSync(fd);
      }
    })(),
    { objectMode: false },
  );
}

async function* chunksOf(fd: number): AsyncGenerator<Buffer> {
  for (let position = 0; ;) {
    const buffer = Buffer.allocUnsafe(chunkBytes);
    const length = await new Promise<number>((resolve, reject) => {
      fs.read(fd, buffer, 0, chunkBytes, position, (error, count) =>
        error ? reject(error) : resolve(count),
      );
    });
    if (length === 0) return;
    position += length;
    passed(length);
    yield buffer.subarray(0, length);
  }
}

/** What an attachment itself may be the cause of. */
const ownErrors = new Set(["ENOENT", "ENOTDIR", "EACCES", "EPERM", "ENXIO", "ENAMETOOLONG", "EAGAIN"]);

/** Opens a path that must lie below outbox/<name>/ or be media/<sha256>; no component may be a link. */
function openConfined(paths: SpoolPaths, path: string): { fd: number; inMedia: string | undefined } {
  if (path.includes("\0")) throw new SpoolwayError("attachment_outside", "an attachment's path holds a NUL");
  const outside = (): SpoolwayError =>
    new SpoolwayError("attachment_outside", `${path} is neither beside the drop nor in media/`);
  const inMedia = /^media\/([0-9a-f]{64})$/.exec(path)?.[1];
  const base = inMedia === undefined ? paths.outbox : paths.media;
  const below = inMedia ?? (isAbsolute(path) ? relative(paths.outbox, path) : path);
  const parts = below.split(sep);
  if (below === "" || isAbsolute(below) || parts.some((part) => part === ".." || part === "." || part === ""))
    throw outside();
  try {
    let at = base;
    for (const part of parts) {
      at = join(at, part);
      if (fs.lstatSync(at).isSymbolicLink()) throw outside();
    }
    if (!fs.lstatSync(at).isFile())
      throw new SpoolwayError("attachment_missing", `${path} is no regular file`);
    const fd = openForReading(at);
    try {
      // RACE: a parent may have become a link between the look and the open; the descriptor's own path tells.
      const real =
        process.platform === "linux" ? fs.readlinkSync(`/proc/self/fd/${fd}`) : fs.realpathSync(at);
      if (real !== join(fs.realpathSync(base), ...parts)) throw outside();
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
    return { fd, inMedia };
  } catch (error) {
    if (error instanceof SpoolwayError) throw error;
    const code = errnoOf(error);
    if (code === "ELOOP") throw outside();
    // A lack of descriptors or a bad disk says nothing of the attachment: the message must not be given up for it.
    if (!ownErrors.has(code ?? "")) {
      throw new SpoolwayError("spool_write_failed", `could not open ${path}: ${(error as Error).message}`, {
        cause: error,
      });
    }
    throw new SpoolwayError("attachment_missing", `${path}: ${code ?? (error as Error).message}`, {
      cause: error,
    });
  }
}
