import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import connector from "../../../connectors/exec/connector.ts";
import type { Config } from "../../../connectors/exec/manifest.d.ts";
import type { Session } from "../../../connectors/exec/session.ts";
import { track } from "../../helpers/children.ts";
import { outgoing, TestContext } from "../../helpers/context.ts";
import { waitFor } from "../../helpers/wait.ts";
import { SpoolwayError } from "../../../runtime/errors.ts";

const programs = resolve(import.meta.dirname, "../../helpers/programs");
const examples = resolve(import.meta.dirname, "../../../connectors/exec/examples");

let home: string;
let open: Array<{ session: Session; ctx: TestContext<Config> }>;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "spoolway-exec-"));
  open = [];
});

afterEach(async () => {
  for (const { session, ctx } of open) {
    ctx.abort();
    await connector.close?.(session);
  }
  rmSync(home, { recursive: true, force: true });
});

async function start(command: string[], more: Partial<Config> = {}) {
  const config = { command, cwd: ".", env: {}, ready: false, max_line_bytes: 1 << 20, ...more };
  const ctx = new TestContext<Config>("exec", home, config);
  const session = await connector.connect(ctx);
  open.push({ session, ctx });
  const pid = ctx.logged("program.started")[0]?.fields.pid as number;
  track(pid, command.join(" "));
  const received = connector.receive?.(session, ctx) ?? Promise.reject(new Error("no receive"));
  received.catch(() => undefined);
  const send = (text: string, timeoutMs?: number) =>
    connector.send!(session, outgoing(text), ctx.sending(timeoutMs));
  return { ctx, session, pid, received, send };
}

const thrown = (promise: Promise<unknown>): Promise<SpoolwayError> =>
  promise.then(
    () => Promise.reject(new Error("it was expected to throw")),
    (error: unknown) => error as SpoolwayError,
  );

/** How it ends; on a busy machine it may have counted as connected for a moment. */
const ends = (starting: ReturnType<typeof start>): Promise<SpoolwayError> =>
  thrown(starting.then(({ received }) => received));

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}

describe.each([
  ["Python", ["python3", join(examples, "echo.py")]],
  ["Bash", ["bash", join(examples, "echo.sh")]],
  ["Perl", ["perl", join(examples, "echo.pl")]],
])("the example in %s", (_language, command) => {
  it("sends, receives, and stops when its stdin is closed", async () => {
    const { ctx, session, send, received, pid } = await start(command, { ready: true });
    const text = 'ünïcode "quotes" \\ back\nline {"id":"x"} \u{1f600}';
    const result = await send(text);
    expect(result).toEqual({ platform_id: expect.stringMatching(/^echo-m\d+$/) });
    await waitFor(() => ctx.delivered.length === 1);
    expect(ctx.delivered[0]).toMatchObject({
      content: { text },
      conversation: { id: "c" },
      sender: { id: "echo", is_bot: true },
      key: ["echo", expect.any(String)],
    });
    const before = performance.now();
    ctx.abort();
    await received;
    await connector.close?.(session);
    expect(performance.now() - before).toBeLessThan(900); // by its own will, without SIGTERM
    expect(alive(pid)).toBe(false);
    expect(ctx.lines.filter((line) => line.level === "warn")).toEqual([]);
  });
});

it("the example that follows a file loses no line and repeats none over a restart", async () => {
  const file = join(home, "app.log");
  writeFileSync(file, "one\ntwo\nthree");
  const first = await start(["python3", join(examples, "feed.py"), file]);
  await waitFor(() => first.ctx.delivered.length === 2);
  await waitFor(() => readFileSync(`${file}.place`, "utf8") === "8");
  first.ctx.abort();
  await first.received;
  writeFileSync(file, "one\ntwo\nthree\n");
  const second = await start(["python3", join(examples, "feed.py"), file]);
  await waitFor(() => second.ctx.texts().length === 1);
  expect([...first.ctx.texts(), ...second.ctx.texts()]).toEqual(["one", "two", "three"]);
});

