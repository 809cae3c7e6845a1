// The server's life: start, connections that break, stall or are too many, and the end.
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import webhook from "../../../connectors/webhook/connector.ts";
import { waitFor } from "../../helpers/wait.ts";
import { open } from "./session.ts";
import { raw, talk } from "./wire.ts";

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
