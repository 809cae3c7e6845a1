// An API of named methods on a real HTTP server: limits of each method, refusals by name, what nobody answered.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { MethodApi } from "../../../../runtime/sdk/http/method-api.ts";
import { fetchIn } from "../../../../runtime/session-fetch.ts";
import { freePort } from "../../../helpers/ports.ts";

interface Said {
  status?: number;
  headers?: Record<string, string>;
  body: string;
}

const errors = {
  other: ["reject", "look it up"],
  bad_token: ["stop", "a new token"],
  too_long: ["too_large", "shorter"],
  oops: ["retry"],
  slow_down: ["rate_limited"],
  did_that: ["done"],
};

async function serve(answers: Record<string, Said[]>) {
  const asked: Array<{ method: string; form: Record<string, string>; token: string | undefined }> = [];
  const server = createServer(async (request, response) => {
    const method = (request.url ?? "").slice(1);
    const form = Object.fromEntries(new URLSearchParams(await text(request)));
    asked.push({ method, form, token: request.headers.authorization });
    const said = answers[method]?.shift();
    if (said === undefined) return void request.socket.destroy();
    response.writeHead(said.status ?? 200, said.headers ?? {}).end(said.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { api: apiAt((server.address() as AddressInfo).port), asked };
}

function apiAt(port: number) {
  const { signal } = new AbortController();
  const fetch = (input: string | URL, init?: RequestInit): Promise<Response> => fetchIn(signal, input, init);
  const methods = { url: `http://127.0.0.1:${port}/`, token: "t", errors, changes: /^put/, vital: /^login/ };
  return new MethodApi<{ value: number; things: string[] }>({ fetch }, methods);
}

const no = (error: string, more = {}): Said => ({ body: JSON.stringify({ ok: false, error, ...more }) });

test("arguments are a form: texts as they are, the rest as JSON, undefined left out", async () => {
  const { api, asked } = await serve({ get: [{ body: '{"ok":true,"value":7}' }] });
  expect((await api.call("get", { a: "x y", b: [1], c: undefined, d: true }, "other")).value).toBe(7);
  expect(asked).toEqual([{ method: "get", form: { a: "x y", b: "[1]", d: "true" }, token: "Bearer other" }]);
  expect(Math.abs(api.clockAheadMs)).toBeLessThan(60_000);
});

test("lists are read page by page", async () => {
  const page = (things: string[], next_cursor: string): Said => ({
    body: JSON.stringify({ ok: true, things, response_metadata: { next_cursor } }),
  });
  const { api, asked } = await serve({ list: [page(["a"], "n"), page(["b"], "")] });
  expect(await api.list("things", "list", { of: "all" })).toEqual(["a", "b"]);
  expect(asked.map(({ form }) => form.cursor)).toEqual([undefined, "n"]);
});

test.each([
  ["bad_token", "get", { fate: "stop", hint: "a new token" }],
  ["too_long", "put", { fate: "reject", code: "too_large", hint: "shorter" }],
  ["oops", "get", { fate: "retry" }],
  ["oops", "put", { fate: "uncertain" }],
  ["slow_down", "get", { fate: "rate_limited" }],
  ["unheard_of", "get", { fate: "reject", code: "rejected", hint: "look it up" }],
  ["unheard_of", "login", { fate: "stop" }],
  ["constructor", "get", { fate: "reject" }],
])("%s of %s has the fate of the table", async (name, method, expected) => {
  const { api } = await serve({ [method]: [no(name, { needed: "scope:x" })] });
  await expect(api.call(method)).rejects.toMatchObject({
    ...expected,
    message: `${method}: ${name} (scope:x)`,
  });
});

test("what is as it should be is no error", async () => {
  const { api } = await serve({ put: [no("did_that")] });
  expect((await api.call("put")).ok).toBe(false);
});

test("429: that method is not asked again before its time, others are", async () => {
  const wait = { status: 429, headers: { "retry-after": "30" }, body: "" };
  const { api, asked } = await serve({ get: [wait], put: [{ body: '{"ok":true}' }] });
  await expect(api.call("get")).rejects.toMatchObject({ fate: "rate_limited", retryAfterMs: 30_000 });
  await expect(api.call("get")).rejects.toMatchObject({ fate: "rate_limited" });
  await api.call("put");
  expect(asked.map(({ method }) => method)).toEqual(["get", "put"]);
});

test("no answer, half an answer and 5xx leave open what was changed; what only asks was not done", async () => {
  const half = { body: '{"ok":tr' };
  const broken = { status: 500, body: "" };
  const { api } = await serve({ get: [half, broken], put: [half, broken] });
  for (const fate of ["retry", "reconnect", "reconnect"])
    await expect(api.call("get"), fate).rejects.toMatchObject({ fate });
  for (const fate of ["uncertain", "uncertain", "uncertain"])
    await expect(api.call("put"), fate).rejects.toMatchObject({ fate });
  await expect(apiAt(await freePort()).call("put")).rejects.toMatchObject({ fate: "reconnect" });
});
