// HTTP out: what is posted, and what each answer makes of the message.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTcpServer, type AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import { describe, expect, onTestFinished, test } from "vitest";
import { retryAfterMs } from "../../../connectors/webhook/deliver-out.ts";
import { freePort } from "../../helpers/ports.ts";
import { open } from "./session.ts";

interface Seen {
  method: string | undefined;
  url: string | undefined;
  headers: IncomingMessage["headers"];
  body: string;
}

/** A receiver on a free port that answers as it is told. */
async function receiver(
  respond: (response: ServerResponse, seen: Seen) => void = (response) => response.end(),
): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      const { method, url, headers } = request;
      seen.push({ method, url, headers, body });
      respond(response, { method, url, headers, body });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/in?x=1`, seen };
}

const answering = (
  status: number,
  body = "",
  headers: Record<string, string> = {},
): ReturnType<typeof receiver> => receiver((response) => response.writeHead(status, headers).end(body));

/** What the error says of the message. */
async function fateOf(
  send: Promise<unknown>,
): Promise<{ fate: string; code: string; message: string; retryAfterMs?: number; hint: string }> {
  return send.then(
    () => expect.fail("it was sent"),
    (error: { fate: string; code: string; message: string; hint: string }) => error,
  );
}

test("a port that fetch blocks is refused with the reason, not tried until the attempts are used up", async () => {
  const web = await open({ url: "http://127.0.0.1:1/" });
  const error = await fateOf(web.send({}));
  expect(error).toMatchObject({ fate: "reject", code: "blocked_port" });
  expect(error.message).toContain("port 1");
});

test("a message is posted as JSON, signed, with its id on every try", async () => {
  const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const next = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
  const { url, seen } = await receiver();
  const web = await open({ url, sign: { secret, secrets: [next] }, headers: { "X-Api-Key": "k" } });
  await web.send({ id: "m-1", text: "grüße 🌊", meta: { a: 1 } });
  await web.send({ id: "m-1", text: "grüße 🌊", meta: { a: 1 } });
  expect(seen).toHaveLength(2);
  for (const { method, url: path, headers, body } of seen) {
    expect([method, path]).toEqual(["POST", "/in?x=1"]);
    expect(headers).toMatchObject({
      "webhook-id": "m-1",
      "x-api-key": "k",
      "content-type": "application/json",
    });
    expect(JSON.parse(body)).toEqual({
      id: "m-1",
      action: "message",
      conversation_id: "c",
      text: "grüße 🌊",
      meta: { a: 1 },
    });
    for (const known of [secret, next]) {
      expect(new Webhook(known).verify(body, headers as Record<string, string>)).toBeTruthy();
    }
  }
});

test("attachments go inline", async () => {
  const { url, seen } = await receiver();
  const web = await open({ url });
  await web.send({ attachments: [{ path: "media/abc", name: "a.txt", media_type: "text/plain", size: 18 }] });
  const { attachments } = JSON.parse(seen[0]?.body ?? "") as { attachments: unknown[] };
  const base64 = Buffer.from("bytes of media/abc").toString("base64");
  expect(attachments).toEqual([{ name: "a.txt", media_type: "text/plain", size: 18, base64 }]);
  const tooLarge = web.send({ attachments: [{ path: "media/abc", size: 11_000_000 }] });
  expect(await fateOf(tooLarge)).toMatchObject({ fate: "reject", code: "too_large" });
});

describe("platform_id is the id of the answer", () => {
  test.each([
    ['{"id":"p1"}', { platform_id: "p1" }],
    ['{"id":7}', { platform_id: "7" }],
    ["ok", {}],
    ["", {}],
    ["null", {}],
    ['{"id":{}}', {}],
  ])("%j", async (body, result) => {
    const { url } = await answering(200, body);
    expect(await (await open({ url })).send({})).toEqual(result);
  });
});

describe("answers", () => {
  test.each([
    [400, "reject", "rejected"],
    [401, "reject", "unauthorized"],
    [403, "reject", "unauthorized"],
    [404, "reject", "rejected"],
    [410, "reject", "rejected"],
    [413, "reject", "too_large"],
    [422, "reject", "rejected"],
    [408, "retry", "send_failed"],
    [425, "retry", "send_failed"],
    [429, "rate_limited", "rate_limited"],
    [500, "retry", "send_failed"],
    [502, "retry", "send_failed"],
    [503, "retry", "send_failed"],
  ])("%i is %s", async (status, fate, code) => {
    const { url } = await answering(status, "the platform's own words");
    const error = await fateOf((await open({ url })).send({}));
    expect(error).toMatchObject({ fate, code });
    expect(error.message).toContain(`answered ${status}: the platform's own words`);
    expect(error.message).not.toContain("/in?x=1"); // the address may hold a token
  });

  test("a long answer is quoted in part", async () => {
    const { url } = await answering(400, "x".repeat(1_000_000));
    const { message } = await fateOf((await open({ url })).send({}));
    expect(message.length).toBeLessThan(600);
  });

  test("redirects are not followed", async () => {
    const target = await receiver();
    const { url } = await answering(307, "", { location: target.url });
    const error = await fateOf((await open({ url })).send({}));
    expect(error).toMatchObject({ fate: "reject", code: "redirected" });
    expect(error.hint).toContain("Set url");
    expect(target.seen).toEqual([]);
  });

  test.each([
    [429, "7", 7000],
    [429, "", 30_000],
    [503, "120", 120_000],
  ])("%i with Retry-After %j waits %i ms", async (status, header, ms) => {
    const { url } = await answering(status, "", header === "" ? {} : { "retry-after": header });
    expect((await fateOf((await open({ url })).send({}))).retryAfterMs).toBe(ms);
  });
});

