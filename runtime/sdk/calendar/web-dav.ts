// spoolway/sdk/calendar/web-dav: entries on a WebDAV server (RFC 4918), each a small text at a path: made where nothing is, changed only as it was read, removed. Failures have the fates
// of sdk/http/api.
import { isIP } from "node:net";
import { type Context, reconnect, reject, retry, type SpoolwayError, stop } from "../../sdk.ts";
import { beforehand, type Judge, request } from "../http/api.ts";
import type { Look, Version } from "./versions.ts";

export interface DavLogin {
  /** Where the service is; the login goes nowhere else (see mayAsk). */
  server: string;
  user: string;
  password: string;
}

const judge: Judge = ({ status, text }) => {
  const said = `${status} ${text}`.trim();
  if (status === 401)
    return stop(
      said,
      "Check server, user and password. Many services want a password made for programs (app password).",
    );
  // The server has forgotten so old a token (RFC 6578, 3.2).
  if (text.includes("valid-sync-token")) return reject(said, "stale_token");
  if (status === 412 || status === 423) return retry(said, { hint: "Somebody else is changing it." });
  if (status < 400 || status >= 500 || [408, 413, 425, 429].includes(status)) return undefined;
  return reject(said, status === 404 || status === 410 ? "not_found" : "rejected", {
    hint:
      status === 403
        ? "Has this account the right to do that there?"
        : "conversation_id and target.platform_id are paths on the server, as events have them.",
  });
};

/** A percent-encoded path or address as a path in clear. A slash inside of a name stays %2F, and what is no UTF-8 stays as it is. */
export function pathOf(href: string, base?: string): string {
  return new URL(href, base).pathname.split("/").map(inClear).join("/");
}

function inClear(name: string): string {
  try {
    return decodeURIComponent(name.replaceAll(/%2f/gi, "%252F"));
  } catch {
    return name;
  }
}

/** Of a path in clear. */
const encoded = (path: string): string =>
  path
    .split("/")
    .map((name) => encodeURIComponent(name.toWellFormed()).replaceAll("%252F", "%2F"))
    .join("/");

/**
 * Whether a server may lead us there, with the login: to itself, also from http to https, and over TLS to a neighbour, as caldav.icloud.com does to p42-caldav.icloud.com.
 * Not to an address of somebody's network.
 */
export function mayAsk(where: URL, server: URL): boolean {
  if (where.origin === server.origin) return true;
  if (where.protocol !== "https:" || !["", server.port].includes(where.port)) return false;
  if (where.hostname === server.hostname) return true;
  const parent = server.hostname.split(".").slice(1).join(".");
  // example.org is one; org, co.uk and the 0.0.1 of an address are none.
  const isDomain =
    parent.includes(".") && isIP(server.hostname) === 0 && !/^[a-z]{2,3}\.[a-z]{2}$/.test(parent);
  return isDomain && where.hostname.endsWith(`.${parent}`);
}

const isRefusal = (status: number) => (error: SpoolwayError) => error.message.startsWith(`${status}`);
const [isMissing, isChanged] = [isRefusal(404), isRefusal(412)];

const maxHops = 5;
const elsewhere = "leads_elsewhere";

export class DavServer {
  /** Where the paths are: an address on the host of the collections, once they are found. */
  at: string;
  readonly #ctx: Pick<Context, "fetch">;
  readonly #server: URL;
  /** For a library: its headers and its fetch. */
  readonly access: { headers: Record<string, string>; fetch: typeof fetch };

