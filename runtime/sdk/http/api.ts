// spoolway/sdk/http/api: requests to a platform's HTTP API, whose failures are errors with the right fate. What a refusal means is the platform's business (`judge`);
// what every HTTP API has in common is here:
//
//   not reachable                    reconnect: certainly not sent
//   no answer, or half of one        uncertain: it may have arrived; also 502 and 504, where a proxy stands before the platform
//   429                              rate_limited, as long as Retry-After says
//   408, 425, other 5xx              retry, after Retry-After where given
//   413                              reject with too_large
//   3xx                              reconnect: what answers there is not the API, and the credentials go nowhere else (JsonApi)
//   all else that is no 2xx          reject, with the platform's words
import { isDeepStrictEqual } from "node:util";
import { hintFor, SpoolwayError, toSpoolwayError } from "../../errors.ts";
import { type Context, rateLimited, reconnect, reject, retry, stop, uncertain } from "../../sdk.ts";

/** An answer that is no 2xx. */
export interface Refusal {
  status: number;
  /** Its JSON, or {} where it is none. */
  body: Record<string, unknown>;
  /** The start of its body. */
  text: string;
  /** What Retry-After says. */
  retryAfterMs: number | undefined;
  /** Where a redirect points to. */
  location?: string | undefined;
}

/** What a refusal means on this platform; undefined for what its status says. */
export type Judge = (refusal: Refusal) => SpoolwayError | undefined;

type Fetching = Pick<Context, "fetch">;

const quotedChars = 500;
const maxRefusalBytes = 64 * 1024;
const defaultWaitMs = 30_000;
/** Longer than any server holds a request in which nothing happens. */
const readMaxMs = 120_000;
const minWaitMs = 100;
const maxWaitMs = 24 * 3_600_000;

/** Those that are undefined are left out. */
export type Query = Record<string, string | number | undefined>;

export interface Ask {
  query?: Query;
  /** A body of JSON, or another one with its headers (sdk/http/upload, sdk/http/multipart). */
  json?: unknown;
  body?: RequestInit;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** Every path of one API, which speaks JSON.  */
export class JsonApi {
  readonly #ctx: Fetching;
  readonly #base: string;
  /** With each request. */
  readonly headers: Readonly<Record<string, string>>;
  readonly #judge: Judge;

  constructor(ctx: Fetching, base: string, headers: Readonly<Record<string, string>>, judge: Judge) {
    this.#ctx = ctx;
    this.#base = base;
    this.headers = headers;
    this.#judge = judge;
  }

