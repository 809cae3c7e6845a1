// What the live stream holds in memory, whatever its readers do.
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { Hub } from "../../../connectors/webhook/stream.ts";
import type { Outgoing } from "../../../runtime/sdk.ts";
import { waitFor } from "../../helpers/wait.ts";
import { listenTo, texts } from "./listen.ts";

describe("memory", { timeout: 30_000 }, () => {
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