  constructor(ctx: Pick<Context, "fetch">, { server, user, password }: DavLogin) {
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
    const ask = (input: unknown, init: RequestInit = {}): Promise<Response> => {
      const url = new URL(String(input), server);
      // Where a service is, is in the answer that sends us elsewhere (RFC 6764): the library wants to see it.
      return init.redirect === "manual" ? this.#once(url, init) : this.#request(url, init);
    };
    [this.#ctx, this.#server, this.at] = [ctx, new URL(server), server];
    this.access = { headers: { authorization }, fetch: ask as typeof fetch };
  }

  /**
   * What a library finds by trying several places. It throws the last one's answer ("not found"), which must not hide that the login was refused elsewhere, or the server is away.
   */
  async discover<T>(find: (access: DavServer["access"]) => Promise<T>): Promise<T> {
    let told: SpoolwayError | undefined;
    const fetch: typeof this.access.fetch = (...asked) =>
      this.access.fetch(...asked).catch((error: SpoolwayError) => {
        if (error.fate !== "reject" || error.code === elsewhere) told ??= error;
        throw error;
      });
    return find({ ...this.access, fetch }).catch((error: Error) => {
      const hint =
        "Is `server` the address of such a service? The connector's README has those of the usual ones.";
      throw told ?? reconnect(`nothing is found there: ${error.message}`, { hint, cause: error });
    });
  }

  /** Cheap: is the server there, and does it know us? */
  async check(): Promise<void> {
    const headers = { ...this.access.headers, depth: "0", "content-type": "text/xml; charset=utf-8" };
    const body = `<d:propfind xmlns:d="DAV:"><d:prop><d:resourcetype/></d:prop></d:propfind>`;
    const answer = await this.#request(new URL(this.at), { method: "PROPFIND", headers, body });
    await answer.body?.cancel();
  }

  /** Resolves with its version, where the server says it. `again`: an earlier try may have made it. */
  async create(path: string, type: string, body: string, again: boolean): Promise<string | undefined> {
    try {
      return await this.#put(path, type, body, { "if-none-match": "*" });
    } catch (error) {
      if (!isChanged(error as SpoolwayError)) throw error;
      if (again) return undefined;
      throw reject(`there is something at ${path} already`, "rejected", {
        hint: "Use another id.",
        cause: error,
      });
    }
  }

  /** Reads it and writes what `edit` makes of it, unless somebody else wrote in between (then it is a retry). */
  async change(path: string, type: string, edit: (text: string) => string): Promise<string | undefined> {
    // Compressed on the way it would have another etag, which the server itself does not know ("…-gzip", W/).
    const reading = this.#ask("GET", path, { "accept-encoding": "identity" });
    const before = await beforehand(reading);
    const text = await beforehand(before.text());
    const etag = before.headers.get("etag")?.replace(/^W\//, "");
    return this.#put(path, type, edit(text), etag === undefined ? {} : { "if-match": etag });
  }

  /** `again`: an earlier try may have removed it. */
  async remove(path: string, again: boolean): Promise<void> {
    await this.#ask("DELETE", path).catch((error: SpoolwayError) => {
      if (!again || !isMissing(error)) throw error;
    });
  }

  async #put(
    path: string,
    type: string,
    body: string,
    condition: Record<string, string>,
  ): Promise<string | undefined> {
    const answer = await this.#ask(
      "PUT",
      path,
      { "content-type": `${type}; charset=utf-8`, ...condition },
      body,
    );
    return answer.headers.get("etag") ?? undefined;
  }

  #ask(method: string, path: string, headers: Record<string, string> = {}, body?: string): Promise<Response> {
    const url = new URL(encoded(path), this.at);
    // Also not `..`, which leads to something else than it says.
    if (!path.startsWith("/") || url.origin !== new URL(this.at).origin || pathOf(url.href) !== path)
      throw reject(`${JSON.stringify(path)} is no path on this server`, "invalid_target");
    const init = {
      method,
      headers: { ...this.access.headers, ...headers },
      ...(body === undefined ? {} : { body }),
    };
    return this.#request(url, init);
  }

  #request(url: URL, init: RequestInit): Promise<Response> {
    return request({ fetch: (to, with_) => this.#follow(new URL(to), with_ ?? {}) }, url, init, judge);
  }

  /** As it was asked: fetch itself would leave out the login on the way to https. */
  async #follow(url: URL, init: RequestInit, hops = maxHops): Promise<Response> {
    const answer = await this.#once(url, init);
    const where = answer.headers.get("location");
    if (answer.status < 300 || answer.status >= 400 || where === null || hops === 0) return answer;
    await answer.body?.cancel();
    return this.#follow(new URL(where, url), init, hops - 1);
  }

  #once(url: URL, init: RequestInit): Promise<Response> {
    if (!mayAsk(url, this.#server))
      throw reject(`the server leads to another one: ${url.host}`, elsewhere, {
        hint: "If that is right, put its address into connectors.yml as `server`.",
      });
    return this.#ctx.fetch(url, { ...init, redirect: "manual" });
  }
}

