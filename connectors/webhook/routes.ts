// One request, from its first line to its answer.
//
//   guard ─▶ verify headers ─▶ read the body ─▶ verify the bytes ─▶ parse ─▶ map ─▶ deliver ─▶ 202 (200 when it was known)
//
//   <path>         POST an event; GET shows the chat page to a browser
//   <path>stream   GET a conversation's outgoing messages as server-sent events
//   <path>health   GET {"ok":true}
//
// The answer is 2xx only after deliver has resolved: then the event is on stable storage. Anything unexpected is a 5xx, so that the sender tries again.
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { type Context, toSpoolwayError } from "spoolway/sdk";
import { answer, answerJson, Refusal, refuse } from "./answer.ts";
import { Aborted, checkContentType, isForm, parseBody, readBody } from "./body.ts";
import type { Settings } from "./config.ts";
import { guard, preflightHeaders } from "./guard.ts";
import { toDraft } from "./mapping.ts";
import { pageHeaders, renderPage } from "./page.ts";
import { atMostEvery } from "./server.ts";
import type { Hub } from "./stream.ts";
import { resolvePointer } from "./values.ts";
import { bearerToken, sameSecret, type Verifier } from "./verify.ts";

const retryAfterS = 5;

export interface Parts {
  settings: Settings;
  ctx: Context<unknown>;
  hub: Hub;
  verifier: Verifier;
}

/** A request whose address was understood. */
interface Call {
  request: IncomingMessage;
  response: ServerResponse;
  path: string;
  query: URLSearchParams;
}

export function createHandler(parts: Parts): RequestListener {
  const { ctx } = parts;
  const warned = new Map<string, () => void>();
  // One line for each kind of refusal in ten seconds: a wrong secret must be visible, a scanner must not fill the log.
  const noteRefusal = ({ status, code, message }: Refusal): void => {
    const warn =
      warned.get(code) ??
      atMostEvery(10_000, () => ctx.log.warn("webhook.refused", { status, code, message }));
    warned.set(code, warn);
    warn();
  };
  return (request, response) => {
    handle(parts, request, response).catch((error: unknown) => {
      if (error instanceof Aborted) {
        ctx.log.debug("webhook.request_aborted");
        return;
      }
      if (error instanceof Refusal) {
        noteRefusal(error);
        refuse(request, response, error);
        return;
      }
      ctx.log.error("webhook.request_failed", { message: toSpoolwayError(error).message });
      refuse(request, response, unavailable("internal", "something went wrong here", 500));
    });
  };
}

async function handle(parts: Parts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { settings, ctx } = parts;
  if (ctx.signal.aborted) throw unavailable("stopping", "the connector is stopping");
  const target = request.url ?? "/";
  const cut = target.indexOf("?");
  const path = cut < 0 ? target : target.slice(0, cut);
  const query = new URLSearchParams(cut < 0 ? "" : target.slice(cut + 1));
  const call: Call = { request, response, path, query };

  if (path === `${settings.base}health`) {
    if (request.method !== "GET" && request.method !== "HEAD") throw wrongMethod("GET, HEAD");
    answerJson(request, response, 200, { ok: true });
    return;
  }
  const cors = guard(request, settings);
  for (const [name, value] of Object.entries(cors)) if (value !== undefined) response.setHeader(name, value);
  if (request.method === "OPTIONS" && request.headers["access-control-request-method"] !== undefined) {
    answer(request, response, 204, "", preflightHeaders);
  } else if (path === settings.path || path === settings.base) {
    await atEvents(parts, call);
  } else if (path === `${settings.base}stream`) {
    listenToStream(parts, call);
  } else {
    throw new Refusal(
      404,
      "not_found",
      `there is nothing at ${path}`,
      `Events are posted to ${settings.path}`,
    );
  }
}

