// Reading small files that people wrote: with a limit of size, never hanging, and failing in words that say what to do.
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { errnoOf } from "../errors.ts";

/** Far above what people write by hand, and parsed in seconds at worst. */
export const maxConfigBytes = 1_048_576;

/** Why a file has no text, with what to do. */
export class UnreadableFile {
  readonly message: string;
  readonly hint: string;
  readonly missing: boolean;
  constructor(message: string, hint: string, missing = false) {
    this.message = message;
    this.hint = hint;
    this.missing = missing;
  }
}

/** The text of a regular UTF-8 file of at most `maxBytes`, without its BOM. Never hangs on a pipe. */
export async function readText(path: string, maxBytes: number): Promise<string | UnreadableFile> {
  let handle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return unreadable(error);
  }
  try {
    const stat = await handle.stat();
    if (stat.isDirectory()) return new UnreadableFile("is a folder, not a file", "Put a file in its place.");
    if (!stat.isFile())
      return new UnreadableFile("is not a regular file", "Put a regular file in its place.");
    if (stat.size > maxBytes) return tooLarge(stat.size, maxBytes);
    const bytes = await handle.readFile();
    // It may have grown since it was measured.
    if (bytes.length > maxBytes) return tooLarge(bytes.length, maxBytes);
    return decode(bytes);
  } catch (error) {
    return unreadable(error);
  } finally {
    await handle.close();
  }
}

function unreadable(error: unknown): UnreadableFile {
  const code = errnoOf(error) ?? "";
  if (code === "ENOENT" || code === "ENOTDIR")
    return new UnreadableFile("does not exist", "Create it.", true);
  if (code === "EACCES" || code === "EPERM") {
    return new UnreadableFile(
      "cannot be read: permission denied",
      "Give the user that runs spoolway permission to read it.",
    );
  }
  return new UnreadableFile(
    `cannot be read: ${code || (error as Error).message}`,
    "Check the file and its disk.",
  );
}

function tooLarge(bytes: number, maxBytes: number): UnreadableFile {
  const size = bytes < 10_000 ? `${bytes} bytes` : `${Math.ceil(bytes / 1024)} KiB`;
  return new UnreadableFile(
    `is ${size} large, at most ${maxBytes / 1024} KiB are allowed; it was not read`,
    "Is it the right file? Move what does not belong in it elsewhere.",
  );
}

function decode(bytes: Buffer): string | UnreadableFile {
  const mark = bytes.subarray(0, 2).toString("hex");
  if (mark === "fffe" || mark === "feff") return new UnreadableFile("is in UTF-16", "Save it as UTF-8.");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    // The decoder's only failure: bytes that are not UTF-8.
    return new UnreadableFile("is not valid UTF-8", "Save it as UTF-8.");
  }
}
