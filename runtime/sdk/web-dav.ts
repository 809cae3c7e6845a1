// spoolway/sdk/web-dav: entries on a WebDAV server (RFC 4918), each a small text at a path: made where nothing is, changed only as it was read, removed. Failures have the fates
// of sdk/http-api.
import { type Context, reject, retry, type SpoolwayError, stop } from "../sdk.ts";
import { type Judge, request } from "./http-api.ts";
import type { Look, Version } from "./versions.ts";

export interface DavLogin {
  /** Where the service is; nothing elsewhere is ever asked. */
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
  if (status === 412) return retry(said, { hint: "Somebody else changed it in the same moment." });
  if (status < 400 || status >= 500 || status === 413 || status === 429) return undefined;
  return reject(said, status === 404 ? "not_found" : "rejected", {
    hint: "conversation_id and target.platform_id are paths on the server, as events have them.",
  });
};

/** A percent-encoded path or address as a path in clear. */
export const pathOf = (href: string, base?: string): string => decodeURI(new URL(href, base).pathname);

const isRefusal = (status: number) => (error: SpoolwayError) => error.message.startsWith(`${status}`);
const [isMissing, isChanged] = [isRefusal(404), isRefusal(412)];

export class DavServer {
  readonly #ctx: Pick<Context, "fetch">;
  readonly #server: string;
  /** For a library: its headers and its fetch. */
  readonly access: { headers: Record<string, string>; fetch: typeof fetch };

  constructor(ctx: Pick<Context, "fetch">, { server, user, password }: DavLogin) {
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
    const ask = (input: unknown, init: RequestInit = {}): Promise<Response> =>
      request(ctx, new URL(String(input), server), init, judge);
    [this.#ctx, this.#server] = [ctx, server];
    this.access = { headers: { authorization }, fetch: ask as typeof fetch };
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
    const before = await this.#ask("GET", path);
    const etag = before.headers.get("etag");
    return this.#put(path, type, edit(await before.text()), etag === null ? {} : { "if-match": etag });
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
    const url = new URL(encodeURI(path), this.#server);
    if (!path.startsWith("/") || url.origin !== new URL(this.#server).origin)
      throw reject(`${JSON.stringify(path)} is no path on this server`, "invalid_target");
    const init = {
      method,
      headers: { ...this.access.headers, ...headers },
      ...(body === undefined ? {} : { body }),
    };
    return request(this.#ctx, url, init, judge);
  }
}

/** An answer of a multistatus, as tsdav gives it. */
export interface DavAnswer {
  href?: string | undefined;
  status: number;
  props?: Record<string, unknown> | undefined;
  raw?: unknown;
}

/** The answers to a sync-collection, or to the question for all that there is (no `token`). */
export function lookOf(answers: readonly DavAnswer[], url: string, token: string | undefined): Look {
  const raw = answers[0]?.raw as { multistatus?: { syncToken?: unknown } } | undefined;
  const entries = answers.filter(({ href = "" }) => pathOf(href, url) !== pathOf(url));
  return {
    token: String(raw?.multistatus?.syncToken ?? token ?? ""),
    isWhole: token === undefined,
    there: entries.filter(({ status }) => status !== 404).map((one) => versionOf(one, url)),
    gone: entries.filter(({ status }) => status === 404).map(({ href = "" }) => pathOf(href, url)),
  };
}

/** The entries in the answers to a multiget; what is gone meanwhile is not among them. */
export function textsIn(
  answers: readonly DavAnswer[],
  url: string,
  property: string,
): Array<Version & { text: string }> {
  return answers.flatMap((answer) => {
    const data = answer.props?.[property] as { _cdata?: string } | string | undefined;
    const text = typeof data === "object" ? data._cdata : data;
    return text === undefined ? [] : [{ ...versionOf(answer, url), text: String(text) }];
  });
}

const versionOf = ({ href = "", props }: DavAnswer, base: string): Version => ({
  path: pathOf(href, base),
  etag: String(props?.getetag),
});
