// Folders whose files live in memory where the machine has a place for that: for tests of many files, or of many calls, where what a disk keeps is not what is tested.
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSpool } from "../../runtime/spool/spool.ts";
import { atEnd } from "./children.ts";

/** Another place by SPOOLWAY_MEMORY: whoever runs tests that may be killed removes what they leave there. */
const inMemory = process.env.SPOOLWAY_MEMORY ?? "/dev/shm";

/** A new folder, spoolway-<what>-…; whoever asks for it removes it. */
export function memoryFolder(what: string): string {
  const name = `spoolway-${what}-`;
  try {
    accessSync(inMemory, constants.W_OK);
    return mkdtempSync(join(inMemory, name));
  } catch {
    return mkdtempSync(join(tmpdir(), name)); // only slower
  }
}

/** A home with an open spool; removed when the test ends, also when it failed: it may hold a million files. */
export async function memoryHome(): Promise<string> {
  const home = memoryFolder("many");
  atEnd(() => rmSync(home, { recursive: true, force: true }));
  mkdirSync(join(home, "spool"));
  await openSpool(join(home, "spool"));
  return home;
}
