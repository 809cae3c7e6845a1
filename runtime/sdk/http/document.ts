// spoolway/sdk/http/document: a document at a URL that is read again and again (a feed): bounded in size and time, and fetched only when it changed since the last time
// (ETag, Last-Modified). Failures have the fates of sdk/http/api, but none is uncertain: what got no answer, or half of one, is reconnect.
import { type Context, reconnect, reject, SpoolwayError, toSpoolwayError } from "../../sdk.ts";
import { type Judge, request } from "./api.ts";

/** What the server said of the version that we have; keep it once that one is dealt with. */
export interface Version {
  etag?: string;
  modified?: string;
}

export interface Reading {
  headers?: Readonly<Record<string, string>>;
  /** The one that we have. */
  version?: Version | undefined;
  maxBytes: number;
  /** For all of it. */
  timeoutMs: number;
  redirect?: NonNullable<RequestInit["redirect"]>;
  judge?: Judge;
}

export interface Document {
  bytes: Uint8Array;
  contentType: string | null;
  /** Where it was found, after redirects. */
  url: string;
  version: Version;
}

/** undefined: as it was. */
export async function readDocument(
  ctx: Pick<Context, "fetch">,
  url: string,
  { headers = {}, version = {}, maxBytes, timeoutMs, redirect = "follow", judge = () => undefined }: Reading,
): Promise<Document | undefined> {
  let isUnchanged = false;
  // To http/api a 304 is a refusal; here it is the usual answer.
  const fetch = async (input: string | URL, init?: RequestInit): Promise<Response> => {
    const response = await ctx.fetch(input, init);
    isUnchanged = response.status === 304;
    return isUnchanged ? new Response(null) : response;
  };
  const conditions = {
    ...(version.etag === undefined ? {} : { "if-none-match": version.etag }),
    ...(version.modified === undefined ? {} : { "if-modified-since": version.modified }),
  };
  const init = { headers: { ...headers, ...conditions }, redirect, signal: AbortSignal.timeout(timeoutMs) };
  const response = await request({ fetch }, url, init, judge).catch(notRead);
  if (isUnchanged) return undefined;
  const [etag, modified] = [response.headers.get("etag"), response.headers.get("last-modified")];
  return {
    bytes: await readAll(response, maxBytes),
    contentType: response.headers.get("content-type"),
    url: response.url === "" ? url : response.url,
    version: { ...(etag === null ? {} : { etag }), ...(modified === null ? {} : { modified }) },
  };
}

/** A request that only reads may have arrived or not. */
function notRead(thrown: unknown): never {
  const { fate, message } = toSpoolwayError(thrown);
  throw fate === "uncertain" ? reconnect(message, { cause: thrown }) : thrown;
}

const hint = "If that is right, raise the limit in connectors.yml (`max_bytes`).";

async function readAll({ body }: Response, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of body ?? []) {
      size += chunk.length;
      if (size > maxBytes)
        throw reject(`the document has more than ${maxBytes} bytes`, "too_large", { hint });
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof SpoolwayError) throw error;
    throw reconnect(`the answer broke off: ${(error as Error).message}`, { cause: error });
  }
  return Buffer.concat(chunks);
}