describe("starting", () => {
  it("stops with a hint that names the PATH when the command is not found", async () => {
    const error = await thrown(start(["no-such-command-here"], { env: { PATH: "/nowhere:/elsewhere" } }));
    expect(error).toMatchObject({ fate: "stop", code: "command_not_found" });
    expect(error.message).toContain("no-such-command-here");
    expect(error.hint).toContain("/nowhere:/elsewhere");
  });

  it("stops with a hint when the file is not executable, and when cwd is no folder", async () => {
    writeFileSync(join(home, "bot.py"), "print(1)");
    chmodSync(join(home, "bot.py"), 0o644);
    const first = await thrown(start(["./bot.py"]));
    expect(first).toMatchObject({ fate: "stop", code: "command_not_executable" });
    expect(first.hint).toContain("chmod +x");
    expect(await thrown(start(["true"], { cwd: "missing" }))).toMatchObject({ fate: "stop" });
  });

  it("finds a command relative to cwd and gives it only the environment that it is to have", async () => {
    process.env.SECRET_OF_SPOOLWAY = "x";
    const script =
      '#!/bin/bash\necho "{\\"text\\": \\"$PWD $TOKEN $(env | cut -d= -f1 | sort | xargs)\\"}"; read -r _\n';
    writeFileSync(join(home, "env.sh"), script);
    chmodSync(join(home, "env.sh"), 0o755);
    const { ctx } = await start(["./env.sh"], { env: { TOKEN: "t" } });
    delete process.env.SECRET_OF_SPOOLWAY;
    await waitFor(() => ctx.delivered.length === 1);
    const [folder, token, ...names] = ctx.texts()[0]!.split(" ");
    expect([folder, token]).toEqual([home, "t"]);
    const shells = ["OLDPWD", "PWD", "SHLVL", "_"];
    expect(
      names.filter((name) => !shells.includes(name) && !["HOME", "LANG", "PATH", "TZ"].includes(name)),
    ).toEqual(["TOKEN"]);
  });

  it("does not count as connected when it exits at once; the reason holds its last words", async () => {
    const error = await ends(start(["bash", "-c", "echo no module named bot >&2; exit 3"]));
    expect(error).toMatchObject({ fate: "reconnect", code: "program_exited" });
    expect(error.message).toBe("the program exited with code 3; its last words: no module named bot");
  });

  it("stops for good on exit code 100", async () => {
    expect(await ends(start(["bash", "-c", "exit 100"]))).toMatchObject({ fate: "stop" });
    const { received } = await start(["bash", "-c", "sleep 0.5; exit 100"]);
    expect(await thrown(received)).toMatchObject({ fate: "stop", code: "program_stopped" });
  });

  it("waits for ready when it is to", async () => {
    const begun = performance.now();
    const { ctx } = await start(
      ["bash", "-c", 'echo \'{"text":"early"}\'; sleep 0.6; echo \'{"ready":true}\'; read -r _'],
      { ready: true },
    );
    expect(performance.now() - begun).toBeGreaterThan(550);
    expect(ctx.texts()).toEqual(["early"]);
  });

  it("ends the program when the session ends while it waits for ready", async () => {
    const config = { command: ["sleep", "1000"], cwd: ".", env: {}, ready: true, max_line_bytes: 1 << 20 };
    const ctx = new TestContext<Config>("exec", home, config);
    setTimeout(() => ctx.abort(), 300);
    await thrown(connector.connect(ctx));
    expect(ctx.logged("program.ended")).toHaveLength(1);
    expect(alive(ctx.logged("program.ended")[0]!.fields.pid as number)).toBe(false);
  });
});

