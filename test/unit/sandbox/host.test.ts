// The channel to a guest that says whatever it likes: what is no message of the protocol ends it, what is one has no more power than the protocol gives.
// The guest here is the test itself, over a real socket.
import { createServer, connect, type Socket } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { SpoolwayError } from "../../../runtime/errors.ts";
import type { Draft } from "../../../runtime/draft.ts";
import { Channel, maxMessageBytes } from "../../../runtime/sandbox/frames.ts";
import { Host } from "../../../runtime/sandbox/host.ts";
import type { Context, Outgoing, SendContext } from "../../../runtime/sdk.ts";
import { waitFor } from "../../helpers/wait.ts";

/** What ends the channel at once. */
const violations: Record<string, Buffer> = {
  "a length that no frame has": Buffer.from("ffffffff01", "hex"),
  "a length of nothing": Buffer.from("0000000001", "hex"),
  "one byte more than a message may have": header(1, maxMessageBytes + 1),
  "an unknown kind of frame": frame(3, Buffer.from("{}")),
  "a chunk without a stream": frame(2, Buffer.from([0, 0])),
  "no JSON": message("not json"),
  "no UTF-8": frame(1, Buffer.from([0x22, 0xff, 0xfe, 0x22])),
  "a list": message("[]"),
  "no type": message("{}"),
  "an unknown type": message('{"t":"root"}'),
  "a key that would change every object": message(
    '{"t":"log","level":"info","event":"x","fields":{"__proto__":{"polluted":true}}}',
  ),
  "the same, hidden": message(
    '{"t":"log","level":"info","event":"x","fields":{"__pr\\u006fto__":{"polluted":true}}}',
  ),
  "more levels than anything has": message(`{"t":"log","fields":${"[".repeat(1000)}${"]".repeat(1000)}}`),
  "the result of no call": message('{"t":"result","id":99}'),
  "a fate that there is not": message('{"t":"broken","error":{"message":"x","code":"x","fate":"root"}}'),
  "functions without connect": message('{"t":"hello","functions":["send","constructor","__proto__"]}'),
  "an event name without end": message(JSON.stringify({ t: "log", level: "info", event: "x".repeat(1000) })),
  "more questions than there may be": Buffer.concat(
    Array.from({ length: 2000 }, (_, id) => message(JSON.stringify({ t: "ask", id, what: "get", key: "k" }))),
  ),
};

