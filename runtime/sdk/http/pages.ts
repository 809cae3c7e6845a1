// spoolway/sdk/http/pages: lists that a platform gives out in pieces, each naming the cursor of the next; and waiting where it asks to, for what nobody else waits for.
import { sleep, SpoolwayError } from "../../sdk.ts";

export interface Page<Item> {
  items: Item[];
  /** Undefined or "": that was the last. */
  next?: string | undefined;
}

/** Everything, page after page. Throws what `read` throws, and where a platform repeats a cursor, which would go on for ever. */
export async function allPages<Item>(
  read: (cursor: string | undefined) => Promise<Page<Item>>,
): Promise<Item[]> {
  const items: Item[] = [];
  const seen = new Set<string>();
  for (let cursor: string | undefined; ;) {
    const page = await read(cursor);
    items.push(...page.items);
    if (!page.next) return items;
    if (seen.has(page.next)) throw new Error("the platform gave the same page twice");
    seen.add(page.next);
    cursor = page.next;
  }
}

/** How a request is made that nobody else waits for: `patiently`, for one. */
export type Patience = <T>(ask: () => Promise<T>) => Promise<T>;

/** Does it again each time that the platform asked to wait, after that time. `onWait` is told before. Throws everything else, and whatever it was when the signal aborts. */
export async function patiently<T>(
  work: () => Promise<T>,
  signal: AbortSignal,
  onWait: (ms: number) => void = () => undefined,
): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const waitMs =
        error instanceof SpoolwayError && error.fate === "rate_limited" ? error.retryAfterMs : undefined;
      if (waitMs === undefined || signal.aborted) throw error;
      onWait(waitMs);
      await sleep(waitMs, signal);
    }
  }
}
