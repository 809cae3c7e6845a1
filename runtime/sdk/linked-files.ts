// spoolway/sdk/linked-files: files that an entry or a record of somebody else's names by their addresses, as attachments of its event: only the addresses, or fetched. An
// address may be anything, also one of our own network: so where it may lie is a choice of the user's.
import type { Context, DraftAttachment } from "../sdk.ts";
import { remoteFile } from "./remote-file.ts";

export interface LinkedFile {
  url: string;
  name: string | undefined;
  type: string | undefined;
  /** Bytes. */
  size: number | undefined;
}

/** link: none is fetched; same_host: those on the host that names them, or below it; fetch: all. */
export type Fetching = "link" | "same_host" | "fetch";

/** `home`: the address of what names them. One that does not come has `omitted` and keeps its address: a host that is gone for ever holds nothing up. */
export function linkedFiles(
  ctx: Pick<Context, "fetch" | "signal">,
  files: readonly LinkedFile[],
  fetching: Fetching,
  home: string,
): DraftAttachment[] {
  return files.map(({ url, type, size, name = lastPartOf(url) }) => {
    if (fetching === "link") {
      const known = {
        ...(type ? { media_type: type } : {}),
        ...(Number.isInteger(size) ? { size: size ?? 0 } : {}),
      };
      return { name, url, ...known, omitted: "not_fetched" };
    }
    const place =
      fetching === "same_host" ? { host: new URL(home).hostname } : { redirect: "follow" as const };
    const isGone = (): boolean => !ctx.signal.aborted;
    return { ...remoteFile(ctx, { name, url, mediaType: type, size, isGone, ...place }), url };
  });
}

function lastPartOf(url: string): string {
  const part = URL.parse(url)?.pathname.split("/").at(-1) ?? "";
  try {
    return decodeURIComponent(part) || "file";
  } catch {
    return part; // a % that encodes nothing
  }
}
