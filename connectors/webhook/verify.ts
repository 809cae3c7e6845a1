// Proof of origin: is this request from who it should be from? On the bytes as they came, in constant time, with every valid secret tried so that
// secrets can be rotated.
//
//   bearer     Authorization: Bearer <token>, or the bare token in a header of the platform's own
//   standard   webhook-id, webhook-timestamp, webhook-signature: v1,<base64 HMAC of "id.timestamp.body">   standardwebhooks.com
//   github     X-Hub-Signature-256: sha256=<hex HMAC of the body>                                          (also Gitea, Forgejo, Meta)
//   slack      X-Slack-Request-Timestamp, X-Slack-Signature: v0=<hex HMAC of "v0:timestamp:body">
//   stripe     Stripe-Signature: t=<timestamp>,v1=<hex HMAC of "timestamp.body">
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { Webhook } from "standardwebhooks";
import { Refusal } from "./answer.ts";
import { invalid, type VerifyConfig } from "./config.ts";

export interface Verifier {
  /** Before the body is read: refuses what can be refused by the headers alone. Throws Refusal 401. */
  checkHeaders(headers: IncomingHttpHeaders): void;
  /** The whole request. Throws Refusal 401. */
  check(headers: IncomingHttpHeaders, body: Buffer): void;
}

/** Headers that prove something; they are not kept in the event. */
export const proofHeaders = [
  "authorization",
  "proxy-authorization",
  "cookie",
  "webhook-signature",
  "x-hub-signature",
  "x-hub-signature-256",
  "x-slack-signature",
  "stripe-signature",
];

/** Throws (fate stop) when a secret is missing or unusable. `nowMs` is for tests with published vectors. */
export function createVerifier(verify: VerifyConfig, nowMs: () => number = Date.now): Verifier {
  const { scheme } = verify;
  if (scheme === "none") return { checkHeaders: () => undefined, check: () => undefined };
  const secrets = [verify.secret, verify.token, ...(verify.secrets ?? [])].filter(
    (s) => s !== undefined && s !== "",
  ) as string[];
  if (secrets.length === 0) {
    const key = scheme === "bearer" ? "token" : "secret";
    throw invalid(`verify.scheme is ${scheme} and there is no verify.${key}`, `Set verify.${key}.`);
  }
  if (scheme === "bearer") {
    const checkHeaders = (headers: IncomingHttpHeaders): void => checkToken(headers, secrets, verify.header);
    return { checkHeaders, check: checkHeaders };
  }
  const readProof = proofs[scheme](secrets);
  const fresh = (proof: Proof): void => checkTime(proof.timestamp, verify.tolerance ?? 300, nowMs());
  return {
    checkHeaders: (headers) => fresh(readProof(headers)),
    check: (headers, body) => {
      const proof = readProof(headers);
      fresh(proof);
      if (!matches(proof.given, proof.expected(body))) {
        throw unauthorized(
          "bad_signature",
          "the signature does not match",
          "Check the secret on both sides, and that no proxy changes the body.",
        );
      }
    },
  };
}