/** An answer of a multistatus, as tsdav gives it. */
export interface DavAnswer {
  href?: string | undefined;
  status: number;
  props?: Record<string, unknown> | undefined;
  raw?: unknown;
}

/** The content of an element, as tsdav gives it: as text. */
export function textOf(content: unknown): string | undefined {
  const inner = typeof content === "object" ? (content as { _cdata?: unknown } | null)?._cdata : content;
  return inner === undefined ? undefined : [inner].flat().map(String).join("");
}

/** Throws for an answer that is none, such as the page of a proxy: taken for one, it would say that nothing is there. */
export function multistatus<A extends DavAnswer>(answers: readonly A[]): readonly A[] {
  const { multistatus: all } = (answers[0]?.raw ?? {}) as { multistatus?: unknown };
  if (all === undefined || all === null) throw reconnect("the answer is no multistatus (RFC 4918)");
  return answers;
}

/**
 * What is there, by sync-collection (RFC 6578); `ask` asks for what came after a token. Without a token all that there is. An answer may be a part of it: then (507 for the
 * collection itself) its token leads to the next part.
 */
export async function lookThrough(
  url: string,
  token: string | undefined,
  ask: (token: string | undefined) => Promise<readonly DavAnswer[]>,
): Promise<Look> {
  const seen = new Map<string, Version & { isGone: boolean }>();
  let at = token;
  for (;;) {
    const answers = multistatus(await ask(at));
    const next = textOf((answers[0]?.raw as Multistatus).multistatus.syncToken) ?? at;
    let isPart = false;
    for (const answer of answers) {
      const [path, isGone] = [pathOf(answer.href ?? "", url), isMissingThere(answer)];
      // The collection itself, or one inside of it.
      if (path.endsWith("/") || `${path}/` === pathOf(url)) isPart ||= answer.status === 507;
      else seen.set(path, { ...versionOf(answer, url), isGone });
    }
    if (isPart && next !== at) {
      at = next;
      continue;
    }
    const all = [...seen.values()];
    return {
      token: next ?? "",
      isWhole: token === undefined,
      there: all.filter(({ isGone }) => !isGone),
      gone: all.filter(({ isGone }) => isGone).map(({ path }) => path),
    };
  }
}

interface Multistatus {
  multistatus: { syncToken?: unknown };
}

const isMissingThere = ({ status }: DavAnswer): boolean => status === 404 || status === 410;

const atOnce = 50;

/** The texts of entries, by multiget; what is gone meanwhile is not among them, and one that the server does not show says why. */
export async function readAll(
  wanted: readonly Version[],
  url: string,
  property: string,
  ask: (hrefs: string[]) => Promise<readonly DavAnswer[]>,
): Promise<Array<Version & { text: string; refused?: string }>> {
  const found = [];
  for (let at = 0; at < wanted.length; at += atOnce) {
    const part = wanted.slice(at, at + atOnce);
    const answers = multistatus(await ask(part.map(({ href }) => href)));
    const byPath = new Map(answers.map((answer) => [pathOf(answer.href ?? "", url), answer]));
    for (const one of part) {
      const answer = byPath.get(one.path);
      const text = textOf(answer?.props?.[property]);
      const refused = `the server does not show it (${answer?.status ?? "no answer"})`;
      if (answer !== undefined && text !== undefined) found.push({ ...one, ...versionOf(answer, url), text });
      else if (answer === undefined || !isMissingThere(answer)) found.push({ ...one, text: "", refused });
    }
  }
  return found;
}

const versionOf = ({ href = "", props }: DavAnswer, base: string): Version => ({
  path: pathOf(href, base),
  href,
  etag: textOf(props?.getetag) ?? "",
});
