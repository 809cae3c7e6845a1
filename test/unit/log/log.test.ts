// The log: fixed keys, no secret in it, and nothing that stops the bus.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createLog } from "../../../runtime/log.ts";
import { Redactor } from "../../../runtime/redact.ts";
import { exited, trackChild } from "../../helpers/children.ts";

function lines(format: "json" | "readable" = "json") {
  const written: string[] = [];
  const log = createLog({ format, destination: { write: (line) => written.push(line) } });
  return { log, written, last: () => JSON.parse(written.at(-1) ?? "null") as Record<string, unknown> };
}

test("an entry is one JSON line with time, level and event; a connector cannot fake them", () => {
  const { log, written, last } = lines();
  log.warn("session.lost", { connector: "irc", level: "info", event: "x", time: "y", text: "a\nb" });
  expect(written).toHaveLength(1);
  expect(written[0]?.indexOf("\n")).toBe((written[0]?.length ?? 0) - 1);
  expect(last()).toMatchObject({ level: "warn", event: "session.lost", connector: "irc", text: "a\nb" });
  expect(Date.parse(String(last().time))).toBeGreaterThan(Date.now() - 60_000);
});

test("debug is silent unless it is asked for", () => {
  const { log, written } = lines();
  log.debug("x.y");
  expect(written).toEqual([]);
});

describe("secrets", () => {
  test("are replaced wherever they stand: text, nested, keys, errors, escaped, in a URL", () => {
    const { log, written } = lines();
    const secret = 'pa"ss/wörd';
    log.hide([secret, "", "-----BEGIN KEY-----\nabcdefghijkl\n-----END KEY-----\n"]);
    log.info("x.y", {
      text: `user ${secret}!`,
      deep: [{ [secret]: { again: secret } }],
      error: new Error(`login ${secret}`, { cause: new Error(secret) }),
      json: JSON.stringify({ secret }),
      url: `http://x/?p=${encodeURIComponent(secret)}`,
      key: "abcdefghijkl",
    });
    log.print(`${secret}\n`);
    const text = written.join("");
    for (const form of [
      secret,
      JSON.stringify(secret).slice(1, -1),
      encodeURIComponent(secret),
      "abcdefghijkl",
      "wörd",
    ])
      expect(text).not.toContain(form);
    expect(text).toContain("user [redacted]!");
  });

  test("are replaced by the name of their key, too", () => {
    const { log, last } = lines();
    const fields = {
      password: "a",
      apiKey: 1,
      headers: { Authorization: "Bearer x", cookie: ["c"] },
      token: true,
      user: "ada",
    };
    log.info("x.y", fields);
    expect(last()).toMatchObject({
      password: "[redacted]",
      apiKey: "[redacted]",
      headers: { Authorization: "[redacted]", cookie: "[redacted]" },
      token: true,
      user: "ada",
    });
  });

  test("that a cut went through do not show their beginning", () => {
    const redactor = new Redactor();
    redactor.add(["correct horse battery"]);
    expect(redactor.cutText("login with correct hor")).toBe("login with [redacted]");
    expect(redactor.cutText("login with")).toBe("login with");
  });

  test("with characters of regular expressions are plain text", () => {
    const redactor = new Redactor();
    redactor.add(["a.*", "(", "a.*b"]);
    expect(redactor.text("a.*b abc (")).toBe("[redacted] abc [redacted]");
  });
});

test("endless, deep and strange fields become a bounded line", () => {
  const { log, written } = lines();
  const loop: Record<string, unknown> = {};
  loop.loop = loop;
  log.info("x.y", { loop, big: 12n, bytes: Buffer.alloc(10), list: new Array(10_000).fill("x") });
  expect(written[0]).toContain("<10 bytes>");
  expect(written[0]?.length).toBeLessThan(10_000);
});

describe("on a terminal", () => {
  test("an entry reads at a glance, and a connector's own output stands alone", () => {
    const { log, written } = lines("readable");
    log.info("connector.started", { connector: "irc-main", pid: 7 });
    log.info("connector.output", { connector: "cli", stream: "stdout", text: "hello" });
    log.info("connector.output", { connector: "cli", stream: "stderr", text: "oh" });
    log.warn("config.invalid", { message: "bad\nthing", line: 3 });
    expect(written[0]).toMatch(/^\d\d:\d\d:\d\d irc-main +started {2}pid=7\n$/);
    expect(written[1]).toBe("cli │ hello\n");
    expect(written[2]).toMatch(/^\d\d:\d\d:\d\d cli +stderr: oh\n$/);
    expect(written[3]).toMatch(/^\d\d:\d\d:\d\d spoolway +config\.invalid {2}bad ⏎ thing {2}line=3\n$/);
  });

  test("nothing that is logged controls it", () => {
    const { log, written } = lines("readable");
    log.info("connector.output", {
      connector: "cli",
      stream: "stdout",
      text: "\u001b]0;evil\u0007\u001b[2Jx\u0008\u009b",
    });
    expect(written[0]).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  });
});

/** Runs a program that logs to its stdout. */
function logging(body: string) {
  const url = JSON.stringify(join(import.meta.dirname, "../../../runtime/log.ts"));
  const program = `const { createLog } = await import(${url}); const log = createLog({ format: "json" }); ${body}`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  return trackChild(child, "logger");
}

describe("stdout", () => {
  test("that nobody reads any more ends the log, not the process", async () => {
    const child = logging(`
      for (let i = 0; i < 200; i++) { log.info("x.y", { i }); await new Promise((r) => setTimeout(r, 5)); }
      await log.flush();
      process.stderr.write("still here");`);
    child.stdout?.once("data", () => child.stdout?.destroy());
    let said = "";
    child.stderr?.on("data", (text: Buffer) => (said += text.toString()));
    expect(await exited(child)).toMatchObject({ code: 0 });
    expect(said).toBe("still here");
  });

  test(
    "that is not read stops nothing: the loop goes on, memory is bounded, the loss is told",
    { timeout: 30_000 },
    async () => {
      const child = logging(`
      const text = "x".repeat(1000);
      for (let i = 0; i < 30_000; i++) log.info("x.y", { i, text });
      process.stderr.write("written");
      await new Promise((r) => setTimeout(r, 1500));
      await log.flush();`);
      child.stdout?.pause();
      let said = "";
      await new Promise<void>((resolve) =>
        child.stderr?.on("data", (text: Buffer) => (said += text.toString()) && resolve()),
      );
      expect(said).toBe("written");
      let text = "";
      child.stdout?.on("data", (part: Buffer) => (text += part.toString())).resume();
      await new Promise((resolve) => child.once("close", resolve));
      const entries = text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as { event: string; lines?: number });
      const dropped = entries.find(({ event }) => event === "log.dropped")?.lines ?? 0;
      expect(dropped).toBeGreaterThan(1000);
      expect(entries.length - 1 + dropped).toBe(30_000);
    },
  );
});
