// The chat page: who gets it, and what it may do.
import { get, type IncomingMessage } from "node:http";
import { text as readText } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { open, type OpenOptions } from "./session.ts";

describe("the page", () => {
  /** As a browser asks that follows a link (fetch would overwrite the sec-fetch headers). */
  const browse = async (url: string): Promise<{ response: IncomingMessage; html: string }> => {
    const headers = {
      accept: "text/html,*/*;q=0.8",
      "sec-fetch-site": "cross-site",
      "sec-fetch-mode": "navigate",
    };
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get(url, { headers, agent: false }, resolve).on("error", reject);
    });
    return { response, html: await readText(response) };
  };

  test("a browser on this machine gets a page that can only talk to this server", async () => {
    const web = await open({ name: "web-1", path: "/hook" });
    const { response, html } = await browse(`${web.origin}/hook`);
    expect(response.statusCode).toBe(200);
    expect(response.headers["content-type"]).toContain("text/html");
    const policy = String(response.headers["content-security-policy"]);
    expect(policy).toContain("frame-ancestors 'none'");
    const nonce = /default-src 'none'; script-src 'nonce-([^']+)'/.exec(policy)?.[1];
    expect(html).toContain(`<script nonce="${nonce}">`);
    expect(html).toContain('data-base="/hook/"');
    expect(html).toContain("spool/outbox/web-1/1.json");
    expect(html).not.toMatch(/@[A-Z]+@|innerHTML/);
  });

  test("nobody else does, and not where requests are verified", async () => {
    const status = async (options: OpenOptions): Promise<number | undefined> =>
      (await browse((await open(options)).origin)).response.statusCode;
    expect(await status({})).toBe(200);
    const plain = await fetch((await open()).origin);
    expect(plain.status).toBe(405);
    expect(await plain.text()).toContain("Post an event: curl");
    expect(await status({ page: false })).toBe(405);
    expect(await status({ stream: false })).toBe(405);
    expect(await status({ verify: { scheme: "bearer", token: "t" } })).toBe(405);
    expect(await status({ host: "0.0.0.0", allow_unverified: true })).toBe(405);
  });
});
