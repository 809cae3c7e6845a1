// Processes: start time and memory of a connector, and of the bus with 1 and 50 connectors, beside bare node processes.
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readSupervisorStatus } from "../../runtime/spool/heartbeats.ts";
import { homeOfSinks, root, startSink, stopChild } from "./config.ts";
import { inFolder, inTurns, median, report, spread } from "./measure.ts";

/** Resident bytes that belong to this process alone plus its share of what is shared; 0 where /proc is missing. */
function memoryMb(pid: number | undefined): { rss: number; pss: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const kb = (key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);
  return { rss: kb("Rss") / 1024, pss: kb("Pss") / 1024 };
}

/** A node process that does nothing; resolves when it runs. */
async function bareNode(): Promise<ChildProcess> {
  const child = spawn(process.execPath, ["-e", "process.send(1); setInterval(() => 0, 1e6)"], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  await new Promise((resolve) => child.once("message", resolve));
  return child;
}

async function memory(): Promise<void> {
  const bare: number[] = [];
  const ours: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const node = await bareNode();
    await sleep(1500);
    bare.push(memoryMb(node.pid).rss);
    await stopChild(node);
    await inFolder(async (home) => {
      const child = await startSink(home);
      await sleep(1500);
      ours.push(memoryMb(child.pid).rss);
      await stopChild(child);
    });
  }
  report({
    what: "memory of a connector's process",
    figure: `${median(ours).toFixed(0)} MB`,
    beside: `bare node ${median(bare).toFixed(0)} MB`,
    ratio: `+${(median(ours) - median(bare)).toFixed(1)} MB`,
    aim: "≤ +20 MB",
  });
}

/** ms until all of `count` connectors are live under a real `spoolway run`. */
async function busUp(home: string, count: number): Promise<number> {
  await homeOfSinks(home, count);
  const began = performance.now();
  const bus = spawn(process.execPath, [join(root, "runtime/spoolway.js"), "run", "--home", home], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  for (;;) {
    const status = readSupervisorStatus(join(home, "spool"));
    if (status?.connectors.filter((one) => one.state === "live").length === count) break;
    await sleep(10);
  }
  const ms = performance.now() - began;
  supervisorMb.set(count, memoryMb(bus.pid).rss);
  const gone = new Promise((resolve) => bus.once("exit", resolve));
  bus.kill("SIGTERM");
  await gone;
  return ms;
}
const supervisorMb = new Map<number, number>();

/** ms until `count` bare node processes run, started at once. */
async function nodesUp(count: number): Promise<number> {
  const began = performance.now();
  const all = await Promise.all(Array.from({ length: count }, bareNode));
  const ms = performance.now() - began;
  await Promise.all(all.map(stopChild));
  return ms;
}

export async function benchProcesses(rounds: number): Promise<void> {
  await memory();
  for (const count of [1, 50]) {
    const up = await inTurns(
      rounds,
      (home) => busUp(home, count),
      () => nodesUp(count),
    );
    report({
      what: `all live with ${count} connector${count === 1 ? "" : "s"}`,
      figure: `${Math.round(median(up.ours))} ms`,
      beside: `${count} bare node ${Math.round(median(up.bare))} ms`,
      ratio: spread(up.ratios),
      ...(count === 50 ? { aim: "≤ 1.3" } : {}),
    });
    report({
      what: `memory of the supervisor with ${count}`,
      figure: `${(supervisorMb.get(count) ?? 0).toFixed(0)} MB`,
    });
  }
}
