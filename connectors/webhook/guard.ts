// Who may talk to this port at all, before anything else is looked at.
//
// A port on loopback is not private: every web page that a browser on this machine shows can send requests to it (CSRF), and with DNS rebinding
// read the answers too. So: the Host header must name this machine (rebinding keeps the attacker's name), and a request that
// a page made (it has an Origin) must come from our own page or from a listed origin.
import type { IncomingMessage, OutgoingHttpHeaders } from "node:http";
import { Refusal } from "./answer.ts";
import { isLoopback, type Settings } from "./config.ts";

/** CORS headers for the answer. Throws Refusal 403 for a request that must not be served. */
export function guard(request: IncomingMessage, settings: Settings): OutgoingHttpHeaders {
  const host = (request.headers.host ?? "").toLowerCase();
  const known = isKnownHost(host, settings);
  if (!known && (settings.loopback || settings.allowedHosts.length > 0)) {
    throw new Refusal(
      403,
      "host_not_allowed",
      `the Host header ${JSON.stringify(host)} is not a name of this server`,
      "Behind a proxy or tunnel: add the name to allowed_hosts, or let the proxy send the loopback address as Host.",
    );
  }
  const origin = request.headers.origin?.toLowerCase();
  if (origin === undefined) {
    refuseForeignPage(request);
    return {};
  }
  if (known && (origin === `http://${host}` || origin === `https://${host}`)) return {};
  if (settings.corsOrigins.includes(origin)) return { "access-control-allow-origin": origin, vary: "Origin" };
  throw new Refusal(
    403,
    "origin_not_allowed",
    `pages of ${origin} may not use this server`,
    "Add it to cors_origins.",
  );
}

/** Headers for the answer to a preflight of an allowed origin. */
export const preflightHeaders = {
  "access-control-allow-methods": "GET, POST",
  "access-control-allow-headers": "content-type, authorization, idempotency-key, webhook-id, last-event-id",
  "access-control-max-age": "600",
};

function isKnownHost(host: string, settings: Settings): boolean {
  const name = host.replace(/:\d+$/, "");
  if (settings.allowedHosts.includes(host) || settings.allowedHosts.includes(name)) return true;
  return settings.loopback && isLoopback(name);
}

/** Some requests of pages have no Origin (images, scripts); browsers mark those. Opening a page by a link is harmless. */
function refuseForeignPage(request: IncomingMessage): void {
  const site = request.headers["sec-fetch-site"];
  const navigates = request.method === "GET" && request.headers["sec-fetch-mode"] === "navigate";
  if ((site === "cross-site" || site === "same-site") && !navigates) {
    throw new Refusal(
      403,
      "origin_not_allowed",
      "a page of another site made this request",
      "Add its origin to cors_origins.",
    );
  }
}
