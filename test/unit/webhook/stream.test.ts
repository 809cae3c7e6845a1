// The live stream: outgoing messages for a web page.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { waitFor } from "../../helpers/wait.ts";
import { listenTo, streamUrl, texts } from "./listen.ts";
import { errorOf, open, type Opened } from "./session.ts";

test("a listener gets its conversation's messages as they are sent, and no other's", async () => {
  const web = await open();
  const listening = await listenTo(streamUrl(web));
  expect(listening.response.headers["content-type"]).toBe("text/event-stream; charset=utf-8");
  await web.send({ id: "m1", text: "line\nline 🌊" });
  await web.send({ id: "m2", text: "other", conversation_id: "elsewhere" });
  await web.send({ id: "m3", text: "second" });
  await waitFor(() => texts(listening).length === 2);
  expect(texts(listening)).toEqual(["line\nline 🌊", "second"]);
  expect(listening.events.map(({ id }) => id)).toEqual([undefined, "m1", "m3"]);
});

test("nobody listens: the last messages are kept for who comes later", async () => {
  const web = await open({ stream_history: 3 });
  for (const n of [1, 2, 3, 4, 5]) await web.send({ id: `m${n}`, text: `${n}` });
  const listening = await listenTo(streamUrl(web));
  await waitFor(() => texts(listening).length === 3);
  expect(texts(listening)).toEqual(["3", "4", "5"]);
});

test("who comes back with Last-Event-ID gets what was missed, and is told of a gap", async () => {
  const web = await open({ stream_history: 3 });
  for (const n of [1, 2, 3, 4, 5]) await web.send({ id: `m${n}`, text: `${n}` });
  const knows = await listenTo(streamUrl(web), { "last-event-id": "m4" });
  await waitFor(() => texts(knows).length === 1);
  expect(texts(knows)).toEqual(["5"]);
  const lost = await listenTo(streamUrl(web), { "last-event-id": "m1" });
  await waitFor(() => texts(lost).length === 3);
  expect(lost.events[1]).toEqual({ event: "gap", data: '{"last_event_id":"m1"}' });
});

test("a message that is sent again is shown once", async () => {
  const web = await open();
  const listening = await listenTo(streamUrl(web));
  await web.send({ id: "m1", text: "a" });
  await web.send({ id: "m1", text: "a" });
  await web.send({ id: "m2", text: "b" });
  await waitFor(() => texts(listening).length === 2);
  expect(texts(listening)).toEqual(["a", "b"]);
});

test("typing is for those who listen now, and is not kept", async () => {
  const web = await open();
  const listening = await listenTo(streamUrl(web));
  await web.send({ id: "t1", action: "typing" });
  await web.send({ id: "m1", text: "a" });
  await waitFor(() => texts(listening).length === 1);
  expect(listening.events[1]?.data).toContain('"typing"');
  expect(listening.events[1]?.id).toBeUndefined();
  const later = await listenTo(streamUrl(web));
  await waitFor(() => texts(later).length === 1);
  expect(JSON.stringify(later.events)).not.toContain("typing");
});

test("histories and listeners survive a new session of the same connector", async () => {
  const name = "survivor";
  const first = await open({ name });
  const listening = await listenTo(streamUrl(first));
  await first.send({ id: "m1", text: "before" });
  await first.end();
  await waitFor(() => listening.ended);
  const second = await open({ name });
  const again = await listenTo(streamUrl(second));
  await waitFor(() => texts(again).length === 1);
  expect(texts(again)).toEqual(["before"]);
});

describe("who may listen", () => {
  const status = async (
    web: Opened,
    more = "",
    headers: Record<string, string> = {},
  ): Promise<number | undefined> => {
    const { response, close } = await listenTo(streamUrl(web, "c", more), headers);
    close();
    return response.statusCode;
  };

  test("scheme bearer: the token in the header, never in the query", async () => {
    const web = await open({ verify: { scheme: "bearer", token: "t0ken" } });
    expect(await status(web)).toBe(401);
    expect(await status(web, "&stream_token=t0ken")).toBe(401);
    expect(await status(web, "&access_token=t0ken")).toBe(401);
    expect(await status(web, "", { authorization: "Bearer t0ken" })).toBe(200);
  });

  test("stream_token: in the header or the query", async () => {
    const web = await open({ stream_token: "str3amtoken" });
    expect(await status(web)).toBe(401);
    expect(await status(web, "&stream_token=wrong")).toBe(401);
    expect(await status(web, "&stream_token=str3amtoken")).toBe(200);
    expect(await status(web, "", { authorization: "Bearer str3amtoken" })).toBe(200);
  });

  test("with a signing scheme only by stream_token; without one there is no stream, and nothing is sent into the void", async () => {
    const verify = { scheme: "github", secret: "s" } as const;
    const closed = await open({ verify });
    expect(await status(closed)).toBe(404);
    await expect(closed.send({ text: "x" })).rejects.toMatchObject({ fate: "reject", code: "not_supported" });
    const opened = await open({ verify, stream_token: "str3amtoken" });
    expect(await status(opened)).toBe(401);
    expect(await status(opened, "&stream_token=str3amtoken")).toBe(200);
    await opened.send({ text: "x" });
  });

  test("stream: false and no url: a message is rejected, not dropped", async () => {
    const web = await open({ stream: false });
    expect(await status(web)).toBe(404);
    await expect(web.send({ text: "x" })).rejects.toMatchObject({ fate: "reject", code: "not_supported" });
  });

  test("a listed origin, with CORS; a foreign one not", async () => {
    const web = await open({ cors_origins: ["https://app.example.org"] });
    expect(await status(web, "", { origin: "https://evil.example" })).toBe(403);
    const { response } = await listenTo(streamUrl(web), { origin: "https://app.example.org" });
    expect(response.headers["access-control-allow-origin"]).toBe("https://app.example.org");
  });

  test("at most max_streams", async () => {
    const web = await open({ max_streams: 1 });
    const first = await listenTo(streamUrl(web));
    expect(await status(web)).toBe(503);
    first.close();
    await waitFor(async () => (await status(web)) === 200);
  });

  test("a conversation must be named", async () => {
    const web = await open();
    const response = await fetch(`${web.origin}/stream`);
    expect(response.status).toBe(400);
    expect((await errorOf(response)).hint).toContain("conversation_id");
  });
});

test("attachments cannot be streamed: rejected with a hint", async () => {
  const web = await open();
  await expect(web.send({ attachments: [{ path: "media/x" }] })).rejects.toMatchObject({
    fate: "reject",
    code: "not_supported",
  });
});

test("with a url the stream shows what was posted, and nothing that was not", async () => {
  const answers = [200, 500];
  const server = createServer((request, response) => {
    request.resume().on("end", () => response.writeHead(answers.shift() ?? 200).end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void (server.closeAllConnections(), server.close()));
  const web = await open({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` });
  const listening = await listenTo(streamUrl(web));
  await web.send({ id: "m1", text: "posted" });
  await expect(web.send({ id: "m2", text: "not posted" })).rejects.toMatchObject({ fate: "retry" });
  await web.send({ id: "m3", text: "posted too" });
  await waitFor(() => texts(listening).length === 2);
  expect(texts(listening)).toEqual(["posted", "posted too"]);
});
