// What only Matrix has, about a homeserver that is away in part, slow, somewhere else, or not one at all.
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { startBus } from "../helpers/bus.ts";
import { atEnd } from "../helpers/children.ts";
import { waitFor } from "../helpers/wait.ts";
import { ada, bob, bot, name, openMatrix, room, sentIn, text } from "./matrix-case.ts";

const page = { status: 502, headers: { "content-type": "text/html" }, body: "<h1>502 Bad Gateway</h1>" };

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(
    () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("a file that cannot be had for now, because its server is being restarted, comes later; nothing overtakes it", async () => {
  const { server, bus } = await openMatrix();
  const url = server.media.add(Buffer.from("pixels"));
  const json = { ...page, headers: { "content-type": "application/json" }, body: "{}" };
  for (const [n, answer] of [page, json].entries()) {
    let refused = 0;
    server.instead = (asked) =>
      asked.startsWith("GET client/v1/media") && (refused += 1) ? answer : undefined;
    server.say(ada, room, { msgtype: "m.file", body: `${n}.bin`, url });
    server.say(ada, room, text(`after ${n}`));
    await waitFor(() => refused > 0);
    expect(bus.events(`after ${n}`)).toEqual([]);
    server.instead = () => undefined;
    await bus.waitForEvent(`after ${n}`, { timeoutMs: 30_000 });
    expect(bus.events().at(-2)?.content?.attachments).toEqual([
      expect.objectContaining({ name: `${n}.bin`, size: 6 }),
    ]);
  }
});

test("a file of another server is not given up for a proxy's page, only for the homeserver's own word", async () => {
  const { server, bus } = await openMatrix();
  server.media.unreachable.add("other.test");
  let refused = 0;
  server.instead = (asked) => (asked.startsWith("GET client/v1/media") && (refused += 1) ? page : undefined);
  server.say(ada, room, { msgtype: "m.file", body: "a.bin", url: "mxc://other.test/x" });
  await waitFor(() => refused > 0);
  expect(bus.events()).toEqual([]);
  server.instead = () => undefined;
  const event = await bus.waitForEvent(() => true, { timeoutMs: 30_000 });
  expect(event.content?.attachments).toEqual([expect.objectContaining({ omitted: "unavailable" })]);
});

test("a file that the homeserver keeps elsewhere is fetched from there, without the token", async () => {
  const { server, bus } = await openMatrix();
  const seen: unknown[] = [];
  const store = await serve(({ headers, url }, response) => {
    seen.push([url, headers.authorization]);
    response.end("pixels");
  });
  const location = `${store}/bucket/a?signature=x`;
  server.instead = (asked) =>
    asked.startsWith("GET client/v1/media") ? { status: 307, headers: { location }, body: "" } : undefined;
  server.say(ada, room, { msgtype: "m.file", body: "a.bin", url: "mxc://test/a" });
  const event = await bus.waitForEvent(() => true);
  expect(event.content?.attachments).toEqual([expect.objectContaining({ name: "a.bin", size: 6 })]);
  expect(seen).toEqual([["/bucket/a?signature=x", undefined]]);
});

test("rooms that take for ever to join hold nothing up", async () => {
  const entry = { rooms: ["!dead:gone.test"], accept_invites: ["*"] };
  const { server, bus } = await openMatrix(entry, ({ deadRooms }) => deadRooms.add("!dead:gone.test"));
  const locked = server.rooms.create("locked", [bob]);
  server.deadRooms.add(locked.id);
  await waitFor(() => server.asked.includes("POST join !dead:gone.test"));
  server.rooms.setMember(locked, bob, bot, "invite");
  for (const said of ["one", "two"]) {
    server.say(ada, room, text(said));
    await bus.waitForEvent(said, { timeoutMs: 10_000 });
  }
  expect(bus.logs()).not.toContain("room.join_failed");
});

test("an answer to /sync that is none is not taken for where we are", async () => {
  const { server, bus } = await openMatrix();
  server.say(ada, room, text("first"));
  await bus.waitForEvent("first");
  let odd = 0;
  server.instead = (asked) =>
    asked === "GET client/v3/sync" && (odd += 1) ? { status: 200, body: odd % 2 ? "{}" : "" } : undefined;
  await waitFor(() => odd > 1, { timeoutMs: 30_000 });
  server.say(ada, room, text("second"));
  server.instead = () => undefined;
  await bus.waitForEvent("second", { timeoutMs: 30_000 });
  expect(bus.events("first")).toHaveLength(1);
});

test("a homeserver that answers at once with nothing is not asked without a pause", async () => {
  const { server, bus } = await openMatrix({ runtime: { sync_every: "1s" } });
  const asked: number[] = [];
  server.instead = (what) => {
    if (what !== "GET client/v3/sync") return undefined;
    asked.push(performance.now());
    return { status: 200, body: JSON.stringify({ next_batch: `s${asked.length % 2}` }) };
  };
  await waitFor(() => asked.length > 3, { timeoutMs: 20_000 });
  const [first = 0, , , fourth = 0] = asked;
  expect(fourth - first).toBeGreaterThan(1900);
  server.instead = () => undefined;
  server.say(ada, room, text("after"));
  await bus.waitForEvent("after");
});

test("a homeserver that no longer knows us, although its answer is still awaited, is noticed by a question", async () => {
  const { server, bus } = await openMatrix({ poll_s: 25, runtime: { probe_every: "1s" } });
  server.instead = (asked) => (asked === "GET client/v3/account/whoami" ? page : undefined);
  const isDeaf = ({ state }: { state: string }): boolean => state === "failing" || state === "offline";
  await bus.waitForConnector(name, isDeaf, { timeoutMs: 20_000 });
  server.instead = () => undefined;
  await bus.waitForConnector(name, "live");
});

test("in a room that was just joined, and of which nothing was told yet, nothing is sent in the clear where it is encrypted", async () => {
  const { server, bus } = await openMatrix();
  let isDeaf = false;
  server.instead = (asked) => (asked === "GET client/v3/sync" && (isDeaf = true) ? "nothing" : undefined);
  await waitFor(() => isDeaf);
  const [locked, plain] = [
    server.rooms.create("locked", [bob, bot]),
    server.rooms.create("plain", [bob, bot]),
  ];
  server.rooms.add(locked, bob, "m.room.encryption", { algorithm: "m.megolm.v1.aes-sha2" }, "");
  await bus.waitForReceipt(name, bus.send(name, { conversation_id: plain.id, text: "hello" }));
  const secret = bus.send(name, { conversation_id: locked.id, text: "secret" });
  expect(await bus.waitForDeadLetter(name, secret)).toMatchObject({ code: "not_supported" });
  expect([sentIn(server, plain.id).length, sentIn(server, locked.id).length]).toEqual([1, 0]);
});

test("what answers instead of a homeserver is told, with what to do", { timeout: 90_000 }, async () => {
  const address = "is `homeserver` the address";
  const answers: Record<string, [number, Record<string, string>, string, RegExp]> = {
    page: [404, {}, "<title>No</title>", new RegExp(`404 .*No.*${address}`)],
    welcome: [200, {}, "<html>", new RegExp(`no JSON.*${address}`)],
    other: [200, {}, '{"ok":true}', new RegExp(`names no user.*${address}`)],
    moved: [301, { location: "https://x.test/" }, "", new RegExp(`redirect to https://x.test/.*${address}`)],
    locked: [
      401,
      {},
      '{"errcode":"M_USER_LOCKED","error":"locked"}',
      /M_USER_LOCKED: locked.*another client/,
    ],
    terms: [403, {}, '{"errcode":"M_CONSENT_NOT_GIVEN","error":"agree"}', /_GIVEN: agree.*another client/],
  };
  const connectors = await Promise.all(
    Object.entries(answers).map(async ([name, [status, headers, body]]) => {
      const homeserver = await serve((_request, response) => response.writeHead(status, headers).end(body));
      return { name, type: "matrix", homeserver, access_token: "syt_secret" };
    }),
  );
  const bus = await startBus({ connectors, until: "nothing" });
  for (const [name, [, , , wanted]] of Object.entries(answers)) {
    // Of one that has ended the supervisor knows more than its last heartbeat.
    const told = () => [bus.connector(name), bus.heartbeat(name)].find((one) => one?.error !== undefined);
    const { error, user_action: action } = await waitFor(told, { timeoutMs: 60_000 });
    expect(`${error?.message} ${action}`, name).toMatch(wanted);
  }
});