test.each(Object.entries(violations))("%s ends the guest", async (_name, bytes) => {
  const { host, wire, killed } = await open();
  host.definition.catch(() => undefined); // it is only about the end
  wire.write(bytes);
  const reason = await killed;
  expect(reason.code).toBe("sandbox_violation");
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

test("the stand-in has the functions that the guest names, and no other", async () => {
  const { host, wire } = await open();
  wire.write(message('{"t":"hello","functions":["connect","send","toString","constructor"]}'));
  const definition = await host.definition;
  expect(Object.keys(definition)).toEqual(["connect", "send"]);
});

test("what a guest delivers has no path, no hash, no fields of the runtime; what is not a draft is refused", async () => {
  const { host, wire, heard, ctx } = await open();
  const drafts: Draft[] = [];
  await session(
    host,
    wire,
    ctx((draft) => drafts.push(draft)),
  );
  const attachment = { name: "a", path: "media/../../etc/shadow", sha256: "0".repeat(64), size: 5, url: "u" };
  const asks: unknown[] = [
    { content: { text: "fine", attachments: [attachment] } },
    "text",
    { key: "text" },
    { content: [] },
    { content: { attachments: {} } },
    { content: { attachments: [null] } },
    { content: { attachments: [{ name: "x", data: { stream: "1" } }] } },
    {
      content: {
        attachments: [
          { name: "x", data: { stream: 7 } },
          { name: "y", data: { stream: 7 } },
        ],
      },
    },
  ];
  for (const [id, draft] of asks.entries())
    wire.write(message(JSON.stringify({ t: "ask", id, what: "deliver", draft })));
  await waitFor(() => heard.filter(({ t }) => t === "answer").length === asks.length);
  const answers = heard.filter(({ t }) => t === "answer").sort((a, b) => Number(a.id) - Number(b.id));
  expect(answers.map(({ error }) => (error as { code?: string } | undefined)?.code)).toEqual([
    undefined,
    ...asks.slice(1).map(() => "invalid_event"),
  ]);
  expect(drafts).toEqual([{ content: { text: "fine", attachments: [{ name: "a", size: 5, url: "u" }] } }]);
});

test("an answer to a send that is none leaves the message uncertain; long texts are cut", async () => {
  const { host, wire, heard, ctx } = await open();
  const definition = await session(host, wire, ctx());
  const outcomes = [
    { value: "text" },
    { value: { platform_id: 5 } },
    { value: { platform_ids: ["a", {}] } },
    { value: { platform_id: "x".repeat(10_000) } },
    {
      error: {
        message: "m".repeat(10_000),
        code: "c".repeat(1000),
        fate: "reject",
        hint: "h".repeat(10_000),
        retryAfterMs: -5,
      },
    },
    { error: { message: "plain" } },
  ];
  const sends = outcomes.map(() => {
    const sendCtx: SendContext = { ...ctx(), attempt: 1, mayHaveBeenSent: false };
    return definition
      .send?.(1, { id: "m", action: "message", conversation_id: "c" } as Outgoing, sendCtx)
      .catch((e: unknown) => e);
  });
  const calls = () => heard.filter(({ t, fn }) => t === "call" && fn === "send");
  await waitFor(() => calls().length === outcomes.length);
  for (const [at, outcome] of outcomes.entries())
    wire.write(message(JSON.stringify({ t: "result", id: calls()[at]?.id, ...outcome })));
  const results = (await Promise.all(sends)) as SpoolwayError[];
  expect(results.map(({ code, fate }) => [code?.length > 20 ? "long" : code, fate])).toEqual([
    ...[1, 2, 3, 4].map(() => ["timed_out", "uncertain"]),
    ["long", "reject"],
    [undefined, undefined],
  ]);
  expect(results.map((one) => one.message.length <= 2000 && (one.code ?? "").length <= 100)).not.toContain(
    false,
  );
  expect(results[4]?.retryAfterMs).toBeUndefined();
});

test("a guest that does not read is ended before its answers fill the memory", async () => {
  const { host, wire, killed, ctx } = await open({ reading: false });
  await session(host, wire, ctx());
  const big = JSON.stringify("x".repeat(2_000_000));
  values.set("big", JSON.parse(big));
  for (let id = 0; id < 200; id += 1)
    wire.write(message(JSON.stringify({ t: "ask", id, what: "get", key: "big" })));
  expect((await killed).message).toContain("does not read");
});

const values = new Map<string, unknown>();

interface Opened {
  host: Host;
  wire: Socket;
  /** What the host says. */
  heard: Array<Record<string, unknown>>;
  killed: Promise<SpoolwayError>;
  ctx: (deliver?: (draft: Draft) => void) => Context;
}

/** A host, and this test as its guest. */
async function open({ reading = true } = {}): Promise<Opened> {
  const folder = mkdtempSync(join(tmpdir(), "spoolway-host-"));
  const accepted = Promise.withResolvers<Socket>();
  const server = createServer((socket) => accepted.resolve(socket));
  await new Promise<void>((resolve) => server.listen(join(folder, "s"), resolve));
  const wire = connect(join(folder, "s"));
  wire.on("error", () => undefined); // the host has closed it
  const killed = Promise.withResolvers<SpoolwayError>();
  const guest = {
    socket: await accepted.promise,
    over: killed.promise,
    kill: (reason: SpoolwayError) => killed.resolve(reason),
  };
  const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
  const init = { name: "one", type: "t", home: "/", config: {}, entry: "/x", debug: false };
  const host = new Host({ guest, init, log, lend: () => nothing });
  const heard: Opened["heard"] = [];
  if (reading) {
    new Channel(wire, {
      message: (text) => void heard.push(JSON.parse(text.toString("utf8")) as Record<string, unknown>),
      chunk: nothing,
      closed: nothing,
    });
  }
  onTestFinished(() => {
    killed.resolve(new SpoolwayError("sandbox_ended", "the test is over"));
    wire.destroy();
    server.close();
    rmSync(folder, { recursive: true });
  });
  return { host, wire, heard, killed: killed.promise, ctx: context };
}

function context(deliver: (draft: Draft) => void = nothing): Context {
  return {
    signal: new AbortController().signal,
    state: { get: async (key: string) => values.get(key), set: nothing, delete: nothing },
    deliver: async (draft: Draft) => {
      deliver(draft);
      return { id: "i", duplicate: false };
    },
    heard: nothing,
  } as unknown as Context;
}

/** Says hello and lets the host open a session. */
async function session(host: Host, wire: Socket, ctx: Context) {
  wire.write(message('{"t":"hello","functions":["connect","send"]}'));
  const definition = await host.definition;
  const connecting = definition.connect(ctx);
  wire.write(message('{"t":"result","id":1}'));
  await connecting;
  return definition;
}

function header(kind: number, bodyBytes: number): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bodyBytes + 1, 0);
  head[4] = kind;
  return head;
}

function frame(kind: number, body: Buffer): Buffer {
  return Buffer.concat([header(kind, body.length), body]);
}

function message(text: string): Buffer {
  return frame(1, Buffer.from(text));
}

function nothing(): void {}
