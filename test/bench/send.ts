// Outbound: drop-to-send latency, drain rate with receipts, and what a message costs when many wait.
import { execFileSync } from "node:child_process";
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startSink, stopChild } from "./config.ts";
import { inFolder, inTurns, median, quantile, report, spread } from "./measure.ts";

function sendTimes(home: string): Map<string, bigint> {
  const text = readFileSync(join(home, "sends.log"), "utf8");
  return new Map(
    text
      .split("\n")
      .slice(0, -1)
      .map((line) => {
        const [id = "", at = "0"] = line.split(" ");
        return [id, BigInt(at)];
      }),
  );
}

async function waitForSends(home: string, count: number): Promise<Map<string, bigint>> {
  for (;;) {
    const times = sendTimes(home);
    if (times.size >= count) return times;
    await sleep(count > 1000 ? 100 : 2);
  }
}

function fill(home: string, count: number, conversations: number): void {
  const outbox = join(home, "spool/outbox/bench");
  mkdirSync(outbox, { recursive: true });
  for (let n = 0; n < count; n += 1) {
    const message = { id: `m${n}`, conversation_id: `c${n % conversations}`, text: "hello" };
    writeFileSync(join(outbox, fileName(n)), JSON.stringify(message));
  }
  // The cost of having just made the files is nobody's here: otherwise every fsync waits for them.
  execFileSync("sync");
}

const fileName = (n: number): string => `${String(n).padStart(8, "0")}.json`;

async function latency(rounds: number): Promise<void> {
  const each: number[] = [];
  const bare: number[] = [];
  await inFolder(async (home) => {
    const child = await startSink(home);
    const outbox = join(home, "spool/outbox/bench");
    for (let n = 0; n < rounds; n += 1) {
      const id = `l${n}`;
      const began = process.hrtime.bigint();
      writeFileSync(join(outbox, `${id}.json`), JSON.stringify({ id, conversation_id: "c", text: "hi" }));
      const times = await waitForSends(home, n + 1);
      each.push(Number((times.get(id) ?? 0n) - began) / 1e6);
      await sleep(15); // the receipt's writing is not part of it
      bare.push(bareClaim(home, n));
      await sleep(5);
    }
    await stopChild(child);
  });
  const warm = each.slice(10);
  const [p50, p99] = [quantile(warm, 0.5), quantile(warm, 0.99)];
  const ratio = (p50 / median(bare.slice(10))).toFixed(2);
  const beside = `bare write, fsync, rename, dir fsync ${median(bare.slice(10)).toFixed(2)} ms`;
  report({ what: "drop to send, p50", figure: `${p50.toFixed(2)} ms`, beside, ratio, aim: "< 2 ms" });
  report({ what: "drop to send, p99", figure: `${p99.toFixed(2)} ms`, aim: "< 10 ms" });
}

/** What a durable claim costs at least, in ms. */
function bareClaim(home: string, n: number): number {
  mkdirSync(join(home, "a"), { recursive: true });
  mkdirSync(join(home, "b"), { recursive: true });
  const began = performance.now();
  writeFileSync(join(home, "a", String(n)), "{}");
  syncPath(join(home, "a", String(n)));
  renameSync(join(home, "a", String(n)), join(home, "b", String(n)));
  syncPath(join(home, "b"));
  return performance.now() - began;
}

function syncPath(path: string): void {
  const fd = openSync(path, "r");
  fsyncSync(fd);
  closeSync(fd);
}

/** Messages per second from the first send to the last receipt. */
async function drain(home: string, count: number): Promise<number> {
  fill(home, count, 64);
  const child = await startSink(home);
  const times = [...(await waitForSends(home, count)).values()];
  while (readdirSync(join(home, "spool/sent/bench")).length < count) await sleep(5);
  const ended = process.hrtime.bigint();
  await stopChild(child);
  const first = times.reduce((low, at) => (at < low ? at : low));
  return count / (Number(ended - first) / 1e9);
}

