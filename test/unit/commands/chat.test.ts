import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ChatServer, openChatServer, type Said } from "../../../connectors/cli/chat-server.ts";
import { chat, type ChatOptions } from "../../../runtime/commands/chat.ts";
import type { Outgoing } from "../../../runtime/sdk.ts";
import { waitFor } from "../../helpers/wait.ts";

let home: string;
let folder: string;
let server: ChatServer | undefined;
/** Events by the chat's id: what the runtime makes of the same key. */
let events: Map<string | undefined, Said>;
let deliver: (said: Said) => Promise<string>;

beforeEach(() => {
  // Deeper than a unix socket's path may be.
  home = join(mkdtempSync(join(tmpdir(), "spoolway-chat-")), "a-long-name".repeat(10));
  folder = join(home, "spool/state/cli");
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(home, "connectors.yml"),
    "connectors:\n  - { name: cli, type: cli }\n  - { name: hook, type: webhook, port: 1 }\n",
  );
  events = new Map();
  deliver = (said) => {
    if (said.text === "refuse me") return Promise.reject(new Error("the disk is full"));
    events.set(said.id, said);
    return Promise.resolve(`event-${events.size}`);
  };
});

afterEach(async () => {
  await server?.close();
  server = undefined;
  rmSync(join(home, ".."), { recursive: true, force: true });
});

/** The connector's side, in its folder as the runtime starts it. */
async function open(): Promise<ChatServer> {
  const before = process.cwd();
  process.chdir(folder);
  try {
    server = await openChatServer("chat.sock", {
      deliver: (said) => deliver(said),
      tooSlow: () => undefined,
    });
  } finally {
    process.chdir(before);
  }
  return server;
}

function run(options: Partial<ChatOptions> = {}) {
  const input = new PassThrough();
  const out = new PassThrough({ encoding: "utf8" });
  const err = new PassThrough({ encoding: "utf8" });
  let shown = "";
  let errors = "";
  out.on("data", (text: string) => (shown += text));
  err.on("data", (text: string) => (errors += text));
  const code = chat({ home, input, out, err, isTerminal: false, color: false, json: false, ...options });
  code.catch(() => undefined); // awaited by the test
  return { input, code, out: () => shown, err: () => errors };
}

const message = (text: string): Outgoing => ({ id: "1", action: "message", conversation_id: "me", text });
const texts = () => [...events.values()].map((said) => said.text);

describe("chat without a terminal", () => {
  it("says every line of its input, in order, and exits 0 when all are delivered", async () => {
    await open();
    const { input, code, out, err } = run({ as: "ada", conversation: "lab" });
    const lines = Array.from({ length: 200 }, (_, n) => `line ${n} ü`);
    input.end(lines.join("\n"));
    expect(await code).toBe(0);
    expect(texts()).toEqual(lines);
    expect([...events.values()][0]).toMatchObject({ conversation: "lab", sender: "ada" });
    expect(out() + err()).toBe("");
  });

  it("waits for as many answers as lines were said, and prints them safely", async () => {
    const chats = await open();
    deliver = (said) => {
      setTimeout(() => chats.show(message(`you said ${said.text} \x1b[2J`)), 50);
      return Promise.resolve("e");
    };
    const started = performance.now();
    const { input, code, out } = run({ waitMs: 20_000 });
    input.end("one\n\ntwo\n");
    expect(await code).toBe(0);
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(out()).toBe("you said one \\x1b[2J\nyou said two \\x1b[2J\n");
  });

  it("exits after the wait when nobody answers", async () => {
    await open();
    const { input, code } = run({ waitMs: 100 });
    input.end("one\n");
    expect(await code).toBe(0);
  });

  it("prints one JSON object per line with json", async () => {
    const chats = await open();
    deliver = (said) => {
      chats.show(message("answer\nto it"));
      return Promise.resolve(`e-${said.text}`);
    };
    const { input, code, out } = run({ json: true, waitMs: 5000 });
    input.end("one\n");
    expect(await code).toBe(0);
    const lines = out().trim().split("\n");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { message: message("answer\nto it") },
      { delivered: "e-one" },
    ]);
  });

  it("exits 1 and counts what was refused", async () => {
    await open();
    const { input, code, err } = run();
    input.end("one\nrefuse me\ntwo\n");
    expect(await code).toBe(1);
    expect(err()).toContain("the disk is full");
    expect(err()).toContain("1 of 3 lines were not delivered");
    expect(texts()).toEqual(["one", "two"]);
  });

  it("says again what was not answered when the connector comes back, as the same event", async () => {
    await open();
    let release = () => {};
    const held = new Promise<void>((done) => (release = done));
    deliver = async (said) => {
      events.set(said.id, said); // durable, but the connector dies before it can say so
      await held;
      return "never seen";
    };
    const { input, code, err } = run();
    input.write("one\n");
    await waitFor(() => events.size === 1);
    await server?.close();
    release();
    input.end("two\n");
    await waitFor(() => err().includes("connection lost"));
    deliver = (said) => {
      events.set(said.id, said);
      return Promise.resolve("e");
    };
    await open();
    expect(await code).toBe(0);
    expect(texts()).toEqual(["one", "two"]);
    expect(err()).toContain("connected again");
  });
});

