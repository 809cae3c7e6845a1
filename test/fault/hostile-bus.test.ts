// Every named hostile drop in one outbox of a real bus, among messages of other conversations and of another connector: each ends as sent or as a dead letter
// with its reason, nothing outside is read, nobody waits, nothing crashes; and the commands handle what is left without printing it raw.
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import type { DeadLetter, Receipt } from "../../schema/types.ts";
import { type Bus, startBus } from "../helpers/bus.ts";
import { waitFor } from "../helpers/wait.ts";
import { type Case, cases, closeSockets, put } from "./hostile-entries.ts";

const scripted = join(import.meta.dirname, "../helpers/connectors/scripted");
const secret = "the-secret-that-lies-outside";
const isRoot = process.getuid?.() === 0;

async function start(defaults: Record<string, unknown> = {}): Promise<Bus> {
  const connector = {
    settle: "1s",
    max_message_bytes: 4 * 2 ** 20,
    max_attachment_bytes: 2 ** 20,
    ...defaults,
  };
  const connectors = ["one", "two"].map((name) => ({ name, type: scripted, log: `../../../${name}.jsonl` }));
  return startBus({ connectors, defaults: { connector } });
}

test(
  "every named case ends with its reason, reads nothing outside and holds nobody up",
  { timeout: 180_000 },
  async () => {
    const bus = await start();
    const place = { outbox: join(bus.spool, "outbox/one"), outside: join(bus.home, "outside") };
    const wasRead = layTraps(place.outside);
    writeFileSync(join(place.outbox, "beside.txt"), "attached");
    const pids = [bus.pid, bus.connector("one")?.pid, bus.connector("two")?.pid];
    const seqBefore = bus.heartbeat("one")?.seq ?? 0;
    const normal = new NormalTraffic(bus);
    const expected = new Map<string, Case>();
    for (const one of cases) {
      if (one.needsRoot === true && !isRoot)
        console.warn(`SKIPPED, since only root can make it: ${one.what}`);
      else expected.set(put(place, one), one);
    }
    // No drops: they stay where they are, uncounted as messages and untouched.
    const left = [".json", ".hidden.json", "x.json.tmp", "x.json~", "x.JSON", "beside.txt"];
    for (const name of left) writeFileSync(join(place.outbox, name), "attached");

    const unended = () => {
      const all = outcomes(bus);
      return [...expected.keys()].filter((name) => !all.has(name));
    };
    await waitFor(() => unended().length === 0, {
      timeoutMs: 90_000,
      everyMs: 250,
      message: () => `these to end: ${JSON.stringify(unended())}\n${bus.where("one")}`,
    });
    const ended = outcomes(bus);
    const wrong = [...expected].filter(([name, { ends }]) => ended.get(name) !== ends);
    expect(wrong.map(([name, { what, ends }]) => `${what}: ${ended.get(name)}, expected ${ends}`)).toEqual(
      [],
    );
    const worst = await normal.end();

    expect(readdirSync(place.outbox)).toEqual(expect.arrayContaining(left));
    expect(
      readdirSync(place.outbox).filter((name) => name.endsWith(".json") && !name.startsWith(".")),
    ).toEqual([]);
    expect(wasRead(), "what was opened outside").toEqual([]);
    expect(holds(bus.spool, secret), "the secret in the spool").toBe(false);
    expect(readFileSync(join(bus.home, "one.jsonl"), "utf8")).not.toContain(secret);
    for (const letter of bus.deadLetters("one")) expect(letter.hint, letter.code).not.toBe("");

    const beat = await waitFor(
      () => (bus.heartbeat("one")?.seq ?? 0) > seqBefore + 1 && bus.heartbeat("one"),
    );
    expect([bus.pid, bus.connector("one")?.pid, bus.connector("two")?.pid]).toEqual(pids);
    const rssMiB = Math.round((beat.rss_bytes ?? Infinity) / 2 ** 20);
    expect(rssMiB).toBeLessThan(400);
    console.log(
      `${expected.size} cases; ${worst.count} normal messages meanwhile, the slowest took ${worst.ms} ms; ` +
        `rss ${rssMiB} MiB`,
    );
    await commandsHandle(bus);
    closeSockets();
  },
);