describe("sending", () => {
  const answers = ["python3", join(programs, "answers.py")];

  it("gives each message the fate that the program says", async () => {
    const { send } = await start(answers);
    expect(await send("hello")).toEqual({ platform_id: expect.stringMatching(/^p-m/) });
    expect(await thrown(send("reject"))).toMatchObject({
      fate: "reject",
      code: "too_rude",
      message: "we do not say that here",
    });
    expect(await thrown(send("stop"))).toMatchObject({ fate: "stop", code: "unauthorized" });
    expect(await thrown(send("rate"))).toMatchObject({ fate: "rate_limited", retryAfterMs: 1500 });
  });

  it("is uncertain when the program was given the message and does not answer in time", async () => {
    const { send } = await start(answers);
    expect(await thrown(send("never", 400))).toMatchObject({ fate: "uncertain" });
    expect(await send("hello")).toBeDefined();
  });

  it("is uncertain when the program was given the message and dies; the reason is in the error", async () => {
    const { send, received } = await start(answers);
    const sending = thrown(send("exit 5"));
    expect(await sending).toMatchObject({ fate: "uncertain" });
    expect((await thrown(received)).message).toBe("the program exited with code 5");
  });

  it("does not count an answer that nobody waits for, and says so", async () => {
    const { send, ctx } = await start(answers);
    expect(await send("twice")).toEqual({ platform_id: "1" });
    await send("wrong id");
    await waitFor(() => ctx.logged("answer.unknown").length === 2);
    expect(ctx.logged("answer.unknown")[1]?.fields.id).toMatch(/^not-m/);
  });

  it("takes a late answer for the next try of the same message", async () => {
    const { session, ctx } = await start(answers);
    const message = outgoing("late 3");
    expect(await thrown(connector.send!(session, message, ctx.sending(300)))).toMatchObject({
      fate: "uncertain",
    });
    expect(await connector.send!(session, message, ctx.sending(15_000))).toEqual({
      platform_id: `p-${message.id}`,
    });
  });

  it("keeps the session of a program that closed its stdin, and tries the message again", async () => {
    const { send } = await start(answers);
    await send("close stdin");
    await waitFor(async () => (await thrown(send("more", 1500))).message.includes("closed its stdin"), {
      timeoutMs: 10_000,
    });
  });

  it("holds no more than the messages in flight when the program never reads, and tells which were not given", async () => {
    const { session, ctx, pid, received } = await start(["bash", join(programs, "never_reads.sh")]);
    const large = "x".repeat(500_000);
    const fates = await Promise.all(
      Array.from(
        { length: 4 },
        async () => (await thrown(connector.send!(session, outgoing(large), ctx.sending(500)))).fate,
      ),
    );
    // The first fills the pipe and cannot be taken back; the others were never begun.
    expect(fates).toEqual(["uncertain", "retry", "retry", "retry"]);
    ctx.abort();
    await received;
    await connector.close?.(session);
    expect(alive(pid)).toBe(false); // although it ignores SIGTERM
  }, 15_000);
});

