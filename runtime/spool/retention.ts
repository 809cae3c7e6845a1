// Receipts are removed by age; dead letters never are.
import { join } from "node:path";
import { namesIn, remove } from "./disk.ts";
import { fs } from "./fs.ts";

/** Removes receipts in sent/<name>/ older than keepMs, in small steps. Returns how many. */
export async function removeOldReceipts(
  folder: string,
  keepMs: number,
  signal: AbortSignal,
): Promise<number> {
  const oldest = Date.now() - keepMs;
  let removed = 0;
  for await (const names of namesIn(folder)) {
    if (signal.aborted) break;
    for (const name of names) {
      const path = join(folder, name);
      const stat = fs.lstatSync(path, { throwIfNoEntry: false });
      if (stat !== undefined && name.endsWith(".json") && stat.mtimeMs < oldest && remove(path)) removed += 1;
    }
  }
  return removed;
}
