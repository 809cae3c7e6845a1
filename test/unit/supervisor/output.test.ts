// What a connector prints: every line kept up to a limit, nothing kept beyond it.
import { spawn } from "node:child_process";
import { PassThrough } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LineSplitter, Output } from "../../../runtime/supervisor/output.ts";
import { trackChild } from "../../helpers/children.ts";
import { waitFor } from "../../helpers/wait.ts";
import { memoryLog } from "./samples.ts";

const limits =
  (logLineBytes = 8192, logLinesPerS = 200) =>
  () => ({ logLineBytes, logLinesPerS });

describe("lines", () => {
  const split = (maxBytes: number, chunks: Buffer[]) => {
    const lines: Array<{ text: string; cut: boolean }> = [];
    const splitter = new LineSplitter(
      () => maxBytes,
      (line, cut) => lines.push({ text: line.toString(), cut }),
    );
    for (const chunk of chunks) splitter.push(chunk);
    splitter.end();
    return lines;
  };

  test("come out as they were written, wherever the chunks are cut", () => {
    const anyLines = fc.array(
      fc.string({ unit: "binary", maxLength: 30 }).map((line) => line.replaceAll("\n", "")),
    );
    fc.assert(
      fc.property(anyLines, fc.array(fc.nat(20)), (lines, sizes) => {
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
        const chunks: Buffer[] = [];
        let at = 0;
        for (const size of sizes) chunks.push(bytes.subarray(at, (at += size)));
        chunks.push(bytes.subarray(at));
        const wanted = lines.map((line) => ({ text: Buffer.from(line).toString(), cut: false }));
        expect(split(4096, chunks)).toEqual(wanted);
      }),
    );
  });

  test("that are too long are cut once, on a character, and the next one is whole", () => {
    const chunks = [Buffer.from("äää"), Buffer.from("ääää"), Buffer.from("ä\nnext\n")];
    expect(split(7, chunks)).toEqual([
      { text: "äää", cut: true },
      { text: "next", cut: false },
    ]);
  });

  test("skimmed over are counted, and the one that begins is kept", () => {
    const lines: string[] = [];
    const splitter = new LineSplitter(
      () => 100,
      (line) => lines.push(line.toString()),
    );
    splitter.push(Buffer.from("dropped be"));
    expect(splitter.skim(Buffer.from("ginning\na\nb\nkept "))).toBe(3);
    splitter.push(Buffer.from("line\n"));
    expect(lines).toEqual(["kept line"]);
  });
});

describe("the log", () => {
  test("has our own entries as entries, under our name for the connector, and all else as text", async () => {
    const { log, entries } = memoryLog();
    const output = new Output("irc-main", limits(), log);
    const stdout = new PassThrough();
    output.attach(stdout, "stdout");
    stdout.write(
      '{"level":"warn","event":"session.lost","connector":"other","time":"x","code":"disconnected"}\n',
    );
    stdout.write('{"level":"loud","event":"x"}\n{"a":1}\n{broken\n\nplain\r\n');
    stdout.end("no newline");
    await waitFor(() => entries.length >= 6);
    expect(entries[0]).toMatchObject({
      level: "warn",
      event: "session.lost",
      connector: "irc-main",
      code: "disconnected",
    });
    expect(entries[0]?.time).not.toBe("x");
    const texts = entries.slice(1).map(({ event, stream, text }) => [event, stream, text]);
    const out = (text: string) => ["connector.output", "stdout", text];
    expect(texts).toEqual([
      out('{"level":"loud","event":"x"}'),
      out('{"a":1}'),
      out("{broken"),
      out("plain"),
      out("no newline"),
    ]);
    output.close();
  });

  test("keeps so many lines a second of one connector and says how many it did not", async () => {
    const { log, entries } = memoryLog();
    const output = new Output("loud", limits(8192, 10), log);
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    output.attach(stdout, "stdout");
    output.attach(stderr, "stderr");
    for (let line = 0; line < 500; line++) stdout.write(`line ${line}\n`);
    stderr.write("one more\n".repeat(500));
    await waitFor(() => entries.some(({ event }) => event === "output.suppressed"));
    const suppressed = entries.filter(({ event }) => event === "output.suppressed");
    const kept = entries.filter(({ event }) => event === "connector.output");
    expect(kept).toHaveLength(10);
    expect(suppressed.reduce((sum, entry) => sum + Number(entry.lines), 0)).toBe(990);
    stdout.write("later\n");
    await waitFor(() => entries.at(-1)?.text === "later");
    output.close();
  });
});

test(
  "300 MB without a newline and 100 MB of newlines are drained without growing our memory",
  { timeout: 60_000 },
  async () => {
    const { log, entries } = memoryLog();
    const output = new Output("flood", limits(), log);
    const program = `
    const { writeSync } = require("node:fs");
    const big = Buffer.alloc(1 << 20, "x"), lines = Buffer.alloc(1 << 20, "y\\n");
    const all = (buffer) => { for (let at = 0; at < buffer.length; ) try { at += writeSync(1, buffer, at); } catch {} };
    for (let i = 0; i < 300; i++) all(big);
    all(Buffer.from("\\n"));
    for (let i = 0; i < 100; i++) all(lines);
    all(Buffer.from("the end\\n"));`;
    const child = trackChild(
      spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "ignore"] }),
      "flood",
    );
    output.attach(child.stdout, "stdout");
    const before = process.memoryUsage();
    let peak = 0;
    let longestMs = 0;
    let last = performance.now();
    const closed = new Promise<void>((resolve) => child.stdout.once("close", resolve));
    const timer = setInterval(() => {
      const { heapUsed, external } = process.memoryUsage();
      peak = Math.max(peak, heapUsed + external - before.heapUsed - before.external);
      longestMs = Math.max(longestMs, performance.now() - last);
      last = performance.now();
    }, 20);
    await closed;
    clearInterval(timer);
    output.close();
    expect(peak / 1024 / 1024).toBeLessThan(100);
    // Others are read in between.
    expect(longestMs).toBeLessThan(1000);
    const cut = entries.find((entry) => entry.cut === true);
    expect(cut?.text).toBe("x".repeat(8192));
    const lines = entries
      .filter(({ event }) => event === "output.suppressed")
      .reduce((sum, entry) => sum + Number(entry.lines), 0);
    const kept = entries.filter(({ event }) => event === "connector.output").length;
    expect(lines + kept).toBe(1 + 100 * (1 << 19) + 1);
    await delay(0);
  },
);
