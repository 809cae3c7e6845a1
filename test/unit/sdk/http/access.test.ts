// How an address of a config is read: with its login, headers and parameters, which go to that address and to nobody else; and what a refusal means. On real HTTP servers.
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { type Access, accessTo } from "../../../../runtime/sdk/http/access.ts";
import { type Document, readDocument } from "../../../../runtime/sdk/http/document.ts";
import { fetchIn } from "../../../../runtime/session-fetch.ts";

const { signal } = new AbortController();
const ctx = { fetch: (input: string | URL, init?: RequestInit) => fetchIn(signal, input, init) };

async function serve(
  answer: RequestListener,
): Promise<{ url: string; port: number; heard: IncomingMessage[] }> {
  const heard: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    heard.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/feed`, port, heard };
}

async function read(url: string, access: Access): Promise<Document | undefined> {
  const { url: href, ...more } = accessTo(url, access);
  return readDocument(ctx, href, { ...more, maxBytes: 1000, timeoutMs: 30_000 });
}

const login = { username: "ada", password: "pa:ss wörd" };
const basic = `Basic ${Buffer.from("ada:pa:ss wörd").toString("base64")}`;

test("nothing is added where nothing is needed, but who asks", async () => {
  const { url, heard } = await serve((_, response) => response.end());
  await read(`${url}?a=1#there`, {});
  expect(heard[0]?.url).toBe("/feed?a=1");
  expect(heard[0]?.headers).toMatchObject({ "user-agent": "Spoolway" });
  expect(heard[0]?.headers.authorization).toBeUndefined();
});

test("login, headers and parameters go with the request; parameters are encoded and replace those of the same name", async () => {
  const { url, heard } = await serve((_, response) => response.end());
  await read(url, { login });
  await read(url, { login, headers: { Authorization: "Bearer t" } });
  await read(`${url}?a=1&key=old`, {
    headers: { "User-Agent": "mine", "x-token": "t" },
    query: { key: "k&/3" },
  });
  expect(heard[0]?.headers.authorization).toBe(basic);
  expect(heard[1]?.headers.authorization).toBe("Bearer t");
  expect(heard[2]?.url).toBe("/feed?a=1&key=k%26%2F3");
  expect(heard[2]?.headers).toMatchObject({ "user-agent": "mine", "x-token": "t" });
});

test("a login goes along on the same host, and not to another one", async () => {
  const other = await serve((_, response) => response.end("there"));
  const { url, heard } = await serve((request, response) => {
    const location = request.url === "/feed" ? "/here" : `http://localhost:${other.port}/there`;
    response.writeHead(302, { location }).end();
  });
  await read(url, { login });
  expect(heard.map((one) => [one.url, one.headers.authorization])).toEqual([
    ["/feed", basic],
    ["/here", basic],
  ]);
  expect(other.heard.map((one) => [one.url, one.headers.authorization])).toEqual([["/there", undefined]]);
});

test.each<[string, Access]>([
  ["headers", { headers: { "x-token": "s3cret" } }],
  ["parameters", { query: { key: "s3cret" } }],
])(
  "with %s no redirect is followed: it says to write the new address, and nothing of the secret",
  async (_, access) => {
    const other = await serve((_request, response) => response.end());
    const { url } = await serve((request, response) => {
      response.writeHead(301, { location: `${other.url}${request.url}` }).end(`moved, s3cret`);
    });
    const failure: unknown = await read(url, access).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      fate: "reject",
      message: expect.stringContaining("put the new address into"),
    });
    expect(JSON.stringify([failure, (failure as Error).message])).not.toContain("s3cret");
    expect(other.heard).toEqual([]);
  },
);

test.each([401, 403])("%s stops, says what to do, and repeats nothing of the answer", async (status) => {
  const { url } = await serve((_, response) => response.writeHead(status).end("<h1>go away, ada</h1>"));
  const stopped = {
    fate: "stop",
    code: "unauthorized",
    hint: expect.stringContaining("`login`, `headers` or `query`"),
  };
  const failure: unknown = await read(url, { login }).catch((error: unknown) => error);
  expect(failure).toMatchObject(stopped);
  expect((failure as Error).message).toMatch(/^40[13] (Unauthorized|Forbidden)$/);
});

test("for an address that is wrong the hint says where to mend it", async () => {
  const { url } = await serve((_, response) => response.writeHead(404).end());
  await expect(read(url, {})).rejects.toMatchObject({ hint: expect.stringContaining("connectors.yml") });
});

test.each([
  [404, "reject", "404 Not Found"],
  [410, "reject", "410 Gone"],
  [500, "retry", "500 Internal Server Error"],
  [429, "rate_limited", "429 Too Many Requests"],
])("%s is %s in a word, without the page that came with it", async (status, fate, message) => {
  const { url } = await serve((_, response) => response.writeHead(status).end("<h1>a page</h1>"));
  await expect(read(url, {})).rejects.toMatchObject({ fate, message });
});
