// HTTP in, on a real port: what is accepted, what is refused and with which words.
import { createHmac } from "node:crypto";
import { request } from "node:http";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import webhook from "../../../connectors/webhook/connector.ts";
import { waitFor } from "../../helpers/wait.ts";
import { SpoolwayError } from "../../../runtime/errors.ts";
import { errorOf, open, type Opened } from "./session.ts";

/** A request with headers that fetch would not send. Resolves with status, body and headers. */
function raw(
  { port }: Opened,
  options: { method?: string; path?: string; headers?: Record<string, string>; body?: string },
): Promise<{ status: number; text: string; headers: Record<string, string | string[] | undefined> }> {
  return new Promise((resolve, reject) => {
    const { method = "POST", path = "/", headers = {}, body = '{"text":"x"}' } = options;
    const sent = request({ port, host: "127.0.0.1", method, path, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, text, headers: response.headers }),
      );
    });
    sent.on("error", reject);
    sent.end(method === "POST" ? body : undefined);
  });
}

/** Writes text to the port and resolves with all that comes back. */
function talk({ port }: Opened, text: string, thenEnd = false): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => (thenEnd ? socket.end(text) : socket.write(text)));
    let answer = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => (answer += chunk));
    socket.on("error", reject).on("close", () => resolve(answer));
  });
}

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

describe("verification", () => {
  test("bearer: 401 without, 202 with", async () => {
    const web = await open({ verify: { scheme: "bearer", token: "t0ken" } });
    const refused = await web.post("{}");
    expect(refused.status).toBe(401);
    expect(refused.headers.get("www-authenticate")).toBe("Bearer");
    expect((await web.post("{}", { authorization: "Bearer t0ken" })).status).toBe(202);
    expect(JSON.stringify(web.delivered)).not.toContain("t0ken");
  });

  test("github: the raw bytes count, and a redelivery is known by X-GitHub-Delivery", async () => {
    const web = await open({ verify: { scheme: "github", secret: "s3cret" } });
    const body = '{ "zen":"Keep it logically awesome." }';
    const signature = `sha256=${createHmac("sha256", "s3cret").update(body).digest("hex")}`;
    const headers = {
      "x-hub-signature-256": signature,
      "x-github-delivery": "d-1",
      "x-github-event": "ping",
    };
    expect((await web.post(body, headers)).status).toBe(202);
    expect((await web.post(body, headers)).status).toBe(200);
    expect((await web.post(`${body} `, headers)).status).toBe(401);
    expect(web.delivered).toHaveLength(1);
    expect(web.delivered[0]).toMatchObject({ kind: "event", platform_id: "d-1" });
  });

  test("slack: the challenge is answered only when it is signed, and is no event", async () => {
    const web = await open({ verify: { scheme: "slack", secret: "s3cret" } });
    const body = '{"type":"url_verification","challenge":"3eZbrw1aB"}';
    const at = String(Math.floor(Date.now() / 1000));
    const sign = (text: string): string =>
      `v0=${createHmac("sha256", "s3cret").update(`v0:${at}:${text}`).digest("hex")}`;
    const headers = { "x-slack-request-timestamp": at, "x-slack-signature": sign(body) };
    const response = await web.post(body, headers);
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("3eZbrw1aB");
    expect((await web.post(body, { ...headers, "x-slack-signature": "v0=00" })).status).toBe(401);
    expect(web.delivered).toEqual([]);

    const command = "command=%2Fspool&text=hi&trigger_id=1.2";
    const type = "application/x-www-form-urlencoded";
    const answer = await web.post(command, {
      ...headers,
      "x-slack-signature": sign(command),
      "content-type": type,
    });
    expect([answer.status, await answer.text()]).toEqual([200, ""]);
    expect(web.delivered[0]?.content?.text).toBe("hi");
  });

  test("a wrong signature is seen in the log once, not a thousand times, and without the body", async () => {
    const web = await open({ verify: { scheme: "github", secret: "s3cret" } });
    for (let n = 0; n < 20; n += 1)
      await web.post('{"text":"private"}', { "x-hub-signature-256": "sha256=00" });
    const lines = web.log.filter(({ event }) => event === "webhook.refused");
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ level: "warn", fields: { status: 401, code: "bad_signature" } });
    expect(JSON.stringify(web.log)).not.toMatch(/private|s3cret/);
  });
});

