// An HTTP API on a real server: what each failure becomes, and what is asked.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { SpoolwayError } from "../../../../runtime/errors.ts";
import { fetchIn } from "../../../../runtime/session-fetch.ts";
import { beforehand, JsonApi, judgeBy, parseRetryAfter, path } from "../../../../runtime/sdk/http/api.ts";
import { freePort } from "../../../helpers/ports.ts";

const session = new AbortController().signal;
const warned: unknown[] = [];
const log = { debug() {}, info() {}, warn: (...all: unknown[]) => void warned.push(all), error() {} };
const ctx = { fetch: (url: string | URL, init?: RequestInit) => fetchIn(session, url, init), log };
const judge = judgeBy({
  code: ({ code }) => code,
  words: ({ error }) => error,
  waitMs: ({ wait_ms }) => wait_ms,
  stop: { 401: "log in", "gone_.*": "ask the operator" },
  reject: { 403: "ask for it" },
});

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<JsonApi> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return new JsonApi(ctx, `http://127.0.0.1:${port}/v1/`, { authorization: "Bearer t" }, judge);
}

const failing = (status: number, body = "", headers: Record<string, string> = {}): Promise<JsonApi> =>
  serve((_request, response) => void response.writeHead(status, headers).end(body));
const failure = (call: Promise<unknown>): Promise<SpoolwayError> =>
  call.then(
    () => expect.unreachable("it went well"),
    (error: unknown) => error as SpoolwayError,
  );

test("asks with its headers, its query and JSON, and returns JSON", async () => {
  const api = await serve((request, response) => {
    const { authorization, "content-type": type } = request.headers;
    let body = "";
    request.on("data", (chunk) => (body += String(chunk)));
    request.on("end", () =>
      response.end(JSON.stringify({ url: request.url, method: request.method, authorization, type, body })),
    );
  });
  const query = { a: "ä&", b: 1, c: undefined };
  expect(await api.call("PUT", path`/rooms/${"#x/y"}`, { query, json: { n: 1 } })).toEqual({
    url: "/v1/rooms/%23x%2Fy?a=%C3%A4%26&b=1",
    method: "PUT",
    authorization: "Bearer t",
    type: "application/json",
    body: '{"n":1}',
  });
});

test.for([
  [500, "", {}, { fate: "retry", retryAfterMs: undefined }],
  [503, "", { "retry-after": "7" }, { fate: "retry", retryAfterMs: 7000 }],
  [502, "<html>", {}, { fate: "uncertain" }],
  [504, "", {}, { fate: "uncertain" }],
  [429, "", { "retry-after": "2" }, { fate: "rate_limited", retryAfterMs: 2000 }],
  [429, '{"wait_ms":1500}', { "retry-after": "2" }, { fate: "rate_limited", retryAfterMs: 1500 }],
  [429, '{"wait_ms":0}', {}, { fate: "rate_limited", retryAfterMs: 100 }],
  [429, '{"wait_ms":1e15}', {}, { fate: "rate_limited", retryAfterMs: 86_400_000 }],
  [413, "", {}, { fate: "reject", code: "too_large" }],
  [404, '{"code":"none","error":"no such room"}', {}, { fate: "reject", message: "404 none: no such room" }],
  [403, '{"error":"no"}', {}, { fate: "reject", hint: "ask for it", message: "403 no" }],
  [401, '{"error":"who?"}', {}, { fate: "stop", hint: "log in" }],
  [403, '{"code":"gone_long"}', {}, { fate: "stop", hint: "ask the operator" }],
  [401, '{"code":"gone_long"}', {}, { fate: "stop", hint: "ask the operator" }],
  [400, "x".repeat(2_000_000), {}, { fate: "reject" }],
] as Array<[number, string, Record<string, string>, object]>)(
  "%i %s becomes its fate",
  async ([status, body, headers, wanted]) => {
    expect(await failure((await failing(status, body, headers)).call("GET", "/x"))).toMatchObject(wanted);
  },
);

