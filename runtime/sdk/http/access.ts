// spoolway/sdk/http/access: how the addresses of a config are read: a login, headers or parameters that all of them need. They are secrets: where they go is only the address that the
// user wrote, so with headers or parameters no redirect is followed (a login is dropped by fetch itself on the way to another host).
import { reject, stop } from "../../sdk.ts";
import { byStatus, type Judge } from "./api.ts";
import { STATUS_CODES } from "./node-http.ts";

export interface Access {
  login?: { username: string; password: string };
  headers?: Readonly<Record<string, string>>;
  query?: Readonly<Record<string, string>>;
}

export interface Address {
  url: string;
  headers: Record<string, string>;
  redirect: "follow" | "manual";
  judge: Judge;
}

/** The address with all that it needs, and what a refusal means; nothing of either is in the errors. */
export function accessTo(url: string, { login, headers, query = {} }: Access): Address {
  // In one case: fetch would join an Authorization to our authorization.
  const own = Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]);
  const where = new URL(url);
  for (const [name, value] of Object.entries(query)) where.searchParams.set(name, value);
  const secret = `${login?.username}:${login?.password}`;
  const basic = login ? { authorization: `Basic ${Buffer.from(secret).toString("base64")}` } : {};
  const isBound = headers !== undefined || Object.keys(query).length > 0;
  return {
    url: where.href,
    headers: { "user-agent": "Spoolway", ...basic, ...Object.fromEntries(own) },
    redirect: isBound ? "manual" : "follow",
    judge,
  };
}

const wrongAddress = "Open the address in a browser, and put the right one into connectors.yml.";

const judge: Judge = (refusal) => {
  const { status } = refusal;
  if (status === 401 || status === 403)
    return stop(
      `${status} ${STATUS_CODES[status]}`,
      "Put the login that it wants into connectors.yml: `login`, `headers` or `query`.",
    );
  const moved = "moved elsewhere: put the new address into connectors.yml";
  const error = byStatus(refusal, status >= 300 && status < 400 ? moved : STATUS_CODES[status]);
  return error.fate === "reject" ? reject(error.message, error.code, { hint: wrongAddress }) : error;
};
