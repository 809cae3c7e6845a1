// Files that somebody else's entry names by their addresses: only named, or fetched, from where the user allows it. On real HTTP servers.
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { type Fetching, linkedFiles, type LinkedFile } from "../../../../runtime/sdk/http/linked-files.ts";
import { fetchIn } from "../../../../runtime/session-fetch.ts";
import type { DraftAttachment } from "../../../../runtime/sdk.ts";
import { freePort } from "../../../helpers/ports.ts";

const session = new AbortController();
const contextOf = (signal: AbortSignal) => ({
  signal,
  fetch: (input: string | URL, init?: RequestInit) => fetchIn(signal, input, init),
});

/** As 127.0.0.1 and as localhost it is on two hosts. */
async function serve(answer: RequestListener): Promise<{ port: number; paths: string[] }> {
  const paths: string[] = [];
  const server = createServer((request, response) => {
    paths.push(request.url ?? "");
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, paths };
}

const home = "http://127.0.0.1:1/feed";

function attach(
  url: string,
  fetching: Fetching,
  more: Partial<LinkedFile> = {},
  from = home,
): DraftAttachment {
  const file = { url, name: undefined, type: undefined, size: undefined, ...more };
  const [attachment] = linkedFiles(contextOf(session.signal), [file], fetching, from);
  if (attachment === undefined) throw new Error("no attachment");
  return attachment;
}

const bytes = ({ data }: DraftAttachment): Promise<string> => text(data as Readable);

test("link: named with all that is known of it, and nothing is asked of its host", async () => {
  const { port, paths } = await serve((_, response) => response.end("x"));
  const url = `http://127.0.0.1:${port}/a/episode%201.mp3?x=1`;
  const named = { name: "episode 1.mp3", url, media_type: "audio/mpeg", size: 5, omitted: "not_fetched" };
  expect(attach(url, "link", { type: "audio/mpeg", size: 5 })).toEqual(named);
  expect(attach(url, "link", { name: "Own name" })).toEqual({
    name: "Own name",
    url,
    omitted: "not_fetched",
  });
  expect(paths).toEqual([]);
});

test.each([-1, 0.5, Number.NaN, 1e30])("a size of %s, as feeds say it, is none", (size) => {
  expect(attach("http://127.0.0.1:1/a", "link", { size })).not.toHaveProperty("size");
  expect(attach("http://127.0.0.1:1/a", "fetch", { size })).not.toHaveProperty("size");
});

test.each([
  ["http://a.org/", "file"],
  ["http://a.org/x/", "file"],
  ["http://a.org/100%.pdf", "100%.pdf"],
  ["http://a.org/%E2%82%AC.pdf", "€.pdf"],
  ["no address", "file"],
])("without a name, %s is called %s", (url, name) => {
  expect(attach(url, "link").name).toBe(name);
});

test("same_host: its own host and those below it, whatever the port or protocol; all others are only named", () => {
  const isFetched = (url: string, from: string): boolean =>
    attach(url, "same_host", {}, from).data !== undefined;
  const own = ["https://a.org/x", "http://a.org/x", "http://a.org:81/x", "https://files.a.org/x"];
  const others = [
    "https://evila.org/x",
    "https://a.org.evil.org/x",
    "https://org/x",
    "http://127.0.0.1/",
    "no url",
  ];
  expect(own.map((url) => isFetched(url, "https://a.org/feed"))).toEqual(own.map(() => true));
  expect(others.map((url) => isFetched(url, "https://a.org/feed"))).toEqual(others.map(() => false));
  expect(attach("https://b.org/x", "same_host", { size: 5 })).toMatchObject({
    size: 5,
    omitted: "not_fetched",
  });
});

test("same_host: what it fetches cannot send it to another host", async () => {
  const other = await serve((_, response) => response.end("secret"));
  const location = `http://localhost:${other.port}/inside`;
  const { port } = await serve((_, response) => response.writeHead(302, { location }).end());
  const file = attach(`http://127.0.0.1:${port}/a`, "same_host");
  await expect(bytes(file)).rejects.toMatchObject({ fate: "reject", code: "unavailable" });
  expect(other.paths).toEqual([]);
});

test("fetch: from any host, also by a redirect, and only when it is read", async () => {
  const other = await serve((_, response) => response.end("bytes"));
  const location = `http://127.0.0.1:${other.port}/b`;
  const { port, paths } = await serve((_, response) => response.writeHead(302, { location }).end());
  const url = `http://localhost:${port}/a.txt`;
  const file = attach(url, "fetch", { type: "text/plain", size: 5 });
  expect(paths).toEqual([]);
  expect(file).toMatchObject({ name: "a.txt", url, media_type: "text/plain", size: 5, omitIfTooLarge: true });
  expect(await bytes(file)).toBe("bytes");
});

test.each([404, 429, 503])(
  "one that is refused with %s holds nothing up: it is unavailable for good",
  async (status) => {
    const { port } = await serve((_, response) => response.writeHead(status).end());
    const url = `http://127.0.0.1:${port}/a`;
    await expect(bytes(attach(url, "fetch"))).rejects.toMatchObject({ fate: "reject", code: "unavailable" });
  },
);

test("nor does a host that is gone, or one that breaks off", async () => {
  const { port } = await serve((_, response) => {
    response.writeHead(200, { "content-length": "900" });
    response.write("half", () => response.destroy());
  });
  for (const url of [`http://127.0.0.1:${await freePort()}/a`, `http://127.0.0.1:${port}/a`])
    await expect(bytes(attach(url, "fetch"))).rejects.toMatchObject({ fate: "reject", code: "unavailable" });
});

test("when it is our session that ends, the file is not given up", async () => {
  const ending = new AbortController();
  const { port } = await serve(() => ending.abort(new Error("the session is over")));
  const file = { url: `http://127.0.0.1:${port}/a`, name: "a", type: undefined, size: undefined };
  const [attachment] = linkedFiles(contextOf(ending.signal), [file], "fetch", home);
  await expect(bytes(attachment ?? { name: "" })).rejects.toMatchObject({ fate: "reconnect" });
});
