// The live stream: outgoing messages for a web page.
import { connect } from "node:net";
import { text as readText } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { createServer, get, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { Hub } from "../../../connectors/webhook/stream.ts";
import type { Outgoing } from "../../../runtime/sdk.ts";
import { waitFor } from "../../helpers/wait.ts";
import { errorOf, open, type Opened, type OpenOptions } from "./session.ts";

interface ServerEvent {
  id?: string;
  event?: string;
  data?: string;
  retry?: string;
}

interface Listening {
  response: IncomingMessage;
  events: ServerEvent[];
  comments: string[];
  ended: boolean;
  close(): void;
}

/** A reader of server-sent events (the format of the HTML standard). */
function listenTo(url: string, headers: Record<string, string> = {}): Promise<Listening> {
  return new Promise((resolve, reject) => {
    const request = get(url, { headers, agent: false }, (response) => {
      const listening: Listening = {
        response,
        events: [],
        comments: [],
        ended: false,
        close: () => request.destroy(),
      };
      let rest = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        const blocks = (rest + chunk).split("\n\n");
        rest = blocks.pop() ?? "";
        for (const block of blocks) {
          if (block.startsWith(":")) listening.comments.push(block);
          else
            listening.events.push(
              Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s).slice(0, 2))),
            );
        }
      });
      response.on("close", () => (listening.ended = true)).on("error", () => undefined);
      resolve(listening);
    });
    request.on("error", reject);
    onTestFinished(() => void request.destroy());
  });
}

const texts = ({ events }: Listening): string[] =>
  events
    .filter(({ id }) => id !== undefined)
    .map(({ data }) => (JSON.parse(data ?? "{}") as { text: string }).text);
const streamUrl = (web: Opened, conversation = "c", more = ""): string =>
  `${web.origin}/stream?conversation_id=${conversation}${more}`;

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

describe("memory", () => {
  const message = (n: number, text: string, conversation = "c"): Outgoing => ({
    id: `m${n}`,
    action: "message",
    conversation_id: conversation,
    text,
  });

  /** A server whose every request becomes a listener of conversation c. */
  async function serve(hub: Hub): Promise<string> {
    const server = createServer((request, response) =>
      hub.subscribe("c", request.headers["last-event-id"] as string, response),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      hub.endAll();
      server.closeAllConnections();
      server.close();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  test("a reader that stops reading is disconnected; the others get everything", async () => {
    const hub = new Hub({ perConversation: 10, heartbeatMs: 100 });
    const url = await serve(hub);
    const fast = await listenTo(url);
    const slow = connect(Number(new URL(url).port), "127.0.0.1", () =>
      slow.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    );
    onTestFinished(() => void slow.destroy());
    slow.on("error", () => undefined); // it is cut off: that is the point
    await waitFor(() => hub.listenerCount === 2);
    slow.pause();
    const text = "x".repeat(500_000);
    for (let n = 0; n < 60; n += 1) {
      hub.publish(message(n, text));
      await waitFor(() => texts(fast).length === n + 1, { everyMs: 2 });
    }
    await waitFor(() => hub.listenerCount === 1);
    expect(fast.ended).toBe(false);
  });

  test("a stalled reader is disconnected by the heartbeat, also when nothing more is sent", async () => {
    const hub = new Hub({ perConversation: 1000, heartbeatMs: 100 });
    const url = await serve(hub);
    for (let n = 0; n < 60; n += 1) hub.publish(message(n, "x".repeat(200_000)));
    const slow = connect(Number(new URL(url).port), "127.0.0.1", () =>
      slow.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    );
    onTestFinished(() => void slow.destroy());
    slow.on("error", () => undefined);
    slow.pause();
    await waitFor(() => hub.listenerCount === 1);
    await waitFor(() => hub.listenerCount === 0);
  });

  test("a long history reaches a reader that takes its time", async () => {
    const hub = new Hub({ perConversation: 1000 });
    for (let n = 0; n < 60; n += 1) hub.publish(message(n, "x".repeat(200_000)));
    const listening = await listenTo(await serve(hub));
    listening.response.pause();
    await delay(200);
    listening.response.resume();
    await waitFor(() => texts(listening).length === 60);
  });

  test("the oldest go first when all together are too large; the newest always stays", async () => {
    const hub = new Hub({ perConversation: 1000, maxBytes: 10_000 });
    hub.publish(message(0, "old".repeat(100), "other"));
    for (let n = 1; n <= 20; n += 1) hub.publish(message(n, "x".repeat(1000)));
    hub.publish(message(21, "y".repeat(20_000)));
    const listening = await listenTo(await serve(hub));
    await waitFor(() => texts(listening).length > 0);
    await delay(50);
    expect(listening.events.map(({ id }) => id)).toEqual([undefined, "m21"]);
  });

  test("quiet listeners are kept alive by comments", async () => {
    const hub = new Hub({ perConversation: 10, heartbeatMs: 50 });
    const listening = await listenTo(await serve(hub));
    await waitFor(() => listening.comments.length >= 2);
    expect(listening.comments[0]).toBe(": beat");
  });
});

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
    expect((await fetch((await open()).origin)).status).toBe(405);
    expect(await status({ page: false })).toBe(405);
    expect(await status({ stream: false })).toBe(405);
    expect(await status({ verify: { scheme: "bearer", token: "t" } })).toBe(405);
    expect(await status({ host: "0.0.0.0", allow_unverified: true })).toBe(405);
  });
});
