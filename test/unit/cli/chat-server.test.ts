import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ChatServer, openChatServer, type Said } from "../../../connectors/cli/chat-server.ts";
import { waitFor } from "../../helpers/wait.ts";

let folder: string;
let path: string;
let server: ChatServer | undefined;
let said: Said[];
let slow: number;
const sockets: Socket[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spoolway-chat-"));
  path = join(folder, "chat.sock");
  said = [];
  slow = 0;
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server?.close();
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

async function open(): Promise<ChatServer> {
  server = await openChatServer(path, {
    deliver: (one) => {
      if (one.text === "fail") return Promise.reject(new Error("the disk is full"));
      said.push(one);
      return Promise.resolve(`event-${said.length}`);
    },
    tooSlow: () => slow++,
  });
  return server;
}

/** A chat that writes raw text and keeps the lines that come back. */
async function attach(): Promise<{ socket: Socket; lines: Array<Record<string, unknown>> }> {
  const socket = connect(path);
  sockets.push(socket);
  await once(socket, "connect");
  const lines: Array<Record<string, unknown>> = [];
  createInterface({ input: socket }).on("line", (line) =>
    lines.push(JSON.parse(line) as Record<string, unknown>),
  );
  return { socket, lines };
}

const count = (lines: unknown[], wanted: number) => waitFor(() => lines.length >= wanted);

describe("the chat socket", () => {
  it("answers each line, in order, once it is delivered", async () => {
    await open();
    const { socket, lines } = await attach();
    socket.write(
      '{"text":"a","conversation_id":"me","sender":"ada","id":"1"}\n{"text":"b","conversation_id":"me"}\n',
    );
    await count(lines, 2);
    expect(lines).toEqual([{ delivered: "event-1", id: "1" }, { delivered: "event-2" }]);
    expect(said).toEqual([
      { text: "a", conversation: "me", sender: "ada", id: "1" },
      { text: "b", conversation: "me" },
    ]);
  });

  it("says what is wrong with a line, and goes on", async () => {
    await open();
    const { socket, lines } = await attach();
    const bad = ["garbage", "[]", '{"text":5,"conversation_id":"me"}', '{"text":"x"}', '{"attach":1}'];
    socket.write(bad.join("\n") + '\n{"text":"fail","conversation_id":"me","id":"9"}\n');
    socket.write(Buffer.from([0xff, 0xfe, 10]));
    socket.write('{"text":"ok","conversation_id":"me"}\n');
    await count(lines, 8);
    expect(lines.slice(0, 7).every((line) => typeof line.error === "string")).toBe(true);
    expect(lines[2]).toMatchObject({
      error: "text: expected a text that is not empty",
      code: "invalid_event",
    });
    expect(lines[5]).toMatchObject({ error: "the disk is full", id: "9" });
    expect(lines[7]).toEqual({ delivered: "event-1" });
  });

  it("shows a message to every chat of its conversation and to no other", async () => {
    const chats = await open();
    const [one, two, other] = [await attach(), await attach(), await attach()];
    one.socket.write('{"attach":"me"}\n');
    two.socket.write('{"attach":"me"}\n');
    other.socket.write('{"attach":"you"}\n');
    await Promise.all([one, two, other].map(({ lines }) => count(lines, 1)));
    const message = { id: "1", action: "message", conversation_id: "me", text: "hi" } as const;
    chats.show(message);
    chats.show({ ...message, id: "2", conversation_id: "you" });
    await Promise.all([one, two, other].map(({ lines }) => count(lines, 2)));
    expect(one.lines).toEqual([{ attached: "me" }, { message }]);
    expect(two.lines).toEqual(one.lines);
    expect(other.lines[1]).toMatchObject({ message: { id: "2" } });
  });

  it("answers a program that closes its side after writing", async () => {
    await open();
    const { socket, lines } = await attach();
    socket.end('{"text":"a","conversation_id":"me"}\n');
    await once(socket, "close");
    expect(lines).toEqual([{ delivered: "event-1" }]);
  });

  it("cuts off a chat that does not read, and only that one", async () => {
    const chats = await open();
    const [deaf, good] = [await attach(), await attach()];
    deaf.socket.write('{"attach":"me"}\n');
    good.socket.write('{"attach":"me"}\n');
    await Promise.all([deaf, good].map(({ lines }) => count(lines, 1)));
    deaf.socket.pause();
    const message = { id: "1", action: "message", conversation_id: "me", text: "x".repeat(100_000) } as const;
    for (let i = 1; i <= 100; i++) {
      chats.show(message);
      await count(good.lines, i + 1);
    }
    expect(slow).toBe(1);
    expect(good.lines).toHaveLength(101);
  });

  it("notices that its file was removed or replaced", async () => {
    const chats = await open();
    await chats.probe();
    rmSync(path);
    await expect(chats.probe()).rejects.toThrow("removed");
  });
});
