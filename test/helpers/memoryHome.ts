// A home whose files live in memory where the machine has a folder for that: for tests of many files, where the disk's speed is not what is tested.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSpool } from "../../runtime/spool/spool.ts";
import { atEnd } from "./children.ts";

const inMemory = "/dev/shm";

/** A home with an open spool; removed when the test ends, also when it failed: it may hold a million files. */
export async function memoryHome(): Promise<string> {
  const home = mkdtempSync(join(existsSync(inMemory) ? inMemory : tmpdir(), "spoolway-many-"));
  atEnd(() => rmSync(home, { recursive: true, force: true }));
  mkdirSync(join(home, "spool"));
  await openSpool(join(home, "spool"));
  return home;
}