describe("chat in a terminal", () => {
  const terminal = { isTerminal: true } as const;

  it("shows messages above the prompt, each line with the connector's name", async () => {
    const chats = await open();
    const { input, code, out } = run(terminal);
    await waitFor(() => out().includes("me> "));
    input.write("hello\n");
    await waitFor(() => texts().includes("hello"));
    chats.show(message("one\ntwo"));
    await waitFor(() => out().includes("cli │ one\ncli │ two\n"));
    expect(out().slice(out().lastIndexOf("two\n"))).toContain("me> ");
    input.write("\x04");
    expect(await code).toBe(0);
  });

  it("ends with ctrl-c", async () => {
    await open();
    const { input, code, out } = run(terminal);
    await waitFor(() => out().includes("me> "));
    input.write("\x03");
    expect(await code).toBe(0);
  });

  it("says that the connection is lost, and goes on when it is back", async () => {
    await open();
    const { input, code, out } = run(terminal);
    await waitFor(() => out().includes("me> "));
    await server?.close();
    await waitFor(() => out().includes("connection lost"));
    input.write("meanwhile\n");
    await open();
    await waitFor(() => texts().includes("meanwhile"));
    expect(out()).toContain("connected again");
    input.end();
    expect(await code).toBe(0);
  });

  it("exits 1 when the last line could not be delivered", async () => {
    await open();
    const { input, code, out } = run(terminal);
    await waitFor(() => out().includes("me> "));
    await server?.close();
    await waitFor(() => out().includes("connection lost"));
    input.write("lost\n");
    await waitFor(() => out().split("me> ").length > 3);
    input.write("\x03");
    expect(await code).toBe(1);
  });
});

describe("chat that cannot begin", () => {
  it("says that the bus does not run, and how to start it", async () => {
    const { code, err } = run();
    expect(await code).toBe(1);
    expect(err()).toContain('"cli" does not answer');
    expect(err()).toContain("spoolway run");
  });

  it("says so after the connector was killed, too", async () => {
    await open();
    await server?.close();
    expect(existsSync(join(folder, "chat.sock"))).toBe(true); // its path was relative, and this process left the folder
    const { code, err } = run();
    expect(await code).toBe(1);
    expect(err()).toContain("does not answer");
  });

  it("names the consoles when the connector does not exist", async () => {
    const { code, err } = run({ connector: "clii" });
    expect(await code).toBe(2);
    expect(err()).toContain('there is no connector "clii"');
    expect(err()).toContain("These can be talked to: cli");
  });

  it("refuses a connector that is no console", async () => {
    const { code, err } = run({ connector: "hook" });
    expect(await code).toBe(2);
    expect(err()).toContain("of type webhook");
  });

  it("does not leave the spool through a name", async () => {
    const { code, err } = run({ connector: "../cli" });
    expect(await code).toBe(2);
    expect(err()).toContain("there is no connector");
  });

  it("says so in JSON with json", async () => {
    const { code, out } = run({ json: true });
    expect(await code).toBe(1);
    expect(JSON.parse(out())).toMatchObject({ error: { code: "disconnected" } });
  });
});
