// spoolway/sdk/http/platform-file: a file that an event names by an id, and that has to be asked for: where it is, at a URL (sdk/http/remote-file) or, of a server of our own, on this
// machine's disk. What the platform does not give out leaves the event with `omitted`, since it would be the same the next time.
import { basename, relative, resolve } from "node:path";
import { unescape } from "node:querystring";
import { type Context, type DraftAttachment, reject, type SpoolwayError } from "../../sdk.ts";
import { mediaType } from "../media-type.ts";
import { openRegularFile, streamOf } from "../folder/regular-file.ts";
import { remoteFile } from "./remote-file.ts";

export interface FileFacts {
  /** Undefined: as it is called where it lies. */
  name: string | undefined;
  /** What it is called when not even that is known. */
  kind: string;
  size: number | undefined;
  mediaType: string | undefined;
}

/** A path counts only below the folder that the config names, whatever the server says. */
export type Place = { url: string } | { path: string; folder: string | undefined };

/** `locate` asks the platform; where it throws a reject the bytes are omitted: too_large, or unavailable. Anything else that it throws is thrown. */
export async function platformFile(
  ctx: Pick<Context, "fetch" | "log">,
  { name, kind, size, mediaType: type }: FileFacts,
  locate: () => Promise<Place>,
): Promise<DraftAttachment> {
  const facts = {
    ...(size === undefined ? {} : { size }),
    ...(type === undefined ? {} : { media_type: type }),
  };
  try {
    const place = await locate();
    const called = name ?? basename("url" in place ? unescape(new URL(place.url).pathname) : place.path);
    const seen = type ?? mediaType(called);
    if ("url" in place) return remoteFile(ctx, { name: called, url: place.url, size, mediaType: seen });
    await checkPlace(place.path, place.folder);
    const media = seen === undefined ? {} : { media_type: seen };
    return { ...facts, ...media, name: called, data: streamOf(place.path), omitIfTooLarge: true };
  } catch (error) {
    const { fate, code, message } = error as SpoolwayError;
    if (fate !== "reject") throw error;
    ctx.log.warn("attachment.omitted", { code, error: message });
    return { ...facts, name: name ?? kind, omitted: code === "too_large" ? code : "unavailable" };
  }
}

async function checkPlace(path: string, folder: string | undefined): Promise<void> {
  const within = folder === undefined ? ".." : relative(resolve(folder), resolve(path));
  if (within === "" || within.startsWith("..")) throw reject(`${path} is not below ${folder}`, "unavailable");
  const handle = await openRegularFile(path).catch((error: Error) => {
    throw reject(`cannot read ${path}: ${error.message}`, "unavailable", { cause: error });
  });
  await handle.close();
}
