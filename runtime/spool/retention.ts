// Receipts are removed by age; dead letters never are.
import { lstatSync } from "node:fs";
import { opendir } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { remove } from "./disk.ts";

/** Removes receipts in sent/<name>/ older than keepMs, in small steps. Returns how many. */
export async function removeOldReceipts(
  folder: string,
  keepMs: number,
  signal: AbortSignal,
): Promise<number> {
  const oldest = Date.now() - keepMs;
  let removed = 0;
  let seen = 0;
  for await (const { name } of await opendir(folder, { bufferSize: 256 })) {
    if (signal.aborted) break;
    if (++seen % 200 === 0) await nextTurn();
    const path = join(folder, name);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat !== undefined && name.endsWith(".json") && stat.mtimeMs < oldest && remove(path)) removed += 1;
  }
  return removed;
}