describe("pages of other sites cannot use a port on loopback", () => {
  test("a foreign Origin is refused, unless listed", async () => {
    const web = await open({ cors_origins: ["https://app.example.org"] });
    for (const origin of [
      "https://evil.example",
      "null",
      "https://app.example.org.evil.example",
      "http://app.example.org",
    ]) {
      expect((await raw(web, { headers: { origin } })).status, origin).toBe(403);
    }
    const response = await raw(web, { headers: { origin: "https://app.example.org" } });
    expect(response.status).toBe(202);
    expect(response.headers["access-control-allow-origin"]).toBe("https://app.example.org");
    expect(web.delivered).toHaveLength(1);
  });

  test("a listed origin's preflight is answered, a foreign one's is not", async () => {
    const web = await open({ cors_origins: ["https://app.example.org"] });
    const preflight = (origin: string): ReturnType<typeof raw> =>
      raw(web, { method: "OPTIONS", headers: { origin, "access-control-request-method": "POST" } });
    const allowed = await preflight("https://app.example.org");
    expect(allowed.status).toBe(204);
    expect(allowed.headers["access-control-allow-methods"]).toContain("POST");
    const foreign = await preflight("https://evil.example");
    expect(foreign.status).toBe(403);
    expect(foreign.headers["access-control-allow-origin"]).toBeUndefined();
  });

  test("the own page may: same origin", async () => {
    const web = await open();
    expect((await raw(web, { headers: { origin: web.origin } })).status).toBe(202);
    expect((await raw(web, { headers: { origin: "http://127.0.0.1:1" } })).status).toBe(403);
  });

  test("DNS rebinding: a foreign Host is refused even where Origin agrees", async () => {
    const web = await open();
    for (const host of [
      "evil.example",
      `evil.example:${web.port}`,
      "127.0.0.1.evil.example",
      "localhost.evil.example",
    ]) {
      const response = await raw(web, { headers: { host, origin: `http://${host}` } });
      expect(response.status, host).toBe(403);
      expect(response.text).toContain("allowed_hosts");
    }
    for (const host of ["localhost", "LOCALHOST:9", "127.0.0.1", "127.8.8.8:1", `[::1]:${web.port}`]) {
      expect((await raw(web, { headers: { host } })).status, host).toBe(202);
    }
  });

  test("a name behind a tunnel is allowed by allowed_hosts", async () => {
    const web = await open({ allowed_hosts: ["Hooks.example.org"] });
    expect((await raw(web, { headers: { host: "hooks.example.org" } })).status).toBe(202);
    expect((await raw(web, { headers: { host: "other.example.org" } })).status).toBe(403);
  });

  test("images and scripts of foreign pages, which have no Origin", async () => {
    const web = await open();
    const headers = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" };
    expect((await raw(web, { method: "GET", path: "/stream?conversation_id=a", headers })).status).toBe(403);
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

describe("connections", () => {
  test("a request that breaks off delivers nothing and disturbs nothing", async () => {
    const web = await open();
    await new Promise<void>((resolve) => {
      const socket = connect(web.port, "127.0.0.1", () => {
        socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"text":');
        setTimeout(() => socket.destroy(), 50);
      });
      socket.on("close", () => resolve());
    });
    await waitFor(() => web.log.some(({ event }) => event === "webhook.request_aborted"));
    expect(web.delivered).toEqual([]);
    expect((await web.post("{}")).status).toBe(202);
  });

  test("a client that never finishes its headers is cut off (slowloris)", { timeout: 20_000 }, async () => {
    const web = await open();
    const from = performance.now();
    const answer = await talk(web, "POST / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
    expect(answer).toMatch(/^HTTP\/1.1 408/);
    expect(performance.now() - from).toBeLessThan(15_000);
  });

  test("more than max_connections are closed, and it is logged", async () => {
    const web = await open({ max_connections: 3 });
    const sockets = Array.from({ length: 3 }, () => connect(web.port, "127.0.0.1"));
    onTestFinished(() => sockets.forEach((socket) => socket.destroy()));
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once("connect", resolve))));
    await expect(raw(web, {})).rejects.toThrow(/hang up|ECONNRESET/);
    expect(web.log.some(({ event }) => event === "webhook.connections_full")).toBe(true);
    sockets[0]?.destroy();
    await waitFor(async () => (await raw(web, {})).status === 202);
  });

  test("when the session ends, a request in flight is finished, a new one gets 503, and the port is free", async () => {
    let stored = (): void => undefined;
    const web = await open({
      deliver: () => new Promise((resolve) => (stored = () => resolve({ id: "e", duplicate: false }))),
    });
    const inFlight = web.post("{}");
    await delay(100);
    const ending = web.end();
    await delay(50);
    stored();
    expect((await inFlight).status).toBe(202);
    await ending;
    await expect(raw(web, {})).rejects.toThrow(/ECONNREFUSED/);
    const next = await open({ port: web.port });
    expect((await next.post("{}")).status).toBe(202);
  });

  test("an idle keep-alive connection does not hold up the end", async () => {
    const web = await open();
    expect((await web.post("{}")).status).toBe(202);
    const from = performance.now();
    await web.end();
    expect(performance.now() - from).toBeLessThan(1000);
  });
});

describe("start", () => {
  test("a port in use: a clear text, tried again", async () => {
    const web = await open();
    const second = open({ port: web.port });
    await expect(second).rejects.toMatchObject({
      code: "port_in_use",
      fate: "reconnect",
      message: expect.stringContaining(`port ${web.port} on 127.0.0.1 is in use`) as string,
      hint: expect.stringContaining("another port") as string,
    });
  });

  test.each([
    [{ host: "0.0.0.0" }, /reachable from other machines/],
    [{ host: "::" }, /reachable from other machines/],
    [{ verify: { scheme: "github" } }, /no verify.secret/],
    [{ url: "http://user:pw@example.org/" }, /user name or password/],
    [{ url: "http://" }, /not a valid URL/],
    [{ headers: { "bad name": "x" } }, /not a valid header/],
    [{ headers: { "Webhook-Id": "x" } }, /set by the connector/],
    [{ url: "http://127.0.0.1/", sign: { secret: "!" } }, /not a Standard Webhooks secret/],
  ])("unsafe or contradictory settings stop it with a hint: %j", async (config, message) => {
    const opened = open(config as Parameters<typeof open>[0]);
    await expect(opened).rejects.toThrow(message);
    await expect(opened).rejects.toMatchObject({
      fate: "stop",
      code: "config_invalid",
      hint: expect.stringMatching(/./) as string,
    });
  });

  test("beyond loopback with verification, or when told so", async () => {
    const verified = await open({ host: "0.0.0.0", verify: { scheme: "bearer", token: "t" } });
    expect(
      (await raw(verified, { headers: { host: "any.example", authorization: "Bearer t" } })).status,
    ).toBe(202);
    await verified.probe();
    const unverified = await open({ host: "0.0.0.0", allow_unverified: true });
    expect((await raw(unverified, { headers: { host: "any.example" } })).status).toBe(202);
    // There is no telling which names are its own, so no page is of the same origin.
    expect(
      (await raw(unverified, { headers: { host: "evil.example", origin: "http://evil.example" } })).status,
    ).toBe(403);
  });

  test("the probe sees a living server and a dead one", async () => {
    const web = await open();
    await web.probe();
    await web.end();
    await expect(web.probe()).rejects.toThrow();
  });

  test("the connector has what the manifest promises", () => {
    expect(Object.keys(webhook).sort()).toEqual(["close", "connect", "probe", "receive", "send"]);
  });
});
