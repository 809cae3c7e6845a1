// What happens after the crash: the supervisor's and the connector's start, the real pump, which finishes what was interrupted and sends what waits, and a platform
// that says everything again that it cannot be sure of.
import { setTimeout as delay } from "node:timers/promises";
import { Pump } from "../../runtime/connector/pump.ts";
import { isDropName, parseRetryName } from "../../runtime/spool/names.ts";
import { namesAt } from "../helpers/seam.ts";
import type { Parts, World } from "./world.ts";

const pollMs = 8;

export interface RestartOptions {
  /** Only the connector's process died: the supervisor, and what it does once at its start, is not repeated. */
  connectorOnly?: boolean;
  /** How long may go by without anything being left to do. */
  timeoutMs?: number;
}

/** Resolves when nothing is left to do. Everything is closed in good order then. */
export async function restart(world: World, options: RestartOptions = {}): Promise<void> {
  world.abandon();
  world.ledger.add({ what: "crashed" });
  const parts = await (options.connectorOnly ? world.startAgain() : world.start());
  await world.persist(() => sayAgain(world, parts));
  await pump(world, parts, options.timeoutMs ?? 20_000);
  await world.stop();
}

async function pump(world: World, { outbox, sender, status }: Parts, timeoutMs: number): Promise<void> {
  const ending = new AbortController();
  const pump = new Pump(outbox, sender, world.settings, status, world.log);
  // Not tried again: a process whose start fails ends, and the next one begins anew.
  await pump.start();
  const sessions = runSessions(pump, world, ending.signal);
  try {
    const deadline = performance.now() + timeoutMs;
    while (!isQuiet(world)) {
      if (performance.now() > deadline)
        throw new Error(`after ${timeoutMs} ms there is still work:\n${describe(world)}`);
      await delay(pollMs);
    }
  } finally {
    ending.abort("the test is over");
    await sessions;
    await pump.drain();
    await pump.close();
  }
}

/** A session that is lost is opened again, as session.ts does. */
async function runSessions(pump: Pump, world: World, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await pump.run({ ...world.port, signal });
    } catch (error) {
      world.warnings.push(`session lost: ${(error as Error).message}`);
      await delay(1);
    }
  }
}

/** Nothing waits but for a time that is far away. */
function isQuiet({ paths }: World): boolean {
  const waits = namesAt(paths.retry).filter((file) => {
    const parsed = parseRetryName(file);
    return parsed !== undefined && !(parsed.attempt === 0 && parsed.dueMs > Date.now());
  });
  return waits.length === 0 && namesAt(paths.sending).length === 0 && !namesAt(paths.outbox).some(isDropName);
}

/** What the platform said is said again, since an acknowledgement may have been lost on its way; where there is a cursor, only what comes after it. */
async function sayAgain(world: World, parts: Parts): Promise<void> {
  for (const said of world.ledger.of("said")) {
    const cursor = (await parts.state.get()).get(`cursor:${said.conversation}`);
    if (said.cursor === undefined || said.cursor > Number(cursor ?? 0)) await world.deliver(said, parts);
  }
}

function describe({ paths, warnings }: World): string {
  const folders = (["outbox", "sending", "retry", "sent", "failed"] as const).map(
    (folder) => `${folder}: ${namesAt(paths[folder]).join(" ")}`,
  );
  return [...folders, ...warnings.slice(-20)].join("\n");
}
