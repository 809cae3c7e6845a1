// What feeds are like beside the contract: four formats, conditional requests, edits that are none, one id for several entries, broken and moved feeds, several at once.
import { describe, expect, test } from "vitest";
import type { InboundEvent } from "../../schema/types.ts";
import { type Bus, startBus } from "../helpers/bus.ts";
import { atEnd } from "../helpers/children.ts";
import type { FeedEntry, FeedFormat } from "../helpers/servers/feedFormats.ts";
import { FeedServer } from "../helpers/servers/feedServer.ts";
import { waitFor } from "../helpers/wait.ts";

const name = "feeds";

async function open(feeds: Record<string, FeedFormat>): Promise<{ server: FeedServer; base: string }> {
  const server = new FeedServer();
  await server.start();
  atEnd(() => server.stop());
  for (const [path, format] of Object.entries(feeds)) server.add(path, format);
  return { server, base: `http://127.0.0.1:${server.port}` };
}

const run = (feeds: string[], more: object = {}): Promise<Bus> =>
  startBus({
    connectors: [{ name, type: "rss", feeds, timeout_s: 5, runtime: { sync_every: "200ms" }, ...more }],
  });

/** What the heartbeat says is wrong, once it says so. */
const failing = (bus: Bus): Promise<string> =>
  waitFor(() => bus.heartbeat(name)?.liveness === "failing" && bus.heartbeat(name)?.error?.message);

const texts = (bus: Bus): unknown[] => bus.events().map((event) => event.content?.text);
/** Two more requests of a path have been answered: what was there was read, and dealt with. */
async function polled(server: FeedServer, path: string): Promise<void> {
  const count = (): number => server.requests.filter((one) => one.path === path).length;
  const before = count();
  await waitFor(() => count() >= before + 2, { message: `requests of ${path}` });
}

const entry: FeedEntry = {
  id: "urn:1",
  title: "Fish & chips",
  text: "a < b\nsecond line",
  author: "Ada",
  link: "https://example.org/1?a=1&b=2",
  published: "2026-11-21T10:00:00.000Z",
};

