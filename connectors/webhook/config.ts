// The connector's settings as the manifest describes them, and the checks that a JSON Schema cannot say: what is unsafe or contradictory
// stops the connector with a hint, before it listens.
import { isIP } from "node:net";
import { SpoolwayError, stop } from "spoolway/sdk";
import type { Config as Manifested } from "./manifest.d.ts";

/** What connectors.yml may say. Defaults stand in the manifest; readConfig does not rely on their having been applied. */
export type Config = Pick<Manifested, "port"> &
  Partial<Omit<Manifested, "verify">> & { verify?: VerifyConfig };

type Verify = NonNullable<Manifested["verify"]>;
/** `tolerance` is in seconds. */
export type VerifyConfig = Omit<Verify, "tolerance"> & Partial<Verify>;
export type Scheme = Verify["scheme"];
/** What a part of the body may become. */
export type Field = keyof NonNullable<Manifested["map"]>;

/** The settings with every default applied and everything derived from them. */
export interface Settings {
  port: number;
  host: string;
  /** Whether only this machine can reach it. */
  loopback: boolean;
  /** Where events are posted, as configured … */
  path: string;
  /** … and with a slash at its end: what lies below it. */
  base: string;
  maxBodyBytes: number;
  map: Partial<Record<Field, string>>;
  keyHeader: string | undefined;
  verify: VerifyConfig;
  corsOrigins: readonly string[];
  allowedHosts: readonly string[];
  maxConnections: number;
  /** Whether there is a stream that anyone could be allowed to read. */
  stream: boolean;
  streamToken: string | undefined;
  streamHistory: number;
  maxStreams: number;
  page: boolean;
  url: URL | undefined;
  headers: Record<string, string>;
  signSecrets: readonly string[];
  timeoutMs: number;
}

/** Throws (fate stop, code config_invalid) where the settings cannot be used or would be unsafe. */
export function readConfig(config: Config): Settings {
  const host = config.host ?? "127.0.0.1";
  const loopback = isLoopback(host);
  const verify = config.verify ?? { scheme: "none" };
  const path = config.path ?? "/";
  if (verify.scheme === "none" && !loopback && config.allow_unverified !== true) {
    throw invalid(
      `host ${host} is reachable from other machines and verify.scheme is none`,
      "Set verify (bearer, standard, github, slack, stripe), or host: 127.0.0.1, or allow_unverified: true if anyone may post.",
    );
  }
  // A signed request proves its body; a reader of the stream has nothing to sign, so the stream needs a token of its own.
  const readable =
    verify.scheme === "none" || verify.scheme === "bearer" || config.stream_token !== undefined;
  const stream = (config.stream ?? true) && readable;
  return {
    port: config.port,
    host,
    loopback,
    path,
    base: path.endsWith("/") ? path : `${path}/`,
    maxBodyBytes: config.max_body ?? 1_048_576,
    map: config.map ?? {},
    keyHeader: config.key_header?.toLowerCase(),
    verify,
    corsOrigins: (config.cors_origins ?? []).map((origin) => origin.toLowerCase()),
    allowedHosts: (config.allowed_hosts ?? []).map((name) => name.toLowerCase()),
    maxConnections: config.max_connections ?? 1024,
    stream,
    streamToken: config.stream_token,
    streamHistory: config.stream_history ?? 100,
    maxStreams: config.max_streams ?? 100,
    page:
      (config.page ?? true) &&
      stream &&
      loopback &&
      verify.scheme === "none" &&
      config.stream_token === undefined,
    url: config.url === undefined ? undefined : readUrl(config.url),
    headers: readHeaders(config.headers ?? {}),
    signSecrets: config.sign === undefined ? [] : [config.sign.secret, ...(config.sign.secrets ?? [])],
    timeoutMs: (config.timeout_s ?? 20) * 1000,
  };
}

/** Whether a host name or address means this machine only. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, "$1");
  return name === "localhost" || name === "::1" || (isIP(name) === 4 && name.startsWith("127."));
}

/** The configuration cannot be used; the connector waits until it changes. */
export function invalid(message: string, hint: string): SpoolwayError {
  return stop(message, hint, "config_invalid");
}

// The URL may hold a token, so no message repeats it.
function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) throw invalid("url is not a valid URL", "Write it whole: https://example.org/hook");
  if (url.username !== "" || url.password !== "") {
    throw invalid("url holds a user name or password", "Put it into headers: {Authorization: Basic …}.");
  }
  return url;
}

function readHeaders(headers: Record<string, string>): Record<string, string> {
  for (const [name, value] of Object.entries(headers)) {
    try {
      new Headers([[name, value]]);
    } catch {
      throw invalid(
        `headers: ${JSON.stringify(name)} is not a valid header`,
        "Use a plain name and a value on one line.",
      );
    }
    if (
      /^(webhook-(id|timestamp|signature)|content-(type|length)|host|connection|transfer-encoding)$/i.test(
        name,
      )
    ) {
      throw invalid(`headers: ${name} is set by the connector`, "Remove it.");
    }
  }
  return headers;
}
