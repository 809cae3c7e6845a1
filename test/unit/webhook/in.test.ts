// HTTP in, on a real port: what is accepted, what is refused and with which words.
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { SpoolwayError } from "../../../runtime/errors.ts";
import { errorOf, open } from "./session.ts";
import { raw, talk } from "./wire.ts";

describe("accepted", () => {
  test("an event is answered with its id after it was delivered; a repetition with the same id", async () => {
    const web = await open();
    const first = await web.post('{"text":"hello"}', { "idempotency-key": "k1" });
    expect(first.status).toBe(202);
    expect(await first.json()).toEqual({ id: "e1", duplicate: false });
    const second = await web.post('{"text":"hello"}', { "idempotency-key": "k1" });
    expect(second.status).toBe(200);
    expect(await second.json()).toEqual({ id: "e1", duplicate: true });
    expect(web.delivered).toHaveLength(1);
  });

  test("nothing is answered before deliver has resolved", async () => {
    let stored = (): void => undefined;
    const web = await open({
      deliver: () => new Promise((resolve) => (stored = () => resolve({ id: "e", duplicate: false }))),
    });
    let answered = false;
    const response = web.post('{"text":"x"}').finally(() => (answered = true));
    await delay(100);
    expect(answered).toBe(false);
    stored();
    expect((await response).status).toBe(202);
  });

  const form = "application/x-www-form-urlencoded";
  test.each([
    ["JSON", "application/json; charset=utf-8", '{"text":"grüße 🌊"}', "grüße 🌊"],
    ["JSON with BOM", "application/json", '\uFEFF{"text":"x"}', "x"],
    ["CloudEvents and other +json", "application/cloudevents+json", '{"text":"x"}', "x"],
    ["what `curl -d '{…}'` sends", form, '{"text":"hello"}', "hello"],
    ["what `curl -d hello` sends", form, "hello world", "hello world"],
    ["a form", form, "text=a+b%26c%C3%BC&sender=ada", "a b&cü"],
    ["a form with a JSON payload", form, `payload=${encodeURIComponent('{"text":"x"}')}`, "x"],
    ["plain text", "text/plain", "hello", "hello"],
    ["plain text that looks like JSON", "text/plain", "{not json", "{not json"],
  ])("%s", async (_what, type, body, text) => {
    const web = await open();
    expect((await web.post(body, { "content-type": type })).status).toBe(202);
    expect(web.delivered[0]?.content?.text).toBe(text);
  });

  test("without a content type it is JSON", async () => {
    const web = await open();
    expect((await raw(web, { headers: {} })).status).toBe(202);
    expect(web.delivered[0]?.content?.text).toBe("x");
  });

  test("integers beyond 2^53 keep their digits", async () => {
    const web = await open();
    await web.post('{"text":"x","conversation_id":9007199254740993,"n":[12345678901234567890,5]}');
    expect(web.delivered[0]?.conversation?.id).toBe("9007199254740993");
    expect(web.delivered[0]?.raw).toMatchObject({ body: { n: ["12345678901234567890", 5] } });
  });

  test("below a path, with and without its slash, query and all", async () => {
    const web = await open({ path: "/hooks/web" });
    expect((await web.post("{}")).status).toBe(202);
    expect((await web.post("{}", {}, "/hooks/web/?source=x")).status).toBe(202);
    expect(web.delivered[1]?.raw).toMatchObject({ path: "/hooks/web/", query: { source: "x" } });
    expect((await web.post("{}", {}, "/")).status).toBe(404);
    expect((await fetch(`${web.origin}/hooks/web/health`)).status).toBe(200);
  });

  test("a sender that asks first (Expect: 100-continue) is told to go on", async () => {
    const web = await open();
    const answer = await talk(
      web,
      "POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
    );
    expect(answer).toMatch(/^HTTP\/1.1 100 Continue[^]*HTTP\/1.1 202/);
  });

  test("five hundred at once, each answered with its own id", async () => {
    const web = await open();
    const ids = await Promise.all(
      Array.from({ length: 500 }, async (_, n) => {
        const response = await web.post(JSON.stringify({ text: `${n}` }));
        return ((await response.json()) as { id: string }).id;
      }),
    );
    expect(new Set(ids).size).toBe(500);
  });
});