/** Files that must not be read, with access times that tell when they are; a pipe whose writer learns of a reader. Returns what was touched. */
function layTraps(outside: string): () => string[] {
  mkdirSync(outside);
  const file = join(outside, "file");
  const control = join(outside, "control");
  execFileSync("mkfifo", [join(outside, "pipe")]);
  for (const path of [file, control]) {
    writeFileSync(path, secret);
    // With relatime a read is noted when the last one is older than the last change.
    utimesSync(path, 1_000_000_000, new Date());
  }
  readFileSync(control);
  const tells = statSync(control).atimeMs > 1_000_000_000_000;
  if (!tells)
    console.warn(
      "SKIPPED: this file system notes no access times; that nothing outside is read is seen by content only",
    );
  return () => (tells && statSync(file).atimeMs !== 1_000_000_000_000 ? ["outside/file was read"] : []);
}

/** Messages of well-behaved programs, beside the hostile ones: in another conversation of the same connector and to another connector. */
class NormalTraffic {
  private readonly bus: Bus;
  private readonly stop = new AbortController();
  private readonly running: Promise<void>;
  private readonly tookMs: number[] = [];

  constructor(bus: Bus) {
    this.bus = bus;
    this.running = this.flow();
    // end() throws it; a test that failed before it has said what is wrong.
    this.running.catch(() => undefined);
  }

  async end(): Promise<{ count: number; ms: number }> {
    this.stop.abort();
    await this.running;
    const ms = Math.round(Math.max(...this.tookMs));
    // Seconds, not the half minute that a disturbed session or a restart would take.
    expect(ms).toBeLessThan(10_000);
    return { count: this.tookMs.length, ms };
  }

  private async flow(): Promise<void> {
    for (let n = 0; !this.stop.signal.aborted; n += 1) {
      for (const name of ["one", "two"]) {
        const began = performance.now();
        const id = this.bus.send(name, { id: `normal-${n}`, conversation_id: "normal", text: "normal" });
        await this.bus.waitForReceipt(name, id, { timeoutMs: 60_000 });
        this.tookMs.push(performance.now() - began);
      }
      await delay(50);
    }
  }
}

/** What became of each drop, by the name it was dropped under. */
function outcomes(bus: Bus): Map<string, string> {
  const all = new Map<string, string>();
  for (const file of bus.list("sent/one")) {
    const { drop = "" } = bus.json<Receipt>(`sent/one/${file}`) ?? {};
    all.set(drop, all.has(drop) ? "ended twice" : "sent");
  }
  for (const { drop = "", code } of bus.deadLetters("one"))
    all.set(drop, all.has(drop) ? "ended twice" : code);
  return all;
}

/** Whether any regular file below, under any name, holds this text. Links are not followed, and the huge ones are known to be empty. */
function holds(folder: string, text: string): boolean {
  return readdirSync(folder, { withFileTypes: true }).some((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return holds(path, text);
    const stat = lstatSync(path);
    return stat.isFile() && stat.nlink === 1 && stat.size < 64 * 2 ** 20 && readFileSync(path).includes(text);
  });
}

/** What moves the cursor, colours, hides or reorders. */
const raw = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

