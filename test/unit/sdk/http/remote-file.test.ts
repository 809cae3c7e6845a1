// A file at a URL as an attachment, on real HTTP servers: fetched when it is read, with credentials for the platform only, and left out when it is not given out. And an
// attachment as the body of a request.
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import {
  isElsewhere,
  isNoPage,
  type RemoteFile,
  remoteFile,
} from "../../../../runtime/sdk/http/remote-file.ts";
import { fileBody, fileName } from "../../../../runtime/sdk/http/upload.ts";
import { fetchIn } from "../../../../runtime/session-fetch.ts";
import { freePort } from "../../../helpers/ports.ts";
import { waitFor } from "../../../helpers/wait.ts";

const { signal } = new AbortController();
const ctx = { fetch: (input: string | URL, init?: RequestInit) => fetchIn(signal, input, init) };

async function serve(answer: RequestListener, host = "127.0.0.1"): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://${host}:${(server.address() as AddressInfo).port}`;
}

const read = (file: RemoteFile): Promise<Buffer> => buffer(remoteFile(ctx, file).data as Readable);

test("it is fetched with its headers, and only when it is read", async () => {
  const asked: Array<string | undefined> = [];
  const url = await serve((request, response) => {
    asked.push(request.headers.authorization);
    response.end("bytes");
  });
  const file = {
    name: "a.txt",
    url,
    headers: { authorization: "Bearer t" },
    size: 5,
    mediaType: "text/plain",
  };
  const attachment = remoteFile(ctx, file);
  expect(attachment).toMatchObject({
    name: "a.txt",
    size: 5,
    media_type: "text/plain",
    omitIfTooLarge: true,
  });
  expect(asked).toEqual([]);
  expect(await text(attachment.data as Readable)).toBe("bytes");
  expect(asked).toEqual(["Bearer t"]);
});

test.each([404, 403, 302])("refused with %s it is unavailable for good", async (status) => {
  const url = await serve((_request, response) => response.writeHead(status, { location: "/login" }).end());
  await expect(read({ name: "a", url })).rejects.toMatchObject({ fate: "reject", code: "unavailable" });
});

test.each([429, 503])("refused with %s it is asked for again", async (status) => {
  const url = await serve((_request, response) => response.writeHead(status).end());
  await expect(read({ name: "a", url })).rejects.toMatchObject({ fate: "reconnect" });
});

test("a connection that breaks, or is refused, is asked for again", async () => {
  const url = await serve((_request, response) => {
    response.writeHead(200, { "content-length": "1000" }).write("some");
    setTimeout(() => response.destroy(), 50);
  });
  await expect(read({ name: "a", url })).rejects.toMatchObject({ fate: "reconnect" });
  const nobody = `http://127.0.0.1:${await freePort()}/`;
  await expect(read({ name: "a", url: nobody })).rejects.toMatchObject({ fate: "reconnect" });
});

test("one that fails for longer than patience lasts is unavailable, and others are not", async () => {
  let status = 503;
  const url = await serve((_request, response) => response.writeHead(status).end());
  const patienceMs = 300;
  const fetchIt = (query: string): Promise<unknown> =>
    read({ name: "a", url: `${url}/a${query}`, patienceMs });
  await expect(fetchIt("?signed=1")).rejects.toMatchObject({ fate: "reconnect" });
  const refused = await waitFor(() =>
    fetchIt("?signed=2").catch(({ fate, code }: { fate: string; code: string }) => fate === "reject" && code),
  );
  expect(refused).toBe("unavailable");
  const other = { name: "b", url: `${url}/b`, patienceMs: 0 };
  await expect(read(other)).rejects.toMatchObject({ fate: "reconnect" });
  status = 200;
  await read(other); // which begins anew
  status = 503;
  await expect(read(other)).rejects.toMatchObject({ fate: "reconnect" });
});

test("of the platform are its host and those below it; nobody else is asked for anything", () => {
  const omitted = (url: string): unknown =>
    remoteFile(ctx, { name: "a", url, platform: "https://slack.com/api" }).omitted;
  const ours = ["https://slack.com/x", "https://files.slack.com/x"];
  const others = [
    "http://slack.com/x",
    "https://evilslack.com/x",
    "https://slack.com.evil.org/x",
    "no url",
    "",
  ];
  expect(ours.map(omitted)).toEqual([undefined, undefined]);
  expect(others.map(omitted)).toEqual(Array(5).fill("unavailable"));
});

test("a page to log in is not the file, unless the file is a page", () => {
  const page = new Response("<html>", { headers: { "content-type": "text/html; charset=utf-8" } });
  expect(isNoPage("image/png")(page)).toBe(false);
  expect(isNoPage()(page)).toBe(false);
  expect(isNoPage("text/html")(page)).toBe(true);
  expect(isNoPage("image/png")(new Response("x"))).toBe(true);
  expect(isNoPage("image/png")(new Response("x", { status: 404 }))).toBe(false);
});

test("an attachment is sent with its length and type", async () => {
  const bytes = Buffer.alloc(300_000, 7);
  const url = await serve((request, response) => {
    void buffer(request).then((body) => response.end(JSON.stringify([request.headers, body.equals(bytes)])));
  });
  const sender = { openAttachment: () => Readable.from([bytes.subarray(0, 1000), bytes.subarray(1000)]) };
  const attachment = { path: "media/abc", name: "a.bin", size: bytes.length, media_type: "image/png" };
  const response = await ctx.fetch(url, { method: "POST", ...fileBody(sender, attachment) });
  const [headers, isSame] = (await response.json()) as [Record<string, string>, boolean];
  expect(isSame).toBe(true);
  expect(headers).toMatchObject({ "content-length": "300000", "content-type": "image/png" });
  expect(fileName(attachment)).toBe("a.bin");
  expect(fileName({ path: "folder/b.txt" })).toBe("b.txt");
  expect(() => fileBody(sender, { path: "x" })).toThrow("no size");
});

test.each([
  ["application/json", "reject"],
  ["text/html", "reconnect"],
])("passed on from elsewhere: a 502 of %s is %s", async (type, fate) => {
  const url = await serve((_request, response) => response.writeHead(502, { "content-type": type }).end());
  await expect(read({ name: "a", url, isGone: isElsewhere })).rejects.toMatchObject({ fate });
});
