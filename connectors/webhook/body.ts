// The body of a request: its bytes up to a limit, then the value in them, by content type.
//
//   application/json, *+json, none   any JSON
//   form-urlencoded                  its fields; JSON where it is JSON (what `curl -d '{…}'` sends); the value of a lone `payload` field (GitHub, Slack)
//   text/plain                       {"text": …}
import type { IncomingMessage, ServerResponse } from "node:http";
import { parseJson, SpoolwayError } from "spoolway/sdk";
import { Refusal } from "./answer.ts";

const hints: Record<string, string> = {
  invalid_json: 'Send one JSON value, e.g. {"text":"hello"}',
  invalid_encoding: "Send UTF-8.",
  too_deep: "Nest at most 64 levels.",
  duplicate_key: "Write each key once.",
  forbidden_key: "Rename the key __proto__.",
};
const maxFormFields = 1000;

/** The sender went away before its request was whole: there is nobody to answer. */
export class Aborted extends Error {}

/** All bytes of the body. Throws Refusal 413 above the limit, before reading on, and Aborted. */
export function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  maxBytes: number,
): Promise<Buffer> {
  const tooLarge = (): Refusal =>
    new Refusal(
      413,
      "body_too_large",
      `the body is larger than ${maxBytes} bytes`,
      "Send less, or raise max_body.",
    );
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) return Promise.reject(tooLarge());
  if (request.headers.expect !== undefined) response.writeContinue();
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const done = (settle: () => void): void => {
      request.off("data", take).off("end", end).off("close", gone).off("error", gone);
      settle();
    };
    const take = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > maxBytes) done(() => reject(tooLarge()));
      else chunks.push(chunk);
    };
    const end = (): void => done(() => resolve(Buffer.concat(chunks, size)));
    const gone = (): void => done(() => reject(new Aborted("the request ended before its body did")));
    request.on("data", take).on("end", end).on("close", gone).on("error", gone);
  });
}

/** Throws Refusal 415 for a content type that is not understood; checked before the body is read. */
export function checkContentType(request: IncomingMessage): void {
  const encoding = request.headers["content-encoding"]?.toLowerCase() ?? "identity";
  if (encoding !== "identity") {
    throw new Refusal(
      415,
      "unsupported_encoding",
      `content-encoding ${encoding} is not supported`,
      "Send the body uncompressed.",
      {
        "accept-encoding": "identity",
      },
    );
  }
  const { type, charset } = contentType(request);
  if (formatOf(type) === undefined) {
    throw new Refusal(
      415,
      "unsupported_media_type",
      `content-type ${type} is not supported`,
      "Send application/json, application/x-www-form-urlencoded or text/plain.",
      { "accept-post": "application/json, application/x-www-form-urlencoded, text/plain" },
    );
  }
  if (charset !== "utf-8" && charset !== "utf8" && charset !== "us-ascii") {
    throw new Refusal(415, "unsupported_charset", `charset ${charset} is not supported`, "Send UTF-8.");
  }
}

/** The value in the body. Throws Refusal 400. */
export function parseBody(request: IncomingMessage, bytes: Buffer): unknown {
  const format = formatOf(contentType(request).type);
  if (format === "json") return json(bytes);
  if (format === "text") return { text: text(bytes) };
  const first = text(bytes).trimStart();
  if (first.startsWith("{") || first.startsWith("[")) return json(bytes);
  // `curl -d hello`: a form without a single field is text.
  if (!first.includes("=")) return first === "" ? {} : { text: text(bytes) };
  return form(first);
}

type Format = "json" | "form" | "text";

function formatOf(type: string): Format | undefined {
  if (type === "" || type === "application/json" || type === "text/json" || type.endsWith("+json"))
    return "json";
  if (type === "application/x-www-form-urlencoded") return "form";
  return type === "text/plain" ? "text" : undefined;
}

/** Whether the request came as a form (Slack's commands and buttons). */
export const isForm = (request: IncomingMessage): boolean => formatOf(contentType(request).type) === "form";

function contentType(request: IncomingMessage): { type: string; charset: string } {
  const [type = "", ...parameters] = (request.headers["content-type"] ?? "").toLowerCase().split(";");
  const charset = parameters
    .map((p) => /^\s*charset\s*=\s*"?([^"\s]+)"?\s*$/.exec(p)?.[1])
    .find((c) => c !== undefined);
  return { type: type.trim(), charset: charset ?? "utf-8" };
}

function json(bytes: Uint8Array): unknown {
  if (bytes.length === 0) throw bad("invalid_json", "the body is empty");
  try {
    return parseJson(bytes);
  } catch (error) {
    if (error instanceof SpoolwayError) throw bad(error.code, error.message);
    throw error;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function text(bytes: Uint8Array): string {
  if (bytes.includes(0)) throw bad("invalid_encoding", "there is a NUL byte in the body (is it UTF-16?)");
  try {
    return utf8.decode(bytes);
  } catch {
    throw bad("invalid_encoding", "the body is not valid UTF-8");
  }
}

/** The fields of a form; one that comes several times is a list. */
function form(encoded: string): unknown {
  const pairs = encoded.split("&").filter((pair) => pair !== "");
  if (pairs.length > maxFormFields) throw bad("invalid_form", `more than ${maxFormFields} fields`);
  const fields = new Map<string, string[]>();
  for (const pair of pairs) {
    const cut = pair.indexOf("=");
    const name = decode(cut < 0 ? pair : pair.slice(0, cut));
    if (name === "__proto__") throw bad("forbidden_key", "a field is named __proto__");
    const values = fields.get(name) ?? [];
    values.push(cut < 0 ? "" : decode(pair.slice(cut + 1)));
    fields.set(name, values);
  }
  const payload = fields.size === 1 ? fields.get("payload")?.[0] : undefined;
  if (payload?.startsWith("{")) return json(Buffer.from(payload));
  return Object.fromEntries(
    [...fields].map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  );
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part.replaceAll("+", " "));
  } catch {
    throw bad("invalid_encoding", "a form field is not valid percent-encoded UTF-8");
  }
}

const bad = (code: string, message: string): Refusal =>
  new Refusal(400, code, message, hints[code] ?? "Check the body of the request.");