async function commandsHandle(bus: Bus): Promise<void> {
  const letters = bus.deadLetters("one");
  const nasty = letters.filter(({ drop = "" }) => raw.test(drop) || drop.includes("\n"));
  expect(nasty.length).toBeGreaterThan(0);
  const printed = [
    await bus.command("failed", "list", "--limit", "1000"),
    await bus.command("failed", "show", letters.find(({ code }) => code === "message_too_large")?.id ?? ""),
    ...(await Promise.all(nasty.map(({ id }) => bus.command("failed", "show", id)))),
    await bus.command("status"),
  ];
  for (const { code, stdout, stderr } of printed) {
    expect([code, stderr]).toEqual([expect.any(Number), ""]);
    expect(stdout).not.toMatch(raw);
  }
  expect(printed[0]?.stdout).toContain(`${letters.length} dead letters`);
  const json = (await bus.command("failed", "list", "--json")).stdout.trim().split("\n");
  expect(json.map((line) => (JSON.parse(line) as DeadLetter).id).sort()).toEqual(
    letters.map(({ id }) => id).sort(),
  );

  // All of it again: it ends as it did, and nothing is left over.
  const codes = () =>
    bus
      .deadLetters("one")
      .map(({ code }) => code)
      .sort();
  const before = codes();
  expect(await bus.command("failed", "retry", "--all")).toMatchObject({ code: 0 });
  await waitFor(() => bus.deadLetters("one").length >= before.length, {
    timeoutMs: 60_000,
    message: () => bus.where("one"),
  });
  await waitFor(() => codes().join() === before.join(), {
    message: () => `${codes().join()}\ninstead of\n${before.join()}`,
  });

  const purged = await bus.command("failed", "purge", "--all", "--yes");
  expect(purged).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("folder with files in it") as string,
  });
  expect(purged.stderr).not.toMatch(raw);
  // Of the folder with files in it both stay, the entry and the letter.
  expect(bus.list("failed/one")).toHaveLength(2);
}

const pauseS = Number(process.env.SPOOLWAY_HOSTILE_PAUSE_S ?? 1);

test(
  `drops written in pieces, with pauses of up to ${pauseS} s, are sent whole; whoever pauses for longer than the settle time keeps all bytes`,
  {
    timeout: 120_000 + pauseS * 20_000,
  },
  async () => {
    const settleS = 2 * pauseS + 1;
    const bus = await start({ settle: `${settleS}s` });
    const pausesS = [0, 0.01, 0.1, pauseS / 2, pauseS];
    const pieces = (text: string): Buffer[] => {
      const bytes = Buffer.from(text);
      // Each cut goes through the middle of a letter.
      const cuts = [1, 2, 3]
        .map((n) => Math.floor((n * bytes.length) / 4))
        .map((at) => at + (isInside(bytes, at) ? 0 : 1));
      return [0, ...cuts].map((at, n) => bytes.subarray(at, cuts[n]));
    };
    const write = async (name: string, pausesAfterS: number[], how: "appended" | "held"): Promise<void> => {
      const path = join(bus.spool, "outbox/one", `${name}.json`);
      const text = JSON.stringify({ id: name, conversation_id: name, text: "ä".repeat(1001) });
      const fd = openSync(path, "w");
      for (const [n, piece] of pieces(text).entries()) {
        if (how === "held") writeSync(fd, piece);
        else appendFileSync(path, piece);
        await delay((pausesAfterS[n] ?? 0) * 1000);
      }
      closeSync(fd);
    };
    await Promise.all([
      ...pausesS.map((pause, n) => write(`appended-${n}`, [pause, pause, pause], "appended")),
      ...pausesS.map((pause, n) => write(`held-${n}`, [pause, pause, pause], "held")),
      write("too-slow", [settleS + Math.max(2, pauseS / 2)], "held"),
    ]);
    for (const how of ["appended", "held"])
      for (const n of pausesS.keys())
        await bus.waitForReceipt("one", `${how}-${n}`, { timeoutMs: 30_000 + settleS * 1000 });
    const sent = readFileSync(join(bus.home, "one.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { id: string; text: string });
    expect(sent.map(({ id, text }) => [id, text.length]).sort()).toEqual(
      ["appended", "held"].flatMap((how) => [...pausesS.keys()].map((n) => [`${how}-${n}`, 1001])).sort(),
    );
    const letter = await bus.waitForDeadLetter("one", ({ drop }) => drop === "too-slow.json");
    expect(letter.code).toBe("invalid_encoding");
    // Its writer had the file open all the time, and finished it.
    const kept = readFileSync(join(bus.spool, "failed/one", letter.entry ?? ""), "utf8");
    expect(JSON.parse(kept)).toMatchObject({ id: "too-slow", text: "ä".repeat(1001) });
  },
);

/** Whether the byte there goes on with a letter that began before it. */
const isInside = (bytes: Buffer, at: number): boolean => ((bytes[at] ?? 0) & 0xc0) === 0x80;
