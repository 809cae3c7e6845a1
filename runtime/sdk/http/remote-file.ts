// spoolway/sdk/http/remote-file: a file that the platform keeps at a URL, as an attachment of an event. It is fetched only when the event is new, and streamed; one
// that the platform does not give out (any more) leaves the event with `omitted`, since it would be the same the next time.
import { Readable } from "node:stream";
import { type Context, type DraftAttachment, reconnect, reject } from "../../sdk.ts";

export interface RemoteFile {
  name: string;
  url: string;
  /** With the credentials: only for a URL that is the platform's own, see `platform`. */
  headers?: Record<string, string>;
  /** A URL of the platform's: what lies on a host that is neither this one's nor below it is left out, and nothing is asked of it. */
  platform?: string;
  /** Bytes, where the platform tells. */
  size?: number | undefined;
  mediaType?: string | undefined;
  /** Whether this answer is the file. Default: its status is 2xx. */
  isFile?: (response: Response) => boolean;
  /**
   * Failures that would be the same the next time, besides refusals: where the platform has to fetch it from somebody else, whose server may be gone for ever. Default: none; 429, 5xx and broken
   * connections are worth another try.
   */
  isGone?: (failure: Failure) => boolean;
  /** How long it may fail before it is left out. Default ten minutes: longer, and it would hold up all that follow. */
  patienceMs?: number;
  /** Default manual: no redirect is followed. The credentials are never sent to another host. */
  redirect?: NonNullable<RequestInit["redirect"]>;
}

export interface Failure {
  status?: number;
  /** Of the answer's body. */
  mediaType?: string;
  error?: unknown;
}

/**
 * For isGone, where the platform passes on what other servers keep: they give an error, or nothing at all. The platform says so in JSON: the page of a proxy means that the platform itself is
 * away for now.
 */
export function isElsewhere({ status = 0, mediaType = "", error }: Failure): boolean {
  if (status === 502 || status === 504) return mediaType.startsWith("application/json");
  return (error as Error | undefined)?.name === "TimeoutError";
}

/** The attachment. Its stream rejects with `unavailable` where the platform refuses it, and with reconnect where the connection breaks. */
export function remoteFile({ fetch }: Pick<Context, "fetch">, file: RemoteFile): DraftAttachment {
  const { name, size, mediaType, url, platform } = file;
  if (!URL.canParse(url) || !isBelow(new URL(url), platform))
    return { name, ...(url === "" ? {} : { url }), omitted: "unavailable" };
  return {
    name,
    ...(size === undefined ? {} : { size }),
    ...(mediaType === undefined ? {} : { media_type: mediaType }),
    data: Readable.from(bytesOf(fetch, file), { objectMode: false }),
    omitIfTooLarge: true,
  };
}

/** A host that only ends like the platform's is somebody else's, and what is encrypted there stays so. */
function isBelow({ protocol, hostname }: URL, platform: string | undefined): boolean {
  if (platform === undefined) return true;
  const own = new URL(platform);
  return protocol === own.protocol && (hostname === own.hostname || hostname.endsWith(`.${own.hostname}`));
}

/** For `isFile`: the file of that type, and not the page to log in that some platforms answer with instead. */
export function isNoPage(mediaType = ""): (response: Response) => boolean {
  const isPage = mediaType.startsWith("text/html");
  return ({ ok, headers }) => ok && (isPage || !headers.get("content-type")?.startsWith("text/html"));
}

/** Since when each of the last files could not be fetched, by where it lies (milliseconds of performance.now). */
const failing = new Map<string, number>();
const failingMax = 1000;
const defaultPatienceMs = 600_000;

/** Queries differ each time, where they are signed. */
function placeOf({ url }: RemoteFile): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

/** Notes another failure. The end of a session is none. */
function isHopeless(file: RemoteFile, error: unknown): boolean {
  if ((error as Error).name === "AbortError") return false;
  const { patienceMs = defaultPatienceMs } = file;
  const where = placeOf(file);
  const now = performance.now();
  const since = failing.get(where) ?? now;
  failing.delete(where);
  if (now - since > patienceMs) return true;
  failing.set(where, since);
  const [oldest] = failing.keys();
  if (failing.size > failingMax && oldest !== undefined) failing.delete(oldest);
  return false;
}

async function* bytesOf(fetch: Context["fetch"], file: RemoteFile): AsyncGenerator<Uint8Array> {
  const { url, headers = {}, name, isFile = ({ ok }) => ok, redirect = "manual" } = file;
  const isGone: NonNullable<RemoteFile["isGone"]> = (failure) => file.isGone?.(failure) ?? false;
  try {
    const response = await fetch(url, { headers, redirect });
    const { status, headers: about } = response;
    if (
      (status === 429 || status >= 500) &&
      !isGone({ status, mediaType: about.get("content-type") ?? "" })
    ) {
      await response.body?.cancel();
      throw new Error(`answered ${status}`);
    }
    if (!isFile(response) || response.body === null) {
      await response.body?.cancel();
      throw reject(`the platform does not give out ${name} (${status})`, "unavailable");
    }
    yield* response.body;
    failing.delete(placeOf(file));
  } catch (error) {
    if ((error as { fate?: string }).fate === "reject") throw error;
    if (isGone({ error }) || isHopeless(file, error))
      throw reject(`${name} did not come: ${(error as Error).message}`, "unavailable");
    // Named, or the spool would take the network's ECONNRESET for one of its own disk's errors.
    throw reconnect(`could not fetch ${name}: ${(error as Error).message}`, { cause: error });
  }
}
