// The examples of the documentation, run as a reader would: real programs, a real bus, their own files.
//
//   docs/examples/*          each one, as it is
//   ```bash run              in any page: in a home of its own, one after the other
//   README, quick start      the two minutes and the programs
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type Bus, projectRoot } from "../../helpers/bus.ts";
import { blocks, page, pages } from "../../helpers/docs.ts";
import { defaultBus, post, Program } from "../../helpers/reader.ts";
import { waitFor } from "../../helpers/wait.ts";

const examples = join(projectRoot, "docs/examples");
const interpreters: Record<string, string> = { sh: "bash", py: "python3", pl: "perl" };

const example = (bus: Bus, file: string, ...args: string[]): Program =>
  new Program(bus, interpreters[file.split(".")[1] ?? ""] ?? "", [join(examples, file), ...args]);

let posted = 0;

/** Posts until the program has printed one of them: there is no telling when it has begun to look. */
async function firstSeen(program: Program, port: number): Promise<void> {
  await waitFor(
    async () => {
      await post(port, { text: `anybody there? ${(posted += 1)}` });
      return waitFor(() => program.out.includes("anybody there?"), { timeoutMs: 500 }).catch(() => false);
    },
    { timeoutMs: 20_000, message: () => program.out },
  );
}

describe("an example that reads the inbox", () => {
  test("take.sh prints every event once, in order, and puts it away", async () => {
    const { bus, port } = await defaultBus();
    for (const text of ["one", "two", "drei ünd “vier”"]) await post(port, { text });
    const program = example(bus, "take.sh");
    await program.prints("vier");
    expect(program.out).toBe("web ada: one\nweb ada: two\nweb ada: drei ünd “vier”\n");
    await waitFor(() => bus.events().length === 0);
    expect(readdirSync(join(bus.home, "done"))).toHaveLength(3);
  });

  test.each(["follow.sh", "follow.pl", "follow.py", "tail.sh"])(
    "%s prints every event once, in order, and takes nothing away",
    async (file) => {
      const { bus, port } = await defaultBus();
      const program = example(bus, file);
      await firstSeen(program, port);
      const before = program.out;
      await Promise.all(["a", "b", "c"].map((text) => post(port, { text: `${text} ünd` })));
      await waitFor(() => ["a ünd", "b ünd", "c ünd"].every((text) => program.out.includes(text)));
      // Anything that comes twice does so at one of the next looks.
      await post(port, { text: "the last" });
      await program.prints("the last");
      const texts = bus.events().map((event) => event.content?.text ?? "");
      const lines = program.out.trim().split("\n");
      const seen = lines.map((line) => texts.find((text) => line.includes(text)));
      expect(seen).toEqual(texts.slice(-seen.length));
      expect(before.length).toBeGreaterThan(0);
    },
  );

  test("follow.py goes on where it was when it was killed", async () => {
    const { bus, port } = await defaultBus();
    await post(port, { text: "before the start" });
    const first = example(bus, "follow.py");
    await first.prints("before the start");
    await waitFor(() => existsSync(join(bus.home, "follow.json")));
    await first.end();
    await post(port, { text: "while it was away" });
    const second = example(bus, "follow.py");
    await second.prints("while it was away");
    expect(second.out).toBe("web while it was away\n");
  });
});

test.each(["answer.sh", "answer.py", "answer.pl"])("%s answers every message once", async (file) => {
  const { bus, port } = await defaultBus();
  const program = example(bus, file);
  const id = await post(port, { text: "grüß “dich”\nzweite Zeile", thread_id: "t1" });
  await post(port, { kindless: true }); // an event, no message
  const receipt = await bus.waitForReceipt("web", `re-${id}`);
  expect(receipt.conversation_id).toBe("page");
  await waitFor(() => bus.events().length === 0, { message: () => program.out });
  expect(bus.list("sent/web")).toEqual([`re-${id}.json`]);
  expect(program.out).toBe("");
  const streamed = await fetch(`http://127.0.0.1:${port}/stream?conversation_id=page`);
  const reader = streamed.body?.pipeThrough(new TextDecoderStream()).getReader();
  let heard = "";
  while (!heard.includes("dich")) heard += (await reader?.read())?.value ?? "";
  await reader?.cancel();
  expect(heard).toContain(JSON.stringify("you said: grüß “dich”\nzweite Zeile").slice(1, -1));
  // Killed before it had put the event away: it answers again, and that is the same message.
  const event = readdirSync(join(bus.home, "done")).find((name) => name.includes(id)) ?? "";
  writeFileSync(join(bus.spool, "inbox", event), readFileSync(join(bus.home, "done", event)));
  await waitFor(() => bus.list("inbox").length === 0 && bus.list("outbox/web").length === 0);
  await waitFor(() => (bus.heartbeat("web")?.duplicates ?? 0) > 0);
  expect(bus.list("sent/web")).toEqual([`re-${id}.json`]);
  expect(bus.list("failed/web")).toEqual([]);
});