describe("what the program writes", () => {
  it("delivers what is valid and names each line that is not, without its body", async () => {
    const { ctx, send } = await start(["python3", join(programs, "garbage.py")]);
    await waitFor(() => ctx.texts().includes("last"));
    expect(ctx.texts()).toEqual(["first", "with ü and \\n", "last"]);
    expect(ctx.delivered[1]).toMatchObject({ conversation: { id: "9007199254740993" }, sender: { id: "7" } });
    const warnings = ctx
      .logged("line.invalid")
      .map(({ fields }) => `${fields.line} ${fields.code}: ${fields.error}`);
    expect(warnings.map((text) => text.slice(0, 70))).toEqual([
      "2 invalid_json: not a line of JSON",
      "3 invalid_encoding: the text is UTF-16 or UTF-32, expected UTF-8",
      '4 invalid_line: expected an object such as {"text": "hi", "conversatio',
      '5 invalid_line: expected an object such as {"text": "hi", "conversatio',
      '6 invalid_line: expected an object such as {"text": "hi", "conversatio',
      '7 invalid_line: expected an object such as {"text": "hi", "conversatio',
      "8 invalid_event: content.text must be string",
      '9 invalid_event: unknown key "txt": expected text, conversation_id, se',
      "10 invalid_line: sent: expected a string",
      "11 invalid_line: fate: expected one of retry, rate_limited, reconnect,",
      '13 duplicate_key: the key "text" is there twice, again at character 14',
      "14 forbidden_key: the key __proto__ at character 1",
      "15 too_deep: more than 64 levels of nesting at character 64",
      "16 line_too_long: 3145740 bytes, at most 1048576 (max_line_bytes) are ",
    ]);
    expect(ctx.logged("answer.unknown")).toHaveLength(1);
    expect(JSON.stringify(ctx.lines)).not.toContain("hello");
    void send;
  });

  it("reads the half line at the end as what it is", async () => {
    const { ctx, session, received } = await start(["python3", join(programs, "garbage.py")]);
    ctx.abort();
    await received;
    await connector.close?.(session);
    expect(ctx.logged("line.invalid").at(-1)?.fields).toMatchObject({ line: 22, code: "invalid_json" });
    expect(ctx.logged("program.ended")[0]?.fields).toMatchObject({ events: 3, invalid_lines: 15 });
  });

  it("is not disturbed by gigabytes on stderr", { timeout: 120_000 }, async () => {
    const { ctx, send } = await start(["python3", join(programs, "floods_stderr.py"), "1024"]);
    const rss = process.memoryUsage().rss;
    const begun = performance.now();
    expect(await send("while it floods", 20_000)).toBeDefined();
    await waitFor(() => ctx.texts().includes("flood over"), { timeoutMs: 90_000 });
    expect(await send("after")).toBeDefined();
    expect(process.memoryUsage().rss - rss).toBeLessThan(100 << 20);
    const lines = ctx.logged("program.stderr");
    expect(lines.length).toBeLessThan(101 * ((performance.now() - begun) / 1000 + 3));
    expect(lines.every(({ fields }) => String(fields.text ?? "").length <= 2048)).toBe(true);
    expect(lines.some(({ fields }) => Number(fields.suppressed) > 1000)).toBe(true);
  });

  it("does not keep a line of a gigabyte in memory", { timeout: 120_000 }, async () => {
    const program =
      "import sys\nfor _ in range(500): sys.stdout.write('x' * (1 << 20))\nprint()\nprint('{\"text\":\"after\"}', flush=True)\nsys.stdin.read()";
    const rss = process.memoryUsage().rss;
    const { ctx } = await start(["python3", "-c", program]);
    await waitFor(() => ctx.texts().includes("after"), { timeoutMs: 90_000 });
    expect(process.memoryUsage().rss - rss).toBeLessThan(100 << 20);
    expect(ctx.logged("line.invalid")[0]?.fields.error).toContain("524288000 bytes");
  });

  it("answers an ack once the event is durable, in order, with a bounded number in flight", async () => {
    const { ctx } = await start(["python3", join(programs, "many_events.py"), "5000"]);
    let inFlight = 0;
    let most = 0;
    ctx.beforeDeliver = async (draft) => {
      most = Math.max(most, ++inFlight);
      await new Promise((done) => setTimeout(done, 2));
      inFlight -= 1;
      if (draft.content?.text === "77") throw new SpoolwayError("invalid_event", "not this one");
    };
    await waitFor(() => ctx.texts().at(-1) === "acks 5000 refused 1", { timeoutMs: 20_000 });
    const expected = Array.from({ length: 5000 }, (_, n) => String(n)).filter((n) => n !== "77");
    expect(ctx.texts().slice(0, -1)).toEqual(expected);
    expect(most).toBeLessThanOrEqual(64);
    expect(ctx.logged("event.refused")[0]?.fields).toMatchObject({ ack: "77", code: "invalid_event" });
  });

  it("keeps an event that cannot be written until it can, and everything behind it in order", async () => {
    const { ctx } = await start(["python3", join(programs, "many_events.py"), "200"]);
    let full = true;
    setTimeout(() => (full = false), 1500);
    ctx.beforeDeliver = () => {
      if (full) throw new SpoolwayError("spool_write_failed", "no space left on device");
    };
    await waitFor(() => ctx.texts().at(-1) === "acks 200 refused 0", { timeoutMs: 20_000 });
    expect(ctx.texts().slice(0, -1)).toEqual(Array.from({ length: 200 }, (_, n) => String(n)));
    expect(ctx.logged("event.delayed")[0]?.fields.code).toBe("spool_write_failed");
  });

  it("ends a program that asks for acks and does not read them, instead of growing", async () => {
    const { received } = await start(["python3", join(programs, "deaf_to_acks.py")]);
    expect(await thrown(received)).toMatchObject({ code: "program_deaf", fate: "reconnect" });
  });

  it("streams attachments from files and from base64, and refuses links, pipes and missing files without hanging", async () => {
    writeFileSync(join(home, "big.bin"), Buffer.alloc(3 << 20, 7));
    execFileSync("mkfifo", [join(home, "pipe")]);
    execFileSync("ln", ["-s", "big.bin", join(home, "link")]);
    const lines = [
      {
        content: {
          text: "a",
          attachments: [
            { path: "big.bin", media_type: "application/x" },
            { name: "b.txt", base64: "aGk=" },
          ],
        },
      },
      ...["pipe", "link", "missing"].map((path) => ({ ack: path, content: { attachments: [{ path }] } })),
      { text: "z" },
    ];
    writeFileSync(join(home, "lines"), lines.map((line) => JSON.stringify(line)).join("\n"));
    const { ctx } = await start(["bash", "-c", "cat lines; echo; sleep 1000"]);
    await waitFor(() => ctx.texts().includes("z"));
    expect(ctx.texts()).toEqual(["a", "z"]);
    const [big, small] = ctx.delivered[0]!.files;
    expect([big?.name, big?.media_type, big?.bytes?.length]).toEqual(["big.bin", "application/x", 3 << 20]);
    expect([small?.name, String(small?.bytes)]).toEqual(["b.txt", "hi"]);
    expect(ctx.logged("event.refused").map(({ fields }) => fields.ack)).toEqual(["pipe", "link", "missing"]);
  });
});