async function atEvents(parts: Parts, call: Call): Promise<void> {
  const { request, response } = call;
  const { settings, ctx } = parts;
  if (request.method === "POST") return receive(parts, call);
  const wantsPage = request.method === "GET" && (request.headers.accept ?? "").includes("text/html");
  if (!settings.page || !wantsPage) {
    // A plain GET is what people try first.
    const hint = `Post an event: curl -d '{"text":"hello"}' …${settings.page ? " In a browser this is a chat page." : ""}`;
    throw wrongMethod(settings.page ? "GET, POST" : "POST", hint);
  }
  const { html, nonce } = renderPage(ctx.name, settings);
  answer(request, response, 200, html, pageHeaders(nonce));
}

async function receive(parts: Parts, call: Call): Promise<void> {
  const { settings, ctx, verifier } = parts;
  const { request, response, path, query } = call;
  const { headers } = request;
  verifier.checkHeaders(headers);
  checkContentType(request);
  const bytes = await readBody(request, response, settings.maxBodyBytes);
  verifier.check(headers, bytes);
  const body = parseBody(request, bytes);

  const slack = settings.verify.scheme === "slack";
  const challenge = resolvePointer(body, "/challenge");
  if (slack && resolvePointer(body, "/type") === "url_verification" && typeof challenge === "string") {
    answer(request, response, 200, challenge, { "content-type": "text/plain; charset=utf-8" });
    return;
  }
  const draft = toDraft({ method: "POST", path, query, headers, body }, settings);
  const delivered = await ctx.deliver(draft).catch((error: unknown) => {
    const { code, message, fate } = toSpoolwayError(error);
    // It would be refused the next time too (an attachment that is too large): the sender must know.
    if (fate === "reject")
      throw new Refusal(400, code, message, "Change the body, or map in the connector's settings.");
    ctx.log.error("webhook.deliver_failed", { code, message });
    throw unavailable(code, "the event could not be stored");
  });
  // Slack shows the body of an answer to a command or a button; an empty one shows nothing.
  if (slack && isForm(request)) answer(request, response, 200, "");
  else
    answerJson(request, response, delivered.duplicate ? 200 : 202, {
      id: delivered.id,
      duplicate: delivered.duplicate,
    });
}

function listenToStream(parts: Parts, call: Call): void {
  const { settings, hub } = parts;
  const { request, response, query } = call;
  if (request.method !== "GET") throw wrongMethod("GET");
  if (!settings.stream) {
    throw new Refusal(
      404,
      "stream_off",
      "there is no stream here",
      "Set stream: true; with a signing scheme also stream_token.",
    );
  }
  authorizeListener(parts, call);
  const conversationId = query.get("conversation_id") ?? "";
  if (conversationId === "" || conversationId.length > 1024) {
    throw new Refusal(
      400,
      "invalid_query",
      "conversation_id is missing or too long",
      "Add ?conversation_id=…",
    );
  }
  if (hub.listenerCount >= settings.maxStreams) throw unavailable("too_many_streams", "too many listeners");
  const lastEventId = request.headers["last-event-id"] ?? query.get("last_event_id") ?? undefined;
  hub.subscribe(conversationId, typeof lastEventId === "string" ? lastEventId : undefined, response);
}

/** The stream's own token, in the header or (EventSource can set none) the query; or the token of scheme bearer, in the header only. */
function authorizeListener(parts: Parts, { request, query }: Call): void {
  const { settings, verifier } = parts;
  const { streamToken, verify } = settings;
  if (streamToken === undefined) {
    verifier.checkHeaders(request.headers);
    return;
  }
  const given = bearerToken(request.headers) ?? query.get("stream_token");
  if (given !== null && sameSecret(given, streamToken)) return;
  if (verify.scheme === "bearer") verifier.checkHeaders(request.headers);
  else {
    throw new Refusal(
      401,
      "unauthorized",
      "the stream needs its token",
      "Send Authorization: Bearer <stream_token>, or ?stream_token=…",
      {
        "www-authenticate": "Bearer",
      },
    );
  }
}

const wrongMethod = (allow: string, hint = `Use ${allow.replace(", ", " or ")}.`): Refusal =>
  new Refusal(405, "method_not_allowed", "this method is not allowed here", hint, { allow });

const unavailable = (code: string, message: string, status = 503): Refusal =>
  new Refusal(status, code, message, "Send it again later.", { "retry-after": String(retryAfterS) });