describe("refused, with a code and a hint, and nothing is delivered", () => {
  const json = "application/json";
  const utf16 = Buffer.from('\uFEFF{"text":"x"}', "utf16le");
  const deep = "[".repeat(65) + "]".repeat(65);
  test.each([
    ["broken JSON", json, '{"text":', 400, "invalid_json"],
    ["an empty body", json, "", 400, "invalid_json"],
    ["UTF-16", json, utf16, 400, "invalid_encoding"],
    ["invalid UTF-8", json, Buffer.from([0x22, 0xff, 0x22]), 400, "invalid_encoding"],
    ["a NUL byte", json, '"\0"', 400, "invalid_encoding"],
    ["__proto__ keys", json, '{"a":{"__proto__":{"x":1}}}', 400, "forbidden_key"],
    ["65 levels", json, deep, 400, "too_deep"],
    ["100,000 levels", json, "[".repeat(100_000), 400, "too_deep"],
    ["duplicate keys", json, '{"a":1,"a":2}', 400, "duplicate_key"],
    ["a broken form", "application/x-www-form-urlencoded", "text=%FF", 400, "invalid_encoding"],
    ["a form with __proto__", "application/x-www-form-urlencoded", "__proto__=1", 400, "forbidden_key"],
    ["UTF-16 text", "text/plain", utf16, 400, "invalid_encoding"],
    ["another charset", "text/plain; charset=iso-8859-1", "x", 415, "unsupported_charset"],
    ["XML", "application/xml", "<x/>", 415, "unsupported_media_type"],
    ["multipart", "multipart/form-data; boundary=x", "--x--", 415, "unsupported_media_type"],
  ])("%s", async (_what, type, body, status, code) => {
    const web = await open();
    const response = await web.post(body, { "content-type": type });
    expect(response.status).toBe(status);
    const error = await errorOf(response);
    expect(error.code).toBe(code);
    expect(error.message).not.toBe("");
    expect(error.hint).not.toBe("");
    expect(web.delivered).toEqual([]);
  });

  test("64 levels are fine", async () => {
    const web = await open();
    expect((await web.post("[".repeat(64) + "]".repeat(64))).status).toBe(202);
  });

  test("compressed bodies", async () => {
    const web = await open();
    const response = await web.post("x", { "content-encoding": "gzip" });
    expect(response.status).toBe(415);
  });

  test("other methods, with Allow", async () => {
    const web = await open({ page: false });
    for (const method of ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
      const response = await fetch(web.origin, { method });
      expect(response.status, method).toBe(405);
      expect(response.headers.get("allow")).toBe("POST");
    }
    expect((await fetch(`${web.origin}/health`, { method: "POST" })).status).toBe(405);
  });

  test("other paths", async () => {
    const web = await open();
    for (const path of ["/x", "/streams", "//", "/../etc/passwd", "/%2e%2e/"]) {
      expect((await raw(web, { path })).status, path).toBe(404);
    }
  });

  test("a query parameter named __proto__", async () => {
    const web = await open();
    expect((await web.post("{}", {}, "/?__proto__=1")).status).toBe(400);
  });

  test("what is not HTTP", async () => {
    const web = await open();
    expect(await talk(web, "hello\r\n\r\n")).toMatch(/^HTTP\/1.1 400 Bad Request[^]*"code":"bad_request"/);
    expect(await talk(web, `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(20_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 431/,
    );
  });
});

describe("size", () => {
  test("exactly max_body is fine, one more is 413", async () => {
    const web = await open({ max_body: 100 });
    expect((await web.post(`"${"x".repeat(98)}"`)).status).toBe(202);
    const response = await web.post(`"${"x".repeat(99)}"`);
    expect(response.status).toBe(413);
    expect((await errorOf(response)).hint).toContain("max_body");
  });

  test("a declared length is refused before a byte of the body is sent", async () => {
    const web = await open();
    const head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999999\r\n";
    expect(await talk(web, `${head}Expect: 100-continue\r\n\r\n`, true)).toMatch(/^HTTP\/1.1 413/);
    expect(await talk(web, `${head}\r\n`)).toMatch(/^HTTP\/1.1 413/);
  });

  test("a body without end (chunked) is cut off at the limit, and the sender sees why", async () => {
    const web = await open({ max_body: 1000 });
    let sent = 0;
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(web.port, "127.0.0.1");
      let text = "";
      socket.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      socket.on("close", () => resolve(text));
      socket.on("error", (error: NodeJS.ErrnoException) =>
        ["EPIPE", "ECONNRESET"].includes(error.code ?? "") ? undefined : reject(error),
      );
      socket.write("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
      const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`;
      const more = (): void => {
        while (!socket.destroyed && socket.write(chunk)) sent += chunk.length;
      };
      socket.on("drain", more);
      more();
    });
    expect(answer).toMatch(/^HTTP\/1.1 413/);
    expect(sent).toBeLessThan(50_000_000);
    expect(web.delivered).toEqual([]);
  });
});

describe("when it cannot be stored", () => {
  test("503 with Retry-After, without inner details", async () => {
    const web = await open({
      deliver: () => Promise.reject(new SpoolwayError("spool_write_failed", "ENOSPC at /secret/path")),
    });
    const response = await web.post('{"text":"x"}');
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("5");
    const text = await response.text();
    expect(text).toContain("spool_write_failed");
    expect(text).not.toContain("/secret/path");
  });

  test("an unknown error too", async () => {
    const web = await open({ deliver: () => Promise.reject(new Error("boom")) });
    expect((await web.post("{}")).status).toBe(503);
  });
});