/** Whether two strings are the same, in a time that does not tell where they differ. */
export function sameSecret(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

/** The token of `Authorization: Bearer <token>`. */
export const bearerToken = (headers: IncomingHttpHeaders): string | undefined =>
  /^Bearer +(\S+)\s*$/i.exec(headers.authorization ?? "")?.[1];

/** Whether any is equal to any; every pair is compared. */
function matches(given: readonly string[], expected: readonly string[]): boolean {
  let found = false;
  for (const a of given) for (const b of expected) found = sameSecret(a, b) || found;
  return found;
}

function checkToken(
  headers: IncomingHttpHeaders,
  tokens: readonly string[],
  header: string | undefined,
): void {
  const given = header === undefined ? bearerToken(headers) : one(headers, header.toLowerCase());
  if (given !== undefined && matches([given], tokens)) return;
  const wanted = header === undefined ? "Authorization: Bearer <token>" : `${header}: <token>`;
  const message = given === undefined ? "there is no token" : "the token is not the right one";
  throw unauthorized("unauthorized", message, `Send ${wanted}.`, { "www-authenticate": "Bearer" });
}

/** What a request's headers claim, and what they would have to be. */
interface Proof {
  given: string[];
  /** Seconds since 1970 as sent, where the scheme has it. */
  timestamp?: string;
  expected(body: Buffer): string[];
}

const proofs: Record<
  "standard" | "github" | "slack" | "stripe",
  (secrets: string[]) => (headers: IncomingHttpHeaders) => Proof
> = {
  standard(secrets) {
    const webhooks = secrets.map((secret) => createSigner(secret, "verify.secret"));
    return (headers) => {
      const id = need(headers, "webhook-id");
      const timestamp = need(headers, "webhook-timestamp");
      const given = need(headers, "webhook-signature")
        .split(" ")
        .filter((s) => s.startsWith("v1,"));
      // The library signs text; a body that is not UTF-8 is refused by the parser even if its replacement characters should match.
      const expected = (body: Buffer): string[] =>
        webhooks.map((w) => w.sign(id, new Date(Number(timestamp) * 1000), body));
      return { given, timestamp, expected };
    };
  },
  github: (secrets) => (headers) => ({
    given: [need(headers, "x-hub-signature-256")],
    expected: (body) => secrets.map((secret) => `sha256=${hmac(secret, "", body)}`),
  }),
  slack: (secrets) => (headers) => {
    const timestamp = need(headers, "x-slack-request-timestamp");
    const given = [need(headers, "x-slack-signature")];
    return {
      given,
      timestamp,
      expected: (body) => secrets.map((secret) => `v0=${hmac(secret, `v0:${timestamp}:`, body)}`),
    };
  },
  stripe: (secrets) => (headers) => {
    const parts = need(headers, "stripe-signature")
      .split(",")
      .map((part) => part.trim().split("="));
    const values = (name: string): string[] =>
      parts.filter(([key]) => key === name).map(([, value]) => value ?? "");
    const timestamp = values("t")[0] ?? "";
    return {
      given: values("v1"),
      timestamp,
      expected: (body) => secrets.map((secret) => hmac(secret, `${timestamp}.`, body)),
    };
  },
};

/** A Standard Webhooks signer. Throws (fate stop) for a secret that is not one, without repeating it. */
export function createSigner(secret: string, key: string): Webhook {
  try {
    return new Webhook(secret);
  } catch {
    throw invalid(
      `${key} is not a Standard Webhooks secret`,
      "It is whsec_ and base64. Make one: echo whsec_$(openssl rand -base64 24)",
    );
  }
}

const hmac = (secret: string, prefix: string, body: Buffer): string =>
  createHmac("sha256", secret).update(prefix).update(body).digest("hex");

function checkTime(timestamp: string | undefined, toleranceS: number, nowMs: number): void {
  if (timestamp === undefined) return;
  if (!/^\d{1,12}$/.test(timestamp)) {
    throw unauthorized(
      "bad_timestamp",
      "the signed timestamp is not a number of seconds",
      "Send seconds since 1970.",
    );
  }
  const offS = Math.round(nowMs / 1000 - Number(timestamp));
  if (Math.abs(offS) > toleranceS) {
    const text = `the signed timestamp is ${Math.abs(offS)} s in the ${offS > 0 ? "past" : "future"}, at most ${toleranceS} s are allowed`;
    throw unauthorized("stale_timestamp", text, "Check both clocks; an old request cannot be replayed.");
  }
}

const one = (headers: IncomingHttpHeaders, name: string): string | undefined => {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
};

function need(headers: IncomingHttpHeaders, name: string): string {
  const value = one(headers, name);
  if (value !== undefined && value !== "") return value;
  throw unauthorized(
    "unauthorized",
    `the header ${name} is missing`,
    "The request must be signed; see verify in the connector's README.",
  );
}

const unauthorized = (code: string, message: string, hint: string, headers = {}): Refusal =>
  new Refusal(401, code, message, hint, headers);
