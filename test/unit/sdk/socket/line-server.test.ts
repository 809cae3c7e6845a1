// A unix socket that several programs of the same user speak JSON lines on: private, bounded, and free again after whatever happened to its last owner.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { reject } from "../../../../runtime/sdk.ts";
import { LineServer } from "../../../../runtime/sdk/socket/line-server.ts";
import { trackChild } from "../../../helpers/children.ts";
import { waitFor } from "../../../helpers/wait.ts";

let folder: string;
let path: string;
let server: LineServer | undefined;
let slow: number;
const sockets: Socket[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spoolway-lines-"));
  path = join(folder, "lines.sock");
  slow = 0;
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server?.close();
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

async function open(): Promise<LineServer> {
  server = await LineServer.open(path, {
    async answer({ topic, wait, fail, ...rest }, client) {
      if (typeof topic === "string") client.topic = topic;
      if (typeof wait === "number") await delay(wait);
      if (fail !== undefined) throw reject("no such thing", "unknown_thing");
      return { said: rest };
    },
    tooSlow: () => slow++,
  });
  return server;
}

/** A client that writes raw text and keeps the lines that come back. */
async function attach(topic?: string): Promise<{ socket: Socket; lines: unknown[] }> {
  const socket = connect(path);
  sockets.push(socket);
  socket.on("error", () => undefined); // cut off while writing
  await once(socket, "connect");
  const lines: unknown[] = [];
  createInterface({ input: socket })
    .on("line", (line) => lines.push(JSON.parse(line)))
    .on("error", () => undefined); // readline repeats the socket's error
  if (topic !== undefined) {
    socket.write(`${JSON.stringify({ topic })}\n`);
    await count(lines, 1);
    lines.length = 0;
  }
  return { socket, lines };
}

const count = (lines: unknown[], wanted: number) => waitFor(() => lines.length >= wanted);

describe("a line server", () => {
  it("answers each line in order with its id, also the one whose answer takes long", async () => {
    await open();
    const { socket, lines } = await attach();
    socket.write('{"wait":100,"id":"1"}\n{"a":1}\r\n{"fail":1,"id":"3"}\n');
    await count(lines, 3);
    const error = { error: "no such thing", code: "unknown_thing", id: "3" };
    expect(lines).toEqual([{ said: { id: "1" }, id: "1" }, { said: { a: 1 } }, error]);
  });

  it("says what is wrong with a line without quoting it, and goes on", async () => {
    await open();
    const { socket, lines } = await attach();
    socket.write("secret\n[]\n\n");
    socket.write(Buffer.from([0xff, 0xfe, 10]));
    socket.write("{}\n");
    await count(lines, 5);
    const codes = lines.map((line) => (line as { code?: string }).code);
    expect(codes).toEqual(["invalid_json", "invalid_json", "invalid_json", "invalid_encoding", undefined]);
    expect(JSON.stringify(lines)).not.toContain("secret");
  });

  it("tells a client what belongs to its topic, until it ends its side", async () => {
    const opened = await open();
    const [one, two, other] = [await attach("a"), await attach("a"), await attach("b")];
    two.socket.end();
    await once(two.socket, "close");
    opened.tell("a", { n: 1 });
    opened.tell("b", { n: 2 });
    await Promise.all([one, other].map(({ lines }) => count(lines, 1)));
    expect([one.lines, two.lines, other.lines]).toEqual([[{ n: 1 }], [], [{ n: 2 }]]);
  });

  it("refuses a line without end and one that is too long, and takes no more of it", async () => {
    await open();
    const endless = await attach();
    endless.socket.write("x".repeat(2 << 20));
    const long = await attach();
    long.socket.write(`${"x".repeat((1 << 20) + 1)}\n{}\n`);
    for (const { socket, lines } of [endless, long]) {
      await count(lines, 1);
      await waitFor(() => socket.destroyed);
      expect(lines).toEqual([expect.objectContaining({ code: "message_too_large" })]);
    }
  });

  it("takes a line of just 1 MiB, in however small pieces", async () => {
    await open();
    const { socket, lines } = await attach();
    const line = JSON.stringify({ a: "x".repeat((1 << 20) - 8) });
    for (let at = 0; at < line.length; at += 50_000) socket.write(line.slice(at, at + 50_000));
    socket.write("\n");
    await count(lines, 1);
    expect(lines[0]).toHaveProperty("said.a.length", (1 << 20) - 8);
  });

  it("cuts off a client that does not read, and only that one", async () => {
    const opened = await open();
    const [deaf, good] = [await attach("a"), await attach("a")];
    deaf.socket.pause();
    for (let i = 1; i <= 20; i++) {
      opened.tell("a", { text: "x".repeat(500_000) });
      await count(good.lines, i);
    }
    expect([slow, good.lines.length]).toEqual([1, 20]);
  });

  it("survives a client that goes away while its line is answered", async () => {
    await open();
    const { socket } = await attach("a");
    socket.write('{"wait":50}\n');
    await delay(20);
    socket.destroy();
    await delay(80);
    const { socket: next, lines } = await attach();
    next.write("{}\n");
    await count(lines, 1);
  });

  it("is gone after close, with clients attached and when closed twice", async () => {
    const opened = await open();
    const { socket } = await attach();
    await opened.close();
    await opened.close();
    await waitFor(() => socket.destroyed);
    const other = createServer();
    other.listen(path);
    await once(other, "listening");
    other.close();
  });
});

describe("its socket", () => {
  it("is for this user only", async () => {
    const before = process.umask(0);
    try {
      await open();
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(process.umask()).toBe(0);
    } finally {
      process.umask(before);
    }
  });

  it("is never open to others, not even for a moment, and nothing else is made under its umask", async () => {
    const before = process.umask(0);
    try {
      const opening = open();
      await waitFor(() => statSync(path, { throwIfNoEntry: false }) !== undefined);
      expect(statSync(path).mode & 0o077).toBe(0);
      expect(process.umask()).toBe(0);
      await opening;
    } finally {
      process.umask(before);
    }
  });

  it("takes the place of one that a killed process left, not of one that is listened on", async () => {
    const program = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => console.log("up"))`;
    const child = trackChild(spawn(process.execPath, ["-e", program], { stdio: "pipe" }), "listener");
    await once(child.stdout, "data");
    await expect(open()).rejects.toThrow("another process listens");
    child.kill("SIGKILL");
    await once(child, "exit");
    await open();
    await attach();
  });

  it("takes the place of a file that is no socket", async () => {
    writeFileSync(path, "");
    await open();
    await attach();
  });

  it("is missed when its file was removed", async () => {
    const opened = await open();
    await opened.probe();
    rmSync(path);
    await expect(opened.probe()).rejects.toThrow("lines.sock was removed");
  });
});