describe("an example that sends", () => {
  test.each(["send.sh", "send.py"])("%s waits for the receipt, or the dead letter", async (file) => {
    const { bus } = await defaultBus();
    const sent = example(bus, file, "cli", "me", "grüß “dich”");
    expect({ code: await sent.code(), out: sent.out }).toMatchObject({ code: 0 });
    await waitFor(() => bus.logs().includes("me: grüß “dich”"));
    writeFileSync(join(bus.home, "file.txt"), "content");
    // The stream of webhook takes no attachments, and no message may be sent without a conversation.
    const refused =
      file === "send.py"
        ? example(bus, file, "web", "me", "with a file", join(bus.home, "file.txt"))
        : example(bus, file, "cli", "", "no conversation");
    expect({ code: await refused.code(), out: refused.out }).toMatchObject({ code: 1 });
    expect(refused.out).toContain("failed");
  });

  test("send.py attaches a file and removes its copy", async () => {
    const { bus } = await defaultBus();
    writeFileSync(join(bus.home, "report.txt"), "all is well");
    const program = example(bus, "send.py", "cli", "me", "see", join(bus.home, "report.txt"));
    expect({ code: await program.code(), out: program.out }).toMatchObject({ code: 0 });
    expect(bus.list("outbox/cli")).toEqual([]);
    const [sha256 = ""] = bus.list("media");
    expect(readFileSync(join(bus.spool, "media", sha256), "utf8")).toBe("all is well");
    expect(existsSync(join(bus.home, "report.txt"))).toBe(true);
  });

  test("send.pl drops a message", async () => {
    const { bus } = await defaultBus();
    const program = example(bus, "send.pl", "cli", "me", "grüß “dich”");
    expect(await program.code()).toBe(0);
    await bus.waitForReceipt("cli", program.out.trim());
    expect(bus.logs()).toContain("me: grüß “dich”");
  });
});

test("monitor.sh is silent while all is well, and says what is not", async () => {
  const { bus } = await defaultBus();
  const well = example(bus, "monitor.sh");
  expect({ code: await well.code(), out: well.out }).toEqual({ code: 0, out: "" });
  bus.configure("connectors:\n  - name: cli\n    type: cli\n    nonsense: 1\n");
  await waitFor(() => (bus.status()?.config_errors ?? []).length > 0);
  const wrong = example(bus, "monitor.sh");
  expect(await wrong.code()).toBe(1);
  expect(wrong.out).toContain("nonsense");
  await bus.stop();
  const status = JSON.parse(readFileSync(join(bus.spool, "heartbeat/_supervisor.json"), "utf8")) as object;
  const old = { ...status, beat_at: new Date(Date.now() - 60_000).toISOString() };
  writeFileSync(join(bus.spool, "heartbeat/_supervisor.json"), JSON.stringify(old));
  const gone = example(bus, "monitor.sh");
  expect(await gone.code()).toBe(1);
  expect(gone.out).toContain("the bus is not running");
});

describe("what a page says to type", () => {
  const marked = pages().filter((path) => blocks(page(path)).some(({ info }) => info === "bash run"));

  test.each(marked)("%s", async (path) => {
    const { bus } = await defaultBus();
    for (const { info, text } of blocks(page(path))) {
      if (info !== "bash run") continue;
      const program = new Program(bus, "bash", ["-euo", "pipefail", "-c", text]);
      expect({ text, code: await program.code(), out: program.out }).toMatchObject({ code: 0 });
    }
    // All that it dropped was accepted, and nothing was refused.
    const waiting = () => ["cli", "web"].flatMap((name) => bus.list(`outbox/${name}`));
    await waitFor(() => !waiting().some((file) => file.endsWith(".json")));
    expect(bus.list("failed/cli")).toEqual([]);
    expect(bus.list("sent/cli").length + bus.list("retry/cli").length).toBeGreaterThan(0);
  });
});

describe("the two minutes of README.md", () => {
  let text: string;
  beforeAll(() => {
    text = page("README.md");
  });

  test("curl makes an event, echo makes a receipt", async () => {
    const { bus, port } = await defaultBus();
    const block = blocks(text).find(({ info, text: code }) => info === "bash" && code.includes("curl"));
    // `npx spoolway chat` at its end is a conversation.
    const script = (block?.text ?? "")
      .replaceAll("8787", String(port))
      .split("\n")
      .filter((line) => !/\b(chat|ls)\b/.test(line))
      .join("\n");
    const program = new Program(bus, "bash", ["-euo", "pipefail", "-c", script]);
    expect({ code: await program.code(), out: program.out }).toMatchObject({ code: 0 });
    expect(program.out).toContain("is running");
    await bus.waitForEvent("hello");
    await waitFor(() => bus.list("sent/cli").length === 1);
  });

  test("the Python program answers what came in", async () => {
    const { bus, port } = await defaultBus();
    const id = await post(port, { text: "hello" });
    const code = blocks(text).find(({ info }) => info === "python")?.text ?? "";
    const program = new Program(bus, "python3", ["-c", code]);
    expect({ code: await program.code(), out: program.out }).toEqual({ code: 0, out: "" });
    await waitFor(() => bus.list("sent/web").length === 1);
    expect(bus.events().map((event) => event.id)).not.toContain(id);
  });
});

describe("the programs of docs/quick-start.md", () => {
  test("Bash puts away what came in, and sends", async () => {
    const { bus, port } = await defaultBus();
    await post(port, { text: "hello" });
    const scripts = blocks(page("docs/quick-start.md")).filter(
      ({ info, text }) => info === "sh" && text.includes("jq"),
    );
    expect(scripts.length).toBeGreaterThan(0);
    for (const { text } of scripts) {
      const program = new Program(bus, "bash", ["-euo", "pipefail", "-c", text]);
      expect({ text, code: await program.code(), out: program.out }).toMatchObject({ code: 0 });
    }
    expect(bus.events()).toEqual([]);
    await waitFor(() => bus.list("sent/cli").length === 1);
  });

  test("the Python bot answers", async () => {
    const { bus, port } = await defaultBus();
    const code = blocks(page("docs/quick-start.md")).find(({ info }) => info === "python")?.text ?? "";
    const program = new Program(bus, "python3", ["-c", code]);
    const id = await post(port, { text: "hello" });
    await bus.waitForReceipt("web", `re-${id}`, { message: () => program.out });
  });
});
