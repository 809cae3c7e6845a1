// HTTP in: whose requests are served. Proof of origin, and pages of other sites.
import { createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import { open } from "./session.ts";
import { raw } from "./wire.ts";

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