test("Retry-After in seconds and as a date, within limits", () => {
  const now = Date.parse("2026-11-20T23:52:01Z");
  expect(retryAfterMs("Fri, 20 Nov 2026 23:53:01 GMT", now)).toBe(60_000);
  expect(retryAfterMs("Fri, 20 Nov 2020 23:53:01 GMT", now)).toBe(1000);
  expect(retryAfterMs("0", now)).toBe(1000);
  expect(retryAfterMs("99999999", now)).toBe(24 * 3_600_000);
  expect(retryAfterMs("soon", now)).toBeUndefined();
  expect(retryAfterMs(null, now)).toBeUndefined();
});

describe("the network", () => {
  test("refused and unknown hosts are retried: nothing was sent", async () => {
    const web = await open({ url: `http://127.0.0.1:${await freePort()}/secret-path` });
    const error = await fateOf(web.send({}));
    expect(error).toMatchObject({ fate: "retry" });
    expect(error.message).toMatch(/cannot reach 127.0.0.1:\d+: .*ECONNREFUSED/);
    expect(error.message).not.toContain("secret-path");
    const localhost = await open({ url: `http://localhost:${await freePort()}/` });
    expect((await fateOf(localhost.send({}))).message).toContain("ECONNREFUSED");
    const nowhere = await open({ url: "http://nowhere.invalid/" });
    expect(await fateOf(nowhere.send({}))).toMatchObject({ fate: "retry" });
  });

  test("TLS that fails is retried: nothing was sent", async () => {
    const { url } = await receiver();
    expect(await fateOf((await open({ url: url.replace("http:", "https:") })).send({}))).toMatchObject({
      fate: "retry",
    });
  });

  test("no answer in time is uncertain", async () => {
    const { url, seen } = await receiver(() => undefined);
    const error = await fateOf((await open({ url, timeout_s: 1 })).send({}));
    expect(error).toMatchObject({ fate: "uncertain" });
    expect(seen).toHaveLength(1);
  });

  test("a connection that breaks after the request was written is uncertain", async () => {
    const server = createTcpServer((socket) => socket.once("data", () => socket.resetAndDestroy()));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const web = await open({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` });
    expect(await fateOf(web.send({}))).toMatchObject({ fate: "uncertain" });
  });

  test("a 2xx counts, even when its body breaks off", async () => {
    const { url } = await receiver((response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("{");
      setTimeout(() => response.destroy(), 20);
    });
    expect(await (await open({ url })).send({})).toEqual({});
  });
});