describe("rss", { timeout: 60_000 }, () => {
  test.each<FeedFormat>(["rss", "atom", "json", "rdf"])("%s says the same in its own way", async (format) => {
    const { server, base } = await open({ "/feed": format });
    server.publish("/feed", entry);
    const bus = await run([`${base}/feed`]);
    const event = await bus.waitForEvent(() => true);
    expect(event).toMatchObject({
      kind: "item",
      occurred_at: entry.published,
      sender: { id: "Ada", display_name: "Ada" },
      conversation: { id: `${base}/feed`, type: "channel", name: "Example" },
      platform_id: "urn:1",
      content: { subject: "Fish & chips", text: "a < b\nsecond line", format: "plain" },
    });
    expect(JSON.stringify(event.raw)).toContain("https://example.org/1?a=1&b=2");
  });

  test("of an Atom entry that says only when it was updated, that is its time, as Atom wants it", async () => {
    const { server, base } = await open({ "/feed": "atom" });
    server.publish("/feed", { id: "urn:1", text: "release", updated: "2026-11-21T11:00:00.000Z" });
    const bus = await run([`${base}/feed`]);
    expect(await bus.waitForEvent("release")).toMatchObject({
      kind: "item",
      occurred_at: "2026-11-21T11:00:00.000Z",
    });
  });

  test("asks with the ETag of what it has dealt with, also after a restart, and a 304 is enough", async () => {
    const { server, base } = await open({ "/feed": "rss" });
    server.publish("/feed", entry);
    const bus = await run([`${base}/feed`]);
    await bus.waitForEvent(() => true);
    await polled(server, "/feed");
    await bus.restart();
    await polled(server, "/feed");
    const [first, ...later] = server.requests;
    expect([first?.status, first?.headers["if-none-match"]]).toEqual([200, undefined]);
    // The first session asks twice before it has dealt with anything: once to see whether anybody answers.
    expect(later.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(1);
    expect(later.at(-1)).toMatchObject({ status: 304 });
    expect(bus.events()).toHaveLength(1);
  });

  test("killed in the middle of a feed, it goes on with what has not come, and nothing comes twice", async () => {
    const { server, base } = await open({ "/feed": "rss" });
    let asked = 0;
    server.pages.set("/file", (_, response) => {
      asked += 1;
      if (asked > 1) response.end("bytes"); // at first no answer
    });
    const file = { url: "/file", name: "file", type: "text/plain", size: 5 };
    server.publish("/feed", { id: "urn:1", text: "first" });
    server.publish("/feed", { id: "urn:2", text: "second", file });
    server.publish("/feed", { id: "urn:3", text: "third" });
    const bus = await run([`${base}/feed`], { attachments: "same_host" });
    await bus.waitForEvent("first");
    await waitFor(() => asked === 1);
    await bus.killConnector(name);
    await bus.waitForEvent("third");
    await polled(server, "/feed");
    expect(texts(bus)).toEqual(["first", "second", "third"]);
    expect(bus.events()[1]?.content?.attachments?.[0]).toMatchObject({ size: 5 });
  });

  test("Last-Modified will do where there is no ETag", async () => {
    const { server, base } = await open({});
    const modified = "Sat, 21 Nov 2026 10:00:00 GMT";
    server.pages.set("/feed", (request, response) => {
      const isKnown = request.headers["if-modified-since"] === modified;
      response.writeHead(isKnown ? 304 : 200, { "last-modified": modified });
      response.end(isKnown ? undefined : "<rss version='2.0'><channel><title>t</title></channel></rss>");
    });
    await run([`${base}/feed`]);
    await waitFor(() => server.requests.at(-1)?.status === 304);
  });

  test("an edit is told once for each version, also back to an older one; new bytes of the same are none", async () => {
    const { server, base } = await open({ "/feed": "json" });
    server.publish("/feed", entry);
    const bus = await run([`${base}/feed`]);
    await bus.waitForEvent(entry.text);
    for (const text of ["second", entry.text, "second", "last"]) {
      const before = bus.events().length;
      server.edit("/feed", entry.id, { text });
      await waitFor(() => bus.events().length === before + 1);
      server.touch("/feed");
      server.edit("/feed", entry.id, { updated: new Date().toISOString() });
      await polled(server, "/feed");
    }
    expect(texts(bus)).toEqual([entry.text, "second", entry.text, "second", "last"]);
    expect(bus.events().map(({ kind }) => kind)).toEqual(["item", "edit", "edit", "edit", "edit"]);
    expect(bus.events().at(-1)?.target).toEqual({ platform_id: "urn:1" });
  });

  test("of a feed that is new to it only the newest come, the oldest of them first; then all", async () => {
    const { server, base } = await open({ "/feed": "atom" });
    for (let n = 0; n < 30; n++) server.publish("/feed", { id: `urn:${n}`, text: `entry ${n}` });
    const bus = await run([`${base}/feed`], { backlog: 3 });
    await polled(server, "/feed");
    expect(texts(bus)).toEqual(["entry 27", "entry 28", "entry 29"]);
    for (let n = 30; n < 50; n++) server.publish("/feed", { id: `urn:${n}`, text: `entry ${n}` });
    await bus.waitForEvent("entry 49");
    expect(texts(bus)).toEqual(Array.from({ length: 23 }, (_, n) => `entry ${n + 27}`));
  });

  test("entries that share an id, or have none, are told apart, and come once", async () => {
    const { server, base } = await open({});
    const items = ["one", "two", "two"].map(
      (title) => `<item><guid>same</guid><title>${title}</title></item>`,
    );
    const bare = ["three", "four"].map((title) => `<item><title>${title}</title></item>`);
    server.pages.set("/feed", (_, response) => {
      response.end(`<rss version="2.0"><channel>${[...items, ...bare].join("")}</channel></rss>`);
    });
    const bus = await run([`${base}/feed`]);
    await waitFor(() => bus.events().length >= 4);
    await polled(server, "/feed");
    const titles = bus.events().map((event: InboundEvent) => event.content?.subject);
    expect(titles).toEqual(["four", "three", "two", "one"]);
    expect(bus.events().every(({ kind }) => kind === "item")).toBe(true);
  });

  test("a feed in an old character set, with a bare & and a relative link, is read", async () => {
    const { server, base } = await open({});
    const head = '<?xml version="1.0" encoding="iso-8859-1"?>';
    const item =
      "<item><title>Käse & Brot</title><link>/1</link><description>&lt;a href='/2'&gt;hier&lt;/a&gt;</description></item>";
    const bytes = Buffer.from(
      `\n${head}<rss version="2.0"><channel><title>t</title>${item}</channel></rss>`,
      "latin1",
    );
    server.file("/feed", bytes);
    const bus = await run([`${base}/feed`]);
    const event = await bus.waitForEvent(() => true);
    expect(event.content).toMatchObject({ subject: "Käse & Brot", text: `hier (${base}/2)` });
  });

  test("broken feeds take no other down, are logged once with what to do, and are read when they are whole", async () => {
    const { server, base } = await open({ "/good": "rss" });
    const link = '<link rel="alternate" type="application/rss+xml" href="/good">';
    server.file("/page", Buffer.from(`<html><head>${link}</head></html>`));
    server.file(
      "/bomb",
      Buffer.from(
        '<!DOCTYPE r [<!ENTITY b SYSTEM "file:///etc/passwd">]><rss version="2.0"><channel><title>&b;</title></channel></rss>',
      ),
    );
    server.file("/large", Buffer.alloc(3000, " "));
    const paths = ["/page", "/bomb", "/large", "/missing", "/good"];
    const bus = await run(
      paths.map((path) => base + path),
      { max_bytes: 2000 },
    );
    server.publish("/good", entry);
    await bus.waitForEvent(entry.text);
    await polled(server, "/missing");
    const failed = bus
      .logs()
      .split("\n")
      .filter((line) => line.includes('"source.failed"'));
    expect(failed, failed.join("\n")).toHaveLength(4);
    expect(failed.find((line) => line.includes("/page"))).toContain(`whose feed is ${base}/good`);
    expect(failed.find((line) => line.includes("/large"))).toContain("too_large");
    expect(failed.find((line) => line.includes("/missing"))).toContain("404");
    // The hints of messages that cannot be sent would help nobody here.
    for (const line of failed) expect(line).toMatch(/"hint":"[^"]*connectors\.yml/);
    server.add("/missing", "rss");
    server.publish("/missing", { id: "urn:2", text: "back" });
    await bus.waitForEvent("back");
  });

  test("when the only feed is none, it is not green, and says why", async () => {
    const { server, base } = await open({});
    server.file("/feed", Buffer.from("hello"));
    const bus = await run([`${base}/feed`]);
    expect(await failing(bus)).toContain("this is no feed");
  });

  test("a file without an address is none, one with a size that is none has none, and one from elsewhere is only named", async () => {
    const { server, base } = await open({});
    const other = await open({});
    const elsewhere = `http://localhost:${other.server.port}/a.mp3`;
    const files = `<enclosure length="3"/><enclosure url="/missing.mp3" length="-1"/><enclosure url="${elsewhere}" length="-1" type="audio/mpeg"/>`;
    server.file(
      "/feed",
      Buffer.from(`<rss version="2.0"><channel><item><title>podcast</title>${files}</item></channel></rss>`),
    );
    const bus = await run([`${base}/feed`], { attachments: "same_host" });
    const event = await bus.waitForEvent(() => true);
    expect(event.content?.attachments).toEqual([
      { name: "missing.mp3", url: `${base}/missing.mp3`, omitted: "unavailable" },
      { name: "a.mp3", url: elsewhere, media_type: "audio/mpeg", omitted: "not_fetched" },
    ]);
    expect(other.server.requests).toEqual([]);
  });

  test("parameters of the configuration are in no event, whatever the feed's links are relative to", async () => {
    const { server, base } = await open({});
    const item = `<item><title>t</title><link>#1</link><description>&lt;a href="?"&gt;x&lt;/a&gt;&lt;a href="#a"&gt;y&lt;/a&gt;&lt;a href=""&gt;z&lt;/a&gt;</description><enclosure url="#file"/></item>`;
    server.file(
      "/feed?key=k3y",
      Buffer.from(`<rss version="2.0"><channel><title>t</title>${item}</channel></rss>`),
    );
    const bus = await run([`${base}/feed`], { query: { key: "k3y" } });
    const event = await bus.waitForEvent(() => true);
    expect(event.content?.attachments?.[0]?.url).toBe(`${base}/feed#file`);
    expect(JSON.stringify(event)).not.toContain("k3y");
  });

  test("asked to wait (429, Retry-After), it waits", async () => {
    const { server, base } = await open({ "/good": "rss" });
    const times: number[] = [];
    server.pages.set("/busy", (_, response) => {
      times.push(performance.now());
      response.writeHead(429, { "retry-after": "2" }).end();
    });
    await run([`${base}/good`, `${base}/busy`]);
    await waitFor(() => times.length >= 2);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(1900);
  });

  test("secrets of the configuration go to the feed's own address only, and are in no event and no log", async () => {
    const { server, base } = await open({});
    const other = await open({ "/feed": "rss" });
    server.pages.set("/feed?key=k3y", (_, response) => {
      response.writeHead(302, { location: `${other.base}/feed` }).end();
    });
    const secrets = { query: { key: "k3y" }, headers: { "x-token": "t0ken" } };
    const bus = await run([`${base}/feed`], secrets);
    expect(await failing(bus)).toContain("302");
    expect(server.requests[0]?.headers["x-token"]).toBe("t0ken");
    expect(other.server.requests).toEqual([]);
    expect(bus.logs()).not.toMatch(/k3y|t0ken/);
  });
});
