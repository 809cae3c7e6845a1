// A session of numbered events over a real WebSocket: what is said to be there is stored, a loss is resumed where that was, a session that expired is begun anew, and a
// connection that does not answer is given up.
import { EventEmitter, once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { reconnect, SpoolwayError } from "../../../../runtime/sdk.ts";
import { explained } from "../../../../runtime/sdk/http/explained.ts";
import { type OpEvent, OpGateway } from "../../../../runtime/sdk/socket/op-gateway.ts";
import { TestContext } from "../../../helpers/context.ts";
import { waitFor } from "../../../helpers/wait.ts";

interface Said {
  op: number;
  d: { seq?: number } & object;
}

/** A gateway of which the test is the other side. */
class Peer {
  readonly said: Said[] = [];
  heartbeatMs = 60_000;
  answersBeats = true;
  readonly #server = new WebSocketServer({ port: 0, host: "127.0.0.1" });

  constructor() {
    onTestFinished(() => {
      for (const socket of this.#server.clients) socket.terminate();
      this.#server.close();
    });
    this.#server.on("connection", (socket) => {
      socket.on("message", (bytes: Buffer) => {
        const said = JSON.parse(bytes.toString("utf8")) as Said;
        this.said.push(said);
        if (said.op === 1 && this.answersBeats) this.say({ op: 11 });
      });
      this.say({ op: 10, d: { heartbeat_interval: this.heartbeatMs } });
    });
  }

  static async start(): Promise<Peer> {
    const peer = new Peer();
    await once(peer.#server, "listening");
    return peer;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  say(message: object | string): void {
    for (const socket of this.#server.clients)
      socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  ready(): void {
    const d = { session_id: "s1", resume_gateway_url: `${this.url}/again`, user: { id: "me" } };
    this.say({ op: 0, t: "READY", s: 1, d });
  }

  close(code: number): void {
    for (const socket of this.#server.clients) socket.close(code, "goodbye");
  }

  /** Resolves with the n-th thing that was said to it. */
  heard(n: number): Promise<Said> {
    return waitFor(() => this.said[n]);
  }
}

const values = new Map<string, unknown>();
const table = {
  "4004": { fate: "stop", hint: "Another token." },
  "4009": { fate: "reconnect", code: "session_expired" },
};

function open(peer: Peer, more: { context?: TestContext<object>; intents?: number } = {}) {
  const { context = new TestContext("op", "/", {}), intents = 1 } = more;
  const addresses: string[] = [];
  onTestFinished(() => context.abort());
  const opened = OpGateway.open<OpEvent>(context, {
    token: "t",
    identify: { intents },
    mainUrl: async () => peer.url,
    connect: (url) => {
      addresses.push(url);
      return new WebSocket(url);
    },
    closed: (code, words) => explained(table, code, words, { fate: "reconnect" }),
  });
  return { context, opened, addresses };
}

const event = (s: number): object => ({ op: 0, t: "SAID", s, d: { text: `event ${s}` } });

test("a session is begun, and after a loss resumed at its own address, behind what is done", async () => {
  const peer = await Peer.start();
  const { context, opened } = open(peer);
  expect(await peer.heard(0)).toEqual({ op: 2, d: { token: "t", intents: 1 } });
  peer.ready();
  const gateway = await opened;
  expect(gateway.me).toBe("me");
  const taken: string[][] = [];
  const running = gateway.run(context, async ({ s }, id) => {
    if (s === 4) throw new Error("the disk is full");
    taken.push(id);
    gateway.notes.mark = String(s);
  });
  for (const s of [2, 3, 4]) peer.say(event(s));
  await expect(running).rejects.toThrow("the disk is full");
  expect(taken).toEqual(["1", "2", "3"].map((s) => ["s1", s]));
  gateway.close();

  const again = open(peer, { context });
  expect((await waitFor(() => peer.said.find(({ op }) => op === 6))).d).toMatchObject({
    session_id: "s1",
    token: "t",
  });
  expect(peer.said.at(-1)?.d.seq).toBeLessThanOrEqual(3);
  peer.say(event(4));
  expect((await again.opened).notes).toEqual({ mark: "3" });
  expect(again.addresses).toEqual([`${peer.url}/again`]);
});

test("what cannot be understood arrives as it is, once, and the next one after it; another failure ends the session", async () => {
  const peer = await Peer.start();
  const { context, opened } = open(peer);
  await peer.heard(0);
  peer.ready();
  const gateway = await opened;
  const running = gateway.run(context, async ({ s, d }) => {
    if (s === 2) (d as { nothing: { here: object } }).nothing.here = {};
    if (s === 3) throw new SpoolwayError("invalid_event", "a number as its text");
    if (s === 4) throw new Error("the disk is full");
  });
  for (const s of [2, 3, 4]) peer.say(event(s));
  await expect(running).rejects.toThrow("the disk is full");
  expect(context.delivered).toMatchObject(
    [2, 3].map((s) => ({
      kind: "event",
      key: ["s1", String(s)],
      raw: { t: "SAID", d: { text: `event ${s}` } },
    })),
  );
  expect(context.logged("event.not_understood")).toHaveLength(2);
});

test("a heartbeat says no more than what is stored", async () => {
  const peer = await Peer.start();
  const { context, opened } = open(peer);
  await peer.heard(0);
  peer.ready();
  const gateway = await opened;
  const blocked = Promise.withResolvers<void>();
  const running = gateway.run(context, ({ s }) => (s === 2 ? blocked.promise : Promise.resolve()));
  const stored = async () => (await context.state.get<{ seq?: number }>("gateway"))?.seq;
  await waitFor(async () => (await stored()) === 1);
  peer.say(event(2));
  await gateway.probe(5000);
  expect(peer.said.at(-1)).toEqual({ op: 1, d: 1 });
  blocked.resolve();
  await waitFor(async () => (await stored()) === 2);
  peer.say({ op: 1 }); // asked for one
  await waitFor(() => JSON.stringify(peer.said.at(-1)) === '{"op":1,"d":2}');
  gateway.close();
  await expect(running).rejects.toMatchObject({ fate: "reconnect" });
});

test.for([
  ["the other side says so", (peer: Peer) => peer.say({ op: 9, d: false })],
  ["it closes with that code", (peer: Peer) => peer.close(4009)],
] as const)("a session that expired is not resumed again, where %s; the notes stay", async ([, expire]) => {
  const peer = await Peer.start();
  const context = new TestContext("op", "/", {}, values);
  const kept = {
    identify: '{"intents":1}',
    id: "old",
    url: peer.url,
    me: "me",
    seq: 7,
    notes: { mark: "5" },
  };
  await context.state.set("gateway", kept);
  const first = open(peer, { context });
  expect(await peer.heard(0)).toMatchObject({ op: 6, d: { session_id: "old", seq: 7 } });
  expire(peer);
  await expect(first.opened).rejects.toMatchObject({ code: "session_expired", fate: "reconnect" });
  const second = open(peer, { context });
  expect(await peer.heard(1)).toMatchObject({ op: 2 });
  peer.ready();
  expect((await second.opened).notes).toEqual({ mark: "5" });
});

test("other wishes begin another session; what cannot be reached is tried at the main address the next time", async () => {
  const peer = await Peer.start();
  const context = new TestContext("op", "/", {});
  const kept = { identify: '{"intents":1}', id: "old", url: "ws://127.0.0.1:1", me: "me", seq: 7, notes: {} };
  await context.state.set("gateway", kept);
  await expect(open(peer, { context }).opened).rejects.toMatchObject({ fate: "reconnect" });
  const next = open(peer, { context });
  expect(await peer.heard(0)).toMatchObject({ op: 6, d: { session_id: "old" } });
  expect(next.addresses).toEqual([peer.url]);
  peer.say(event(8));
  (await next.opened).close();
  open(peer, { context, intents: 3 }).opened.catch(() => undefined); // the test is over before it answers
  expect(await peer.heard(1)).toMatchObject({ op: 2, d: { intents: 3 } });
});

test.for([
  [4004, { fate: "stop", hint: "Another token." }],
  [4000, { fate: "reconnect", message: "the connection was closed (4000) goodbye" }],
] as const)("closed with %s, it ends with what that means", async ([code, expected]) => {
  const peer = await Peer.start();
  const { opened } = open(peer);
  await peer.heard(0);
  peer.close(code);
  await expect(opened).rejects.toMatchObject(expected);
});

test("what is no message ends the connection, and not the process", async () => {
  const peer = await Peer.start();
  const { opened } = open(peer);
  await peer.heard(0);
  peer.say("{half");
  await expect(opened).rejects.toMatchObject({ fate: "reconnect", message: /cannot be understood/ });
});

test("a greeting that was on its way when the connection ended starts no heartbeats", async () => {
  const wire = Object.assign(new EventEmitter(), {
    said: [] as string[],
    send: (text: string) => void wire.said.push(text),
    pause: () => undefined,
    resume: () => undefined,
    terminate: () => undefined,
  });
  const context = new TestContext("op", "/", {});
  const options = { token: "t", identify: {}, mainUrl: async () => "ws://there", connect: () => wire };
  const opened = OpGateway.open<OpEvent>(context, { ...options, closed: (_code, words) => reconnect(words) });
  await waitFor(() => wire.listenerCount("message") > 0);
  wire.emit("close", 1006, Buffer.from("gone"));
  wire.emit("message", Buffer.from('{"op":10,"d":{"heartbeat_interval":1}}'));
  await expect(opened).rejects.toMatchObject({ fate: "reconnect" });
  expect(wire.said).toEqual([]);
});

test("a probe that is not answered rejects, and a heartbeat that is not answered ends the connection", async () => {
  const peer = await Peer.start();
  peer.answersBeats = false;
  peer.heartbeatMs = 300;
  const { context, opened } = open(peer);
  await peer.heard(0);
  peer.ready();
  const gateway = await opened;
  const running = gateway.run(context, () => Promise.resolve());
  await expect(gateway.probe(20)).rejects.toMatchObject({ fate: "reconnect" });
  await expect(running).rejects.toMatchObject({ message: "a heartbeat was not answered" });
});