describe("the end of a session", () => {
  it("takes a program that closed its stdout for lost and ends it", async () => {
    const { send, received, pid } = await start(["python3", join(programs, "answers.py")]);
    const sending = thrown(send("eof"));
    expect((await thrown(received)).message).toBe("the program closed its stdout but did not exit");
    expect(await sending).toMatchObject({ fate: "uncertain" });
    expect(alive(pid)).toBe(false);
  });

  it("delivers everything that the program wrote before it exited", async () => {
    const { ctx, received } = await start([
      "bash",
      "-c",
      'sleep 0.4; for i in {1..2000}; do echo "{\\"text\\": \\"$i\\"}"; done',
    ]);
    expect((await thrown(received)).message).toBe("the program exited with code 0");
    expect(ctx.texts()).toEqual(Array.from({ length: 2000 }, (_, n) => String(n + 1)));
  });

  it("lets the program say its last words after stdin was closed", async () => {
    const { ctx, received, send } = await start(["python3", join(programs, "answers.py")]);
    await send("hello");
    ctx.abort();
    await received;
    expect(ctx.texts()).toEqual(["goodbye after 1"]);
  });

  it.each(["the program exits by itself", "the session ends"])(
    "ends the grandchildren when %s",
    async (how) => {
      const { ctx, session, received, send } = await start(["bash", join(programs, "grandchildren.sh")]);
      await waitFor(() => ctx.delivered.length === 1);
      const pids = ctx.texts()[0]!.split(" ").map(Number);
      expect(pids.map(alive)).toEqual([true, true]);
      if (how === "the session ends") ctx.abort();
      else await thrown(send("exit"));
      await received.catch(() => undefined);
      await connector.close?.(session);
      expect(pids.map(alive)).toEqual([false, false]);
    },
    15_000,
  );

  it("says a crash with its signal", async () => {
    const { pid, received } = await start(["sleep", "1000"]);
    process.kill(pid, "SIGSEGV");
    expect((await thrown(received)).message).toBe("the program was ended by SIGSEGV");
  });

  it("does not wait for somebody who left the group and holds stdout open", async () => {
    const { ctx, received } = await start(["bash", "-c", "setsid sleep 6 & sleep 0.4; exit 1"]);
    expect((await thrown(received)).message).toBe("the program exited with code 1");
    expect(ctx.logged("program.stdout_held")).toHaveLength(1);
  });

  it("leaves nothing behind when the connector's process is killed", async () => {
    const script = `
      const { startProgram } = await import(${JSON.stringify(resolve(import.meta.dirname, "../../../runtime/sdk/program/child.ts"))});
      const program = await startProgram({ command: ["bash", ${JSON.stringify(join(programs, "grandchildren.sh"))}], cwd: ".", env: {} }, ${JSON.stringify(home)});
      program.child.stdout.on("data", (data) => console.log(program.pid, JSON.parse(data).text));
    `;
    const { spawn } = await import("node:child_process");
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    track(child.pid, "a connector's process");
    let out = "";
    child.stdout.on("data", (data) => (out += data));
    await waitFor(() => out.includes("\n"));
    const pids = out.trim().split(" ").map(Number);
    expect(pids).toHaveLength(3);
    expect(pids.map(alive)).toEqual([true, true, true]);
    child.kill("SIGKILL");
    await waitFor(() => pids.every((pid) => !alive(pid)), { timeoutMs: 3000 });
  });
});