test("an id is one segment of the path, whatever it is", () => {
  const at = (id: string): string => new URL(path`/a/${id}/c`, "http://x").pathname;
  expect(["..", ".", "...", "%2e", "a/b"].map(at)).toEqual([
    ...["/a/%252E%252E/c", "/a/%252E/c", "/a/.../c", "/a/%252e/c", "/a/a%2Fb/c"],
  ]);
});

test("a redirect is not followed: nothing was sent, and it says where the API is", async () => {
  const elsewhere: unknown[] = [];
  const other = await serve((request, response) => {
    elsewhere.push(request.url);
    response.end("{}");
  });
  const api = await failing(301, "", { location: other.url("/moved") });
  const moved = { fate: "reconnect", message: `301: a redirect to ${other.url("/moved")}` };
  for (const ask of [() => api.call("PUT", "/x", { json: {} }), () => api.read("/x")]) {
    const error = await failure(ask());
    expect(error).toMatchObject(moved);
    expect(error.hint).toContain("Put the address");
  }
  expect(elsewhere).toEqual([]);
});

test("what was not reached was not sent; what got no answer may have been", async () => {
  const nobody = new JsonApi(ctx, `http://127.0.0.1:${await freePort()}`, {}, judge);
  expect(await failure(nobody.call("GET", "/x"))).toMatchObject({ fate: "reconnect" });
  const cut = await serve((request) => void request.socket.destroy());
  expect(await failure(cut.call("POST", "/x", { json: {} }))).toMatchObject({ fate: "uncertain" });
  expect(await failure(beforehand(cut.call("POST", "/x", { json: {} })))).toMatchObject({ fate: "retry" });
  expect(await failure(cut.read("/x"))).toMatchObject({ fate: "reconnect" });
  const half = await serve((_request, response) => void response.end('{"half":'));
  expect(await failure(half.call("GET", "/x"))).toMatchObject({ fate: "uncertain" });
});

test("a read that fails only loses the connection; what is not there for us is undefined", async () => {
  expect(await failure((await failing(500)).read("/x"))).toMatchObject({ fate: "reconnect" });
  // There is no message to change and to send again.
  expect((await failure((await failing(404)).read("/x"))).hint).not.toContain("message");
  expect((await failure((await failing(403)).read("/x"))).hint).toBe("ask for it");
  expect(await failure((await failing(401)).find("/x"))).toMatchObject({ fate: "stop" });
  expect(await (await failing(404)).find("/x")).toBeUndefined();
});

test("pages follow each other to the last one, to one that repeats itself, or to a refusal, which is logged", async () => {
  const last = { end: 9, circle: 3, refused: 9 };
  const api = await serve((request, response) => {
    const at = Number(new URL(request.url ?? "", "http://x").searchParams.get("at"));
    const kind = (request.url ?? "").split(/[/?]/)[2] as keyof typeof last;
    if (kind === "refused" && at === 2) response.writeHead(404).end();
    else
      response.end(
        JSON.stringify({ at, next: at === last[kind] ? (kind === "circle" ? at : undefined) : at + 1 }),
      );
  });
  const all = async (kind: string): Promise<number[]> => {
    const seen: number[] = [];
    const next = (page: { next?: number }) => (page.next === undefined ? undefined : { at: page.next });
    for await (const { at } of api.pages<{ at: number; next?: number }>(ctx, `/${kind}`, { at: 0 }, next))
      seen.push(at);
    return seen;
  };
  expect(await all("end")).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(await all("circle")).toEqual([0, 1, 2, 3]);
  expect(warned).toEqual([]);
  expect(await all("refused")).toEqual([0, 1]);
  expect(warned).toEqual([["page.refused", { where: "/refused" }]]);
});

test("Retry-After is seconds or a date, never in the past and never beyond a day", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  const date = "Thu, 01 Jan 2026 00:01:00 GMT";
  expect([null, "soon", "3", "0", "999999", date].map((header) => parseRetryAfter(header, now))).toEqual([
    ...[undefined, undefined, 3000, 100, 86_400_000, 60_000],
  ]);
});
