// spoolway/sdk/http/linked-files: files that an entry or a record of somebody else's names by their addresses, as attachments of its event: only the addresses, or fetched. An
// address may be anything, also one of our own network: so where it may lie is a choice of the user's.
import type { Context, DraftAttachment } from "../../sdk.ts";
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
  // Nor is a redirect to anywhere else followed, where it matters where the file lies.
  const redirect = fetching === "fetch" ? "follow" : "manual";
  const isGone = (): boolean => !ctx.signal.aborted;
  return files.map(({ url, type, size: said = -1, name = lastPartOf(url) }) => {
    // Feeds say -1, 0.5 and the like; an event with that would be refused.
    const size = Number.isSafeInteger(said) && said >= 0 ? said : undefined;
    if (fetching === "link" || (fetching === "same_host" && !isNear(url, home))) {
      const known = { ...(type ? { media_type: type } : {}), ...(size === undefined ? {} : { size }) };
      return { name, url, ...known, omitted: "not_fetched" };
    }
    return { ...remoteFile(ctx, { name, url, mediaType: type, size, isGone, redirect }), url };
  });
}

/** A host that only ends like the other one is somebody else's. */
function isNear(url: string, home: string): boolean {
  const [host, own] = [URL.parse(url)?.hostname, new URL(home).hostname];
  return host === own || host?.endsWith(`.${own}`) === true;
}

function lastPartOf(url: string): string {
  const part = URL.parse(url)?.pathname.split("/").at(-1) ?? "";
  try {
    return decodeURIComponent(part) || "file";
  } catch {
    return part; // a % that encodes nothing
  }
}
