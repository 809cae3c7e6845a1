// A connector's process for benchmarks: what the supervisor does to start one, without the supervisor.
import type { ChildProcess } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { loadConfig } from "../../runtime/config/load.ts";
import type { ConnectorConfig, ConnectorSettings } from "../../runtime/config/model.ts";
import type { ToConnector } from "../../runtime/ipc.ts";
import { noGrants } from "../../runtime/sandbox/grants.ts";
import { spawnTethered } from "../../runtime/process.ts";
import { readHeartbeat } from "../../runtime/spool/heartbeats.ts";
import { openSpool } from "../../runtime/spool/spool.ts";

export const root = join(import.meta.dirname, "../..");
const sink = join(root, "test/bench/sink");

export function connectorConfig(
  name: string,
  home: string,
  settings: Partial<ConnectorSettings> = {},
): ConnectorConfig {
  return {
    name,
    type: "sink",
    config: { log: join(home, "sends.log") },
    settings: {
      enabled: true,
      concurrency: 8,
      rate: null,
      retryAttempts: 8,
      retryBaseMs: 1000,
      retryMaxMs: 60_000,
      onUncertain: "resend",
      memoryMb: 512,
      sendTimeoutMs: 60_000,
      connectTimeoutMs: 60_000,
      probeEveryMs: 30_000,
      probeTimeoutMs: 15_000,
      syncEveryMs: 600_000,
      syncLimit: 500,
      settleMs: 5000,
      maxMessageBytes: 1 << 20,
      maxAttachmentBytes: 100 << 20,
      drainMs: 10_000,
      sentKeepMs: 1e12,
      seenKeepMs: 1e12,
      sandbox: false,
      minFreeBytes: 64 << 20,
      minFreeInodes: 1000,
      reserveBytes: 256 << 10,
      ...settings,
    },
    entry: join(sink, "connector.ts"),
    folder: sink,
    grants: noGrants,
    loader: "node",
    secrets: [],
    fingerprint: "",
  };
}

/** Starts the sink's process as the supervisor does, compile cache included. Resolves when its first heartbeat says live. */
export async function startSink(
  home: string,
  settings: Partial<ConnectorSettings> = {},
): Promise<ChildProcess> {
  const spool = join(home, "spool");
  await openSpool(spool);
  const child = spawnTethered(process.execPath, [join(root, "runtime/connector/process.ts")], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    env: { ...process.env, NODE_COMPILE_CACHE: join(root, "node_modules/.cache/spoolway") },
  });
  const start: ToConnector = {
    type: "start",
    connector: connectorConfig("bench", home, settings),
    home,
    spool,
  };
  child.send(start);
  while (readHeartbeat(spool, "bench")?.state !== "live") await sleep(5);
  return child;
}

export async function stopChild(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}

/** A home with a connectors.yml of `count` sinks. Throws when it is not valid. */
export async function homeOfSinks(home: string, count: number): Promise<void> {
  mkdirSync(home, { recursive: true });
  const entries = Array.from({ length: count }, (_, n) => `  - {name: s${n}, type: ${JSON.stringify(sink)}}`);
  writeFileSync(join(home, "connectors.yml"), `connectors:\n${entries.join("\n")}\n`);
  const { problems } = await loadConfig(home);
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
}
