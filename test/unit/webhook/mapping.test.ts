import { describe, expect, test } from "vitest";
import { readConfig, type Config } from "../../../connectors/webhook/config.ts";
import { toDraft } from "../../../connectors/webhook/mapping.ts";
import { resolvePointer } from "../../../connectors/webhook/values.ts";
import type { Draft } from "../../../runtime/sdk.ts";

function draft(body: unknown, config: Partial<Config> = {}, headers: Record<string, string> = {}): Draft {
  const settings = readConfig({ port: 0, ...config });
  return toDraft(
    { method: "POST", path: "/", query: new URLSearchParams("a=1&b=2&b=3"), headers, body },
    settings,
  );
}

function withoutRaw(given: Draft): Draft {
  const rest = { ...given };
  delete rest.raw;
  return rest;
}

describe("JSON Pointer, the examples of RFC 6901", () => {
  const document = {
    foo: ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
  };
  test.each([
    ["", document],
    ["/foo", ["bar", "baz"]],
    ["/foo/0", "bar"],
    ["/", 0],
    ["/a~1b", 1],
    ["/c%d", 2],
    ["/e^f", 3],
    ["/g|h", 4],
    ["/i\\j", 5],
    ['/k"l', 6],
    ["/ ", 7],
    ["/m~0n", 8],
  ])("%j", (pointer, value) => {
    expect(resolvePointer(document, pointer)).toEqual(value);
  });

  test.each([
    "/foo/2",
    "/foo/01",
    "/foo/-",
    "/foo/length",
    "/bar",
    "/constructor",
    "/__proto__",
    "/toString/name",
  ])("%j is nothing", (pointer) => {
    expect(resolvePointer(document, pointer)).toBeUndefined();
  });
});

test("by default: text, conversation_id, sender", () => {
  const rest = withoutRaw(draft({ text: "hi", conversation_id: "#dev", sender: "ada" }));
  expect(rest).toEqual({
    kind: "message",
    conversation: { id: "#dev" },
    content: { text: "hi" },
    sender: { id: "ada" },
  });
});

test("without a conversation it is `default`; without a text it is an event", () => {
  const rest = withoutRaw(draft({ anything: [1] }));
  expect(rest).toEqual({ kind: "event", conversation: { id: "default" } });
});

test("a sender may be an object, as platforms have them", () => {
  expect(draft({ sender: { id: 7, username: "ada", display_name: "Ada", is_bot: false } }).sender).toEqual({
    id: "7",
    username: "ada",
    display_name: "Ada",
    is_bot: false,
  });
  expect(draft({ sender: { login: "octocat" } }).sender).toEqual({ id: "octocat", username: "octocat" });
  expect(draft({ sender: {} })).not.toHaveProperty("sender");
});

test.each([null, 1, "x", true, [], [1], {}, { text: {} }, { text: null, sender: [], conversation_id: {} }])(
  "any JSON becomes an event: %j",
  (body) => {
    const event = draft(body);
    expect(event.conversation).toEqual({ id: "default" });
    expect(event.raw).toMatchObject({ body });
  },
);

test("fields are mapped by pointer; ids given as numbers become strings", () => {
  const map = {
    text: "/event/text",
    conversation_id: "/channel",
    sender_id: "/event/user",
    sender_name: "/event/profile/name",
    thread_id: "/event/thread_ts",
    platform_id: "/event/ts",
    occurred_at: "/event/ts",
    kind: "/event/kind",
  };
  const body = {
    channel: 42,
    event: {
      text: "hi",
      user: "U1",
      profile: { name: "Ada" },
      thread_ts: "1.2",
      ts: "1700000000.5",
      kind: "edit",
    },
  };
  const rest = withoutRaw(draft(body, { map }));
  expect(rest).toEqual({
    kind: "edit",
    conversation: { id: "42" },
    content: { text: "hi" },
    sender: { id: "U1", display_name: "Ada" },
    thread_id: "1.2",
    platform_id: "1700000000.5",
    occurred_at: "2023-11-14T22:13:20.500Z",
  });
});

test.each([
  ["2026-11-20T23:52:00+01:00", "2026-11-20T22:52:00.000Z"],
  [1700000000, "2023-11-14T22:13:20.000Z"],
  [1700000000000, "2023-11-14T22:13:20.000Z"],
  ["yesterday", undefined],
  [1e300, undefined],
  [-5, undefined],
  [{}, undefined],
])("occurred_at %j is %j", (value, expected) => {
  expect(draft({ occurred_at: value }).occurred_at).toBe(expected);
});

describe("the delivery id is the event's key", () => {
  test.each([
    ["webhook-id", { "webhook-id": "msg_1" }, {}, {}],
    ["idempotency-key", { "idempotency-key": '"k 1"' }, {}, {}],
    ["x-github-delivery", { "x-github-delivery": "72d3162e" }, {}, {}],
    ["x-request-id", { "x-request-id": "r1", "webhook-id": "other" }, {}, { key_header: "X-Request-Id" }],
    ["/event_id", {}, { event_id: "Ev1" }, { verify: { scheme: "slack", secret: "s" } }],
    ["/id", {}, { id: "evt_1" }, { verify: { scheme: "stripe", secret: "s" } }],
    ["/order/no", { "webhook-id": "other" }, { order: { no: 9 } }, { map: { key: "/order/no" } }],
  ] as Array<[string, Record<string, string>, unknown, Partial<Config>]>)(
    "%s",
    (source, headers, body, config) => {
      const { key, platform_id: platformId } = draft(body, config, headers);
      expect(key?.[0]).toBe(source);
      expect(key?.[1]).not.toContain('"');
      expect(platformId).toBe(key?.[1]);
    },
  );

  test("without one every delivery is a new event", () => {
    expect(draft({ text: "x", id: "1" })).not.toHaveProperty("key");
  });

  test("too long is refused", () => {
    expect(() => draft({}, {}, { "webhook-id": "x".repeat(513) })).toThrow(/delivery id has 513/);
    expect(() => draft({ conversation_id: "x".repeat(1025) })).toThrow(/conversation_id has 1025/);
  });
});

test("raw holds the request without what proves its origin", () => {
  const headers = {
    "x-github-event": "push",
    authorization: "Bearer t",
    cookie: "c",
    "webhook-signature": "v1,x",
    "x-hub-signature-256": "s",
    "x-gitlab-token": "g",
  };
  const config: Partial<Config> = { verify: { scheme: "bearer", token: "t", header: "X-Gitlab-Token" } };
  expect(draft({ a: 1 }, config, headers).raw).toEqual({
    method: "POST",
    path: "/",
    query: { a: "1", b: ["2", "3"] },
    headers: { "x-github-event": "push" },
    body: { a: 1 },
  });
});

test("attachments come inline or as an address", () => {
  const body = {
    attachments: [
      { name: "a.txt", media_type: "text/plain", base64: "aGk=" },
      { name: "b.pdf", url: "https://example.org/b.pdf" },
      { name: "c.bin", base64: "not base64!" },
      "what",
    ],
  };
  expect(draft(body).content).toEqual({
    attachments: [
      { name: "a.txt", media_type: "text/plain", data: Buffer.from("hi") },
      { name: "b.pdf", url: "https://example.org/b.pdf" },
    ],
  });
});