  /** The answer's JSON; undefined where it has no body. */
  async call<T>(method: string, where: string, { query, json, body, headers, signal }: Ask = {}): Promise<T> {
    const isJson = json !== undefined;
    const init: RequestInit = {
      ...body,
      method,
      // Followed, fetch would drop the credentials on the way to another host, and that host would say that they are missing.
      redirect: "manual",
      headers: {
        ...(isJson ? { "content-type": "application/json" } : {}),
        ...(body?.headers as object),
        ...this.headers,
        ...headers,
      },
      ...(isJson ? { body: JSON.stringify(json) } : {}),
      ...(signal === undefined ? {} : { signal }),
    };
    const judge: Judge = (refusal) => redirected(refusal) ?? this.#judge(refusal);
    const response = await request(this.#ctx, this.url(where, query), init, judge);
    try {
      const text = await response.text();
      return (text === "" ? undefined : JSON.parse(text)) as T;
    } catch (error) {
      throw uncertain(`the answer broke off, or is no JSON: ${(error as Error).message}`, { cause: error });
    }
  }

  /** A GET whose failures only mean that the connection is lost, see `reading`. */
  read<T>(where: string, query: Query = {}, signal = AbortSignal.timeout(readMaxMs)): Promise<T> {
    return reading(this.call<T>("GET", where, { query, signal }));
  }

  /** As read; undefined where the platform says that there is no such thing for us (reject). */
  find<T>(where: string, query: Query = {}): Promise<T | undefined> {
    const isRefused = (thrown: unknown): undefined => {
      if (toSpoolwayError(thrown).fate !== "reject") throw thrown;
    };
    const signal = AbortSignal.timeout(readMaxMs);
    return reading(this.call<T>("GET", where, { query, signal }).catch(isRefused));
  }

  /** Page after page, the next as `next` says after each. Ends without a next, one that stays the same, or a page that is refused, which is logged. */
  async *pages<T>(
    ctx: Pick<Context, "log">,
    where: string,
    first: Query,
    next: (page: T) => Query | undefined,
  ) {
    for (
      let query: Query | undefined = first, before: Query | undefined;
      query !== undefined && !isDeepStrictEqual(query, before);
    ) {
      const page: T | undefined = await this.find<T>(where, query);
      if (page === undefined) return ctx.log.warn("page.refused", { where });
      yield page;
      before = query;
      query = next(page);
    }
  }

  url(where: string, query: Query = {}): string {
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const asked = new URLSearchParams(given.map(([key, value]) => [key, String(value)]));
    return `${this.#base.replace(/\/+$/, "")}${where}${asked.size > 0 ? `?${asked}` : ""}`;
  }
}

/** "/rooms/%23a/x" of path`/rooms/${room}/x`: what is filled in is encoded, and stays one segment. */
export function path(parts: TemplateStringsArray, ...values: string[]): string {
  return String.raw({ raw: parts }, ...values.map(segment));
}

/** In a URL "." and ".." walk, also when they are encoded: encoded twice they are a name that nothing has. */
function segment(value: string): string {
  return /^\.\.?$/.test(value) ? value.replaceAll(".", "%252E") : encodeURIComponent(value);
}

function redirected({ status, location }: Refusal): SpoolwayError | undefined {
  if (status < 300 || status > 399) return undefined;
  const hint = "Put the address where the API itself is into connectors.yml.";
  return reconnect(`${status}: a redirect${location === undefined ? "" : ` to ${location}`}`, { hint });
}

/** A 2xx answer, whose body is not read yet. Throws as the head of this file says. */
export async function request(
  ctx: Fetching,
  url: string | URL,
  init: RequestInit,
  judge: Judge,
): Promise<Response> {
  const response = await ctx.fetch(url, init).catch(noAnswer);
  if (response.ok) return response;
  const text = await readStart(response);
  const retryAfterMs = parseRetryAfter(response.headers.get("retry-after"));
  const refusal = {
    status: response.status,
    body: asObject(text),
    text: text.slice(0, quotedChars),
    retryAfterMs,
    location: response.headers.get("location") ?? undefined,
  };
  throw judge(refusal) ?? byStatus(refusal);
}

function noAnswer(thrown: unknown): never {
  const error = toSpoolwayError(thrown);
  if (error.code === "unreachable") throw reconnect(error.message, { cause: thrown });
  throw thrown instanceof SpoolwayError
    ? thrown
    : uncertain(`no answer: ${error.message}`, { cause: thrown });
}

/** What a status means everywhere. `words`: the platform's own, where its answers have a field for them. */
export function byStatus({ status, text, retryAfterMs }: Refusal, words = text): SpoolwayError {
  const message = `${status}${words.trim() === "" ? "" : ` ${words.trim()}`}`;
  if (status === 429) return rateLimited(message, retryAfterMs ?? defaultWaitMs);
  if (status === 502 || status === 504) return uncertain(message);
  if (status === 408 || status === 425 || status >= 500)
    return retry(message, retryAfterMs === undefined ? {} : { retryAfterMs });
  return reject(message, status === 413 ? "too_large" : "rejected");
}

/**
 * For a request that only reads: whatever went wrong, it is asked again in the next session; only `stop` and `rate_limited` mean more. A code's own hint is about a message, and
 * there is none.
 */
export function reading<T>(answer: Promise<T>): Promise<T> {
  return answer.catch((thrown: unknown) => {
    const error = toSpoolwayError(thrown);
    if (error.fate === "stop" || error.fate === "rate_limited") throw error;
    const ownHint = error.hint === hintFor(error.code) ? {} : { hint: error.hint };
    throw reconnect(error.message, { ...ownHint, cause: thrown });
  });
}

export interface Rules {
  /** The platform's code and its own words, of the answer's JSON. */
  code: (body: Record<string, unknown>) => unknown;
  words: (body: Record<string, unknown>) => unknown;
  /** Milliseconds, where the answer says how long to wait. */
  waitMs?: (body: Record<string, unknown>) => unknown;
  /** By code, else by status, as regular expressions of the whole: what a person can do, where nothing works before … */
  stop: Readonly<Record<string, string>>;
  /** … and where only this message cannot be sent. */
  reject: Readonly<Record<string, string>>;
}

/** A judge of rules; what they do not name is judged by its status. */
export function judgeBy(rules: Rules): Judge {
  return (refusal) => {
    const { status, body, text } = refusal;
    const [code, words, waitMs] = [rules.code(body), rules.words(body), rules.waitMs?.(body)];
    const said = [code, words].filter((one) => typeof one === "string").join(": ") || text;
    const hintOf = (hints: Rules["stop"], one: string): string | undefined =>
      Object.entries(hints).find(([rule]) => new RegExp(`^(?:${rule})$`).test(one))?.[1];
    const hintIn = (hints: Rules["stop"]): string | undefined =>
      hintOf(hints, String(code)) ?? hintOf(hints, String(status));
    const [fatal, hint] = [hintIn(rules.stop), hintIn(rules.reject)];
    if (fatal !== undefined) return stop(`${status} ${said}`, fatal);
    if (hint !== undefined) return reject(`${status} ${said}`, "rejected", { hint });
    return byStatus(
      typeof waitMs === "number" ? { ...refusal, retryAfterMs: bounded(waitMs) } : refusal,
      said,
    );
  };
}

/** For a request that comes before the one that sends (an upload): whatever went wrong, nothing was sent. */
export function beforehand<T>(answer: Promise<T>): Promise<T> {
  return answer.catch((thrown: unknown) => {
    const error = toSpoolwayError(thrown);
    throw error.fate === "uncertain" ? retry(error.message, { cause: thrown }) : thrown;
  });
}

/** Milliseconds until a Retry-After (seconds, or an HTTP date), at least 100 ms and at most a day. undefined without a valid one. */
export function parseRetryAfter(header: string | null, nowMs = Date.now()): number | undefined {
  if (header === null) return undefined;
  const ms = /^\s*\d+(\.\d+)?\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return Number.isNaN(ms) ? undefined : bounded(ms);
}

/** A wait of nothing would be a busy loop, and one that no timer can hold as well. */
const bounded = (ms: number): number => Math.min(maxWaitMs, Math.max(minWaitMs, Math.ceil(ms)));

async function readStart({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of body ?? []) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > maxRefusalBytes) break; // leaving the loop cancels the rest
    }
  } catch {
    // The status has said what became of the request; only the wording is lost.
  }
  return Buffer.concat(chunks).toString("utf8");
}

function asObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {}; // a proxy's page, perhaps
  }
}
