// HTTP out: one outgoing message, one POST of its JSON to `url`, signed with Standard Webhooks. `webhook-id` is the message's id, the same on every
// try, so that a receiver can tell a repetition.
//
//   2xx                              sent
//   429                              rate limited: all sending waits for Retry-After
//   408, 425, 5xx                    retry, after Retry-After where given
//   3xx                              reject: a redirect would carry the message somewhere nobody configured
//   other 4xx                        reject, with the answer's own words (401 and 403 too: failing is visible at once, and the server for
//                                    incoming requests in this process must not stop for it)
//   refused, no such host, bad TLS   retry: nothing was sent
//   a port that fetch blocks         reject: nothing can ever be sent there
//   no answer, connection reset      uncertain: the request may have arrived
import { buffer } from "node:stream/consumers";
import {
  type Outgoing,
  rateLimited,
  reject,
  retry,
  type SendContext,
  type SendResult,
  uncertain,
} from "spoolway/sdk";
import type { Settings } from "./config.ts";
import { createSigner } from "./verify.ts";

const maxAttachmentBytes = 10 * 1024 * 1024;
/** How much of an answer is read. */
const maxAnswerBytes = 64 * 1024;
const quotedChars = 500;
const defaultWaitMs = 30_000;
const maxWaitMs = 24 * 3_600_000;

/** Failures that come before the first byte of the request. */
const beforeSending =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|UND_ERR_CONNECT_TIMEOUT|CERT_.*|ERR_TLS_.*|ERR_SSL_.*|DEPTH_ZERO_.*|SELF_SIGNED_.*|UNABLE_TO_.*)$/;

export type Sender = (message: Outgoing, ctx: SendContext<unknown>) => Promise<SendResult>;

/** Throws (fate stop) when a signing secret is unusable. */
export function createSender(settings: Settings, url: URL): Sender {
  const signers = settings.signSecrets.map((secret) => createSigner(secret, "sign.secret"));
  return async (message, ctx) => {
    const body = JSON.stringify(await withAttachments(message, ctx));
    const sentAt = new Date();
    const headers = {
      "user-agent": "spoolway",
      ...settings.headers,
      "content-type": "application/json",
      "webhook-id": message.id,
      "webhook-timestamp": String(Math.floor(sentAt.getTime() / 1000)),
      ...(signers.length === 0
        ? {}
        : { "webhook-signature": signers.map((signer) => signer.sign(message.id, sentAt, body)).join(" ") }),
    };
    // Not ctx.fetch: its own 30 s would cap timeout_s.
    const signal = AbortSignal.any([ctx.signal, AbortSignal.timeout(settings.timeoutMs)]);
    let response: Response;
    try {
      response = await fetch(url, { method: "POST", headers, body, redirect: "manual", signal });
    } catch (error) {
      throw networkError(error, url);
    }
    const answer = await readAnswer(response);
    if (response.ok) return platformId(answer);
    throw statusError(response, answer, url);
  };
}

/** The message as it is posted: bytes of attachments inline, because a path of this machine means nothing to the receiver. */
async function withAttachments(message: Outgoing, ctx: SendContext<unknown>): Promise<object> {
  const { attachments, ...rest } = message;
  if (attachments === undefined || attachments.length === 0) return rest;
  let left = maxAttachmentBytes;
  const inline = [];
  for (const attachment of attachments) {
    left -= attachment.size ?? 0;
    const bytes = left < 0 ? undefined : await buffer(ctx.openAttachment(attachment));
    if (bytes === undefined) {
      throw reject(`the attachments are larger than ${maxAttachmentBytes} bytes together`, "too_large", {
        hint: "Put the file where the receiver can fetch it, and send its address.",
      });
    }
    const { path, ...known } = attachment;
    inline.push({
      name: path.split("/").at(-1),
      ...known,
      size: bytes.length,
      base64: bytes.toString("base64"),
    });
  }
  return { ...rest, attachments: inline };
}

function networkError(error: unknown, url: URL): Error {
  const cause = (error as { cause?: NodeJS.ErrnoException }).cause;
  const code = cause?.code ?? (error as Error).name;
  // fetch's own text is "fetch failed"; the reason is in its cause. The URL is not repeated: it may hold a token.
  // Where a name has several addresses the cause has a code and no text.
  const reason = cause?.message || code;
  if (reason === "bad port") {
    return reject(`fetch does not connect to port ${url.port}`, "blocked_port", {
      hint: "The Fetch standard blocks this port (https://fetch.spec.whatwg.org/#port-blocking). Use another one in url, then: spoolway failed retry",
    });
  }
  if (beforeSending.test(code)) {
    return retry(`cannot reach ${url.host}: ${reason}`, {
      hint: "Check that the receiver of url runs and can be reached; it is tried again by itself.",
      cause: error,
    });
  }
  return uncertain(`no answer from ${url.host}: ${reason}`, { cause: error });
}

function statusError(response: Response, answer: string, url: URL): Error {
  const { status } = response;
  const words = answer.trim().slice(0, quotedChars);
  const text = `${url.host} answered ${status}${words === "" ? "" : `: ${words}`}`;
  const waitMs = retryAfterMs(response.headers.get("retry-after"), Date.now());
  if (status === 429) return rateLimited(text, waitMs ?? defaultWaitMs);
  if (status === 408 || status === 425 || status >= 500) {
    return retry(text, waitMs === undefined ? {} : { retryAfterMs: waitMs });
  }
  if (status < 400) {
    const to = response.headers.get("location") ?? "elsewhere";
    return reject(`${text} (redirect to ${to})`, "redirected", {
      hint: "Redirects are not followed. Set url to the final address, then: spoolway failed retry",
    });
  }
  if (status === 401 || status === 403) {
    return reject(text, "unauthorized", {
      hint: "Check headers and sign.secret, then: spoolway failed retry",
    });
  }
  return status === 413 ? reject(text, "too_large") : reject(text);
}

/** Milliseconds until a Retry-After (seconds or an HTTP date), at least one second and at most a day. undefined without a valid one. */
export function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  const ms = /^\s*\d+\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(maxWaitMs, Math.max(1000, ms));
}

/** The start of the answer's body. The status has said already what became of the message: a body that breaks off changes nothing. */
async function readAnswer(response: Response): Promise<string> {
  if (response.body === null) return "";
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of response.body) {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= maxAnswerBytes) break; // leaving the loop cancels the rest
    }
  } catch {
    // Only the wording is lost.
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** The receiver's `id` of the message, where it answers with JSON that has one. */
function platformId(answer: string): SendResult {
  try {
    const { id } = JSON.parse(answer) as { id?: unknown };
    return typeof id === "string" || typeof id === "number" ? { platform_id: String(id) } : {};
  } catch {
    return {}; // any 2xx will do, whatever its body
  }
}