/** The same files' way through the same folders with the system calls alone, one message at a time: messages per second. */
async function bareDrain(home: string, count: number): Promise<number> {
  fill(home, count, 64);
  return 1000 / bareMessageMs(home, count);
}

/** ms that one message's way takes with the system calls alone, out of the outbox as it is. */
function bareMessageMs(home: string, count: number): number {
  const outbox = join(home, "spool/outbox/bench");
  const [sending, sent, tmp] = [join(home, "sending"), join(home, "sent"), join(home, "tmp")];
  for (const folder of [sending, sent, tmp]) mkdirSync(folder);
  const began = performance.now();
  for (let n = 0; n < count; n += 1) {
    const file = fileName(n);
    syncPath(join(outbox, file));
    renameSync(join(outbox, file), join(sending, file));
    syncPath(sending);
    writeFileSync(join(tmp, file), readFileSync(join(sending, file)));
    syncPath(join(tmp, file));
    linkSync(join(tmp, file), join(sent, file));
    unlinkSync(join(tmp, file));
    syncPath(sent);
    unlinkSync(join(sending, file));
  }
  return (performance.now() - began) / count;
}

interface Cost {
  perMessageMs: number;
  bareMs: number;
  firstMs: number;
}

/** Of the sends between the 50th and the last of `measured`, while `waiting` wait; and the bare calls in the same folder just before. */
async function costWith(waiting: number, measured: number): Promise<Cost> {
  return inFolder(async (home) => {
    fill(home, waiting + 50, 16);
    const bareMs = bareMessageMs(home, 50);
    const began = process.hrtime.bigint();
    const child = await startSink(home);
    const times = [...(await waitForSends(home, measured)).values()].sort((a, b) => (a < b ? -1 : 1));
    await stopChild(child);
    const [first = 0n, from = 0n, to = 0n] = [times[0], times[50], times[measured - 1]];
    const perMessageMs = Number(to - from) / 1e6 / (measured - 51);
    return { perMessageMs, bareMs, firstMs: Number(first - began) / 1e6 };
  });
}

export async function benchSend(rounds: number, most: number): Promise<void> {
  await latency(200);
  const drained = await inTurns(
    Math.min(rounds, 3),
    (f) => drain(f, 3000),
    (f) => bareDrain(f, 1000),
  );
  report({
    what: "outbox drain with receipts, 64 conversations",
    figure: `${Math.round(median(drained.ours))}/s`,
    beside: `bare system calls, one by one ${Math.round(median(drained.bare))}/s`,
    ratio: spread(drained.ratios),
  });
  await costs(rounds, most);
}

/** Small, middle and large in turns, because the disk's speed drifts. The same number of messages is measured everywhere but in the smallest. */
async function costs(rounds: number, most: number): Promise<void> {
  const all = new Map<number, Cost[]>([
    [100, []],
    [10_000, []],
    [most, []],
  ]);
  for (let round = 0; round < rounds; round += 1) {
    for (const waiting of [100, 10_000])
      all.get(waiting)?.push(await costWith(waiting, Math.min(waiting, 1500)));
  }
  all.get(most)?.push(await costWith(most, 1500));
  const smallest = median((all.get(100) ?? []).map((cost) => cost.perMessageMs));
  for (const [waiting, list] of all) {
    const ours = median(list.map((cost) => cost.perMessageMs));
    const bare = median(list.map((cost) => cost.bareMs));
    report({
      what: `a message with ${waiting.toLocaleString("en")} waiting`,
      figure: `${ours.toFixed(2)} ms`,
      beside: `bare calls, same folder ${bare.toFixed(2)} ms`,
      ratio: `${(ours / bare).toFixed(2)} of bare; ${(ours / smallest).toFixed(2)} of a hundred's`,
      ...(waiting === most ? { aim: "≤ 1.2 of a hundred's" } : {}),
    });
    if (waiting === most)
      report({
        what: "first send after the start",
        figure: `${((list[0]?.firstMs ?? 0) / 1000).toFixed(1)} s`,
      });
  }
}
