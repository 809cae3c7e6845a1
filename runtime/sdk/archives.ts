// spoolway/sdk/archives: what several archives (of an account, of rooms) keep for us, as one `sync`: of each what came after its mark, a page at a time, in order. An
// archive that is seen for the first time begins now: its mark is its newest entry. One that cannot be read takes no other down.
import { type SyncContext, type SyncResult, toSpoolwayError } from "../sdk.ts";

export interface Page {
  /** Delivers one event each; called in order. */
  deliveries: Array<() => Promise<unknown>>;
  /** Where the next page begins; undefined: where this one did. */
  mark: string | undefined;
  isLast: boolean;
}

/** One archive. A mark is any text that its reader understands; "" is the beginning. */
export interface Archive {
  name: string;
  newest(): Promise<string>;
  after(mark: string): Promise<Page>;
}

/** One page of each archive that has more. An archive that is not among them this time keeps its mark. */
export async function syncArchives(
  archives: readonly Archive[],
  since: string | undefined,
  { log, signal }: Pick<SyncContext, "log" | "signal">,
): Promise<SyncResult> {
  const marks = since === undefined ? {} : (JSON.parse(since) as Record<string, string>);
  let more = false;
  for (const archive of archives) {
    const { name } = archive;
    const page = await read(archive, marks[name]).catch((thrown: unknown) => {
      const error = toSpoolwayError(thrown);
      if (signal.aborted || ["reconnect", "stop"].includes(error.fate)) throw error;
      log.warn("archive.unread", { archive: name, error: error.message });
    });
    if (page === undefined) continue;
    // What cannot be written is no matter of this archive: the error goes on, and all marks stay.
    await Promise.all(page.deliveries.map((deliver) => deliver()));
    marks[name] = page.mark ?? marks[name] ?? "";
    more ||= !page.isLast;
  }
  return { cursor: JSON.stringify(marks), more };
}

async function read({ newest, after }: Archive, mark: string | undefined): Promise<Page> {
  return mark === undefined ? { deliveries: [], mark: await newest(), isLast: true } : after(mark);
}
