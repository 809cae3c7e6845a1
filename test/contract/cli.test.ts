// The cli connector keeps the contract; and `spoolway chat` talks to it through the real bus.
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, test } from "vitest";
import { type Bus, runCommand, startBus } from "../helpers/bus.ts";
import { waitFor } from "../helpers/wait.ts";
import type { Said } from "./platform.ts";
import { contract } from "./suite.ts";

let bus: Bus | undefined;

/** Says one line over chat.sock and resolves once it is durable. */
async function tell(said: Said): Promise<void> {
  const socket = connect(join(bus?.spool ?? "", "state/cli/chat.sock"));
  await once(socket, "connect");
  const lines = createInterface({ input: socket });
  const answered = once(lines, "line");
  const line = { text: said.text, conversation_id: said.conversation, sender: "ada", id: said.key };
  socket.write(JSON.stringify(line) + "\n");
  const [answer] = (await answered) as [string];
  socket.destroy();
  if (!answer.includes('"delivered"')) throw new Error(answer);
}

/** The messages that the connector printed, as the bus's log has them. */
function printed(conversation: string): string[] {
  const messages: string[] = [];
  for (const line of (bus?.logs() ?? "").split("\n")) {
    if (!line.includes('"connector.output"')) continue;
    const { stream, text } = JSON.parse(line) as { stream: string; text: string };
    if (stream !== "stdout") continue;
    if (text.startsWith("  | ")) messages.push(`${messages.pop() ?? ""}\n${text.slice(4)}`);
    else messages.push(text);
  }
  const start = `${conversation}: `;
  return messages.filter((text) => text.startsWith(start)).map((text) => text.slice(start.length));
}

contract({
  type: "cli",
  conversation: "me",
  otherConversation: "you",
  open: () => Promise.resolve({}),
  attach: (opened) => {
    bus = opened;
    return Promise.resolve();
  },
  close: () => {
    bus = undefined;
    return Promise.resolve();
  },
  async say({ conversation, text }) {
    const said = { conversation, text, key: randomUUID() };
    await tell(said);
    return said;
  },
  sayAgain: tell,
  heard: (conversation) => Promise.resolve(printed(conversation)),
});

describe("spoolway chat on the bus", { timeout: 60_000 }, () => {
  const connectors = [{ name: "cli", type: "cli" }];

  const say = (name: string, input: string, ...args: string[]) =>
    runCommand(["chat", "--connector", name, "--home", bus?.home ?? "", ...args], { input });

  test("a line becomes an event of the user, and the answer is shown", async () => {
    bus = await startBus({ connectors });
    const chat = say("cli", "hello\n", "--as", "ada", "--conversation", "lab", "--wait", "20");
    const event = await bus.waitForEvent("hello");
    expect(event).toMatchObject({ sender: { id: "ada" }, conversation: { id: "lab", type: "direct" } });
    bus.drop("cli", { ...event.reply, connector: undefined, text: "hello ada" });
    expect(await chat).toEqual({ code: 0, stdout: "hello ada\n", stderr: "" });
  });

  test("every line that chat exited 0 for is one event, also when the connector is killed meanwhile", async () => {
    bus = await startBus({
      connectors,
      defaults: { supervisor: { backoff_base: "200ms", backoff_max: "1s" } },
    });
    const lines = Array.from({ length: 2000 }, (_, n) => `line ${n}`);
    const chat = say("cli", lines.join("\n"));
    await waitFor(() => (bus?.list("inbox").length ?? 0) > 100);
    await bus.killConnector("cli");
    expect((await chat).code).toBe(0);
    const texts = bus.events().map((event) => event.content?.text);
    expect(texts.toSorted()).toEqual(lines.toSorted());
  });

  test("it says what to do when it cannot begin", async () => {
    bus = await startBus({ connectors });
    expect(await say("clii", "")).toMatchObject({ code: 2, stdout: "" });
    await bus.stop();
    const stopped = await say("cli", "");
    expect(stopped.code).toBe(1);
    expect(stopped.stderr).toContain("spoolway run");
  });

  test("the socket is the user's own, and is replaced after SIGKILL", async () => {
    bus = await startBus({ connectors });
    const path = join(bus.spool, "state/cli/chat.sock");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await bus.killConnector("cli");
    await waitFor(() => existsSync(path));
    await tell({ conversation: "me", text: "still here", key: "1" });
    await bus.waitForEvent("still here");
  });

  test("an answer dropped with echo is printed, with its attachments and without control of the terminal", async () => {
    bus = await startBus({ connectors });
    bus.drop("cli", new Uint8Array([1, 2, 3]), "data.bin");
    const id = bus.send("cli", {
      conversation_id: "me",
      text: "one\ntwo \x1b[2J",
      attachments: [{ path: "data.bin" }],
    });
    await bus.waitForReceipt("cli", id);
    // Each line of a message is a line of the log of its own, so the last one may come a moment later.
    await waitFor(() => printed("me")[0]?.includes("data.bin") ?? false);
    expect(printed("me")).toEqual([expect.stringMatching(/^one\ntwo \\x1b\[2J\n\[file data\.bin: .+\]$/)]);
  });
});
