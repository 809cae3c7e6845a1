// A document that is read again and again, on real HTTP servers: whole, only when it changed, bounded in size and time, and what its failures mean.
import { createServer, type IncomingHttpHeaders, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { type Document, type Reading, readDocument } from "../../../../runtime/sdk/http/document.ts";
import { fetchIn } from "../../../../runtime/session-fetch.ts";
import { stop } from "../../../../runtime/sdk.ts";
import { freePort } from "../../../helpers/ports.ts";

const { signal } = new AbortController();
const ctx = { fetch: (input: string | URL, init?: RequestInit) => fetchIn(signal, input, init) };

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/feed`;
}

const read = (url: string, more: Partial<Reading> = {}): Promise<Document | undefined> =>
  readDocument(ctx, url, { maxBytes: 1000, timeoutMs: 30_000, ...more });

const textOf = (document: Document | undefined): string => Buffer.from(document?.bytes ?? []).toString();

test("it comes with its bytes, its type, where it was found and the version that the server calls it", async () => {
  const modified = "Sat, 21 Nov 2026 10:00:00 GMT";
  const url = await serve((request, response) => {
    if (request.url === "/feed") return response.writeHead(301, { location: "/new" }).end();
    const head = { "content-type": "text/xml", etag: 'W/"1"', "last-modified": modified };
    return response.writeHead(200, head).end(Buffer.from([0, 255, 10]));
  });
  expect(await read(url)).toEqual({
    bytes: Buffer.from([0, 255, 10]),
    contentType: "text/xml",
    url: url.replace("/feed", "/new"),
    version: { etag: 'W/"1"', modified },
  });
});

test("what the server said of its version is given back to it word for word, and a 304 is no document", async () => {
  const asked: IncomingHttpHeaders[] = [];
  const url = await serve((request, response) => {
    asked.push(request.headers);
    response
      .writeHead(asked.length === 1 ? 200 : 304, { etag: 'W/"a b"' })
      .end(asked.length === 1 ? "x" : "");
  });
  const first = await read(url, { headers: { "x-token": "t" } });
  expect(first?.version).toEqual({ etag: 'W/"a b"' });
  expect(await read(url, { version: first?.version, headers: { "x-token": "t" } })).toBeUndefined();
  await read(url, { version: { modified: "yesterday" } });
  const sent = asked.map((one) => [one["if-none-match"], one["if-modified-since"], one["x-token"]]);
  expect(sent).toEqual([
    [undefined, undefined, "t"],
    ['W/"a b"', undefined, "t"],
    [undefined, "yesterday", undefined],
  ]);
});

test("a server that names no version has none, and is read whole each time", async () => {
  const url = await serve((_, response) => response.end("same"));
  const first = await read(url);
  expect(first).toMatchObject({ version: {}, contentType: null });
  expect(textOf(await read(url, { version: first?.version }))).toBe("same");
});

test("one of exactly the bytes allowed is read, one with more is not, nor is what comes after", async () => {
  const url = await serve((request, response) => {
    if (request.url === "/feed") return void response.end("x".repeat(1000));
    const more = (): void =>
      void (response.writable && response.write("x".repeat(400), () => setImmediate(more)));
    return more(); // without an end, and without its length
  });
  expect(textOf(await read(url))).toHaveLength(1000);
  const refusal = {
    fate: "reject",
    code: "too_large",
    message: "the document has more than 999 bytes",
    hint: expect.stringContaining("max_bytes"),
  };
  await expect(read(url, { maxBytes: 999 })).rejects.toMatchObject(refusal);
  await expect(read(`${url}?endless`)).rejects.toMatchObject({ code: "too_large" });
});

test("a small answer that unpacks to a large one is too large", async () => {
  const bomb = gzipSync(Buffer.alloc(1_000_000));
  const url = await serve((_, response) => response.writeHead(200, { "content-encoding": "gzip" }).end(bomb));
  await expect(read(url, { maxBytes: 100_000 })).rejects.toMatchObject({ code: "too_large" });
});

test("the time is for all of it: also for one that comes drop by drop", async () => {
  const url = await serve((request, response) => {
    if (request.url === "/feed") return; // says nothing at all
    const timer = setInterval(() => response.write("x"), 20);
    response.on("close", () => clearInterval(timer));
  });
  for (const where of [url, `${url}?drops`])
    await expect(read(where, { timeoutMs: 300 })).rejects.toMatchObject({ fate: "reconnect" });
});

test("an answer that breaks off is none, not half of one", async () => {
  const url = await serve((_, response) => {
    response.writeHead(200, { "content-length": "900" });
    response.write("half", () => response.destroy());
  });
  await expect(read(url)).rejects.toMatchObject({ fate: "reconnect" });
});

test("failures have the fates of HTTP, unless the judge knows better", async () => {
  const url = await serve((request, response) => {
    response.writeHead(Number(request.headers["x-status"]), { "retry-after": "7" }).end("words");
  });
  const asked = (status: number, more: Partial<Reading> = {}): Promise<unknown> =>
    read(url, { headers: { "x-status": String(status) }, ...more });
  await expect(asked(404)).rejects.toMatchObject({ fate: "reject", message: "404 words" });
  await expect(asked(503)).rejects.toMatchObject({ fate: "retry", retryAfterMs: 7000 });
  // A proxy's answer: to a request that sends it would be uncertain.
  await expect(asked(502)).rejects.toMatchObject({ fate: "reconnect" });
  await expect(asked(429)).rejects.toMatchObject({ fate: "rate_limited", retryAfterMs: 7000 });
  const judge = ({ status }: { status: number }) => stop(`no ${status}`);
  await expect(asked(401, { judge })).rejects.toMatchObject({ fate: "stop", message: "no 401" });
  const nobody = `http://127.0.0.1:${await freePort()}/`;
  await expect(read(nobody)).rejects.toMatchObject({ fate: "reconnect" });
});

test("asked not to, it follows no redirect", async () => {
  const paths: Array<string | undefined> = [];
  const url = await serve((request, response) => {
    paths.push(request.url);
    response.writeHead(302, { location: "/elsewhere" }).end();
  });
  await expect(read(url, { redirect: "manual" })).rejects.toMatchObject({ fate: "reject" });
  expect(paths).toEqual(["/feed"]);
});
