// Very many files at the start: waiting in the outbox, waiting for their date, dead letters and receipts. The connector stays far below its memory limit, sends its first message
// within seconds, and in order.
//
// SPOOLWAY_WAITING (default 200000) is how many wait; half as many have a date, and there is a quarter of receipts and of dead letters.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { formatTime } from "../../runtime/spool/names.ts";
import { type ConnectorProcess, startConnector } from "../helpers/connectorProcess.ts";
import { memoryHome } from "../helpers/memoryFolder.ts";
import { startWire, type Wire, wireType } from "../helpers/servers/wire.ts";
import { waitFor } from "../helpers/wait.ts";

const waiting = Number(process.env.SPOOLWAY_WAITING ?? 200_000);
const timeoutMs = 180_000 + waiting / 4;
/** Generous: seconds on a machine with nothing else to do, and these tests share theirs. */
const firstMaxMs = 10_000 + waiting / 20;
const conversations = 8;
/** Below what runtime.memory_mb is by default: bounded, whatever waits. */
const memoryMb = 256;
const hourMs = 3_600_000;

const peakMb = (pid: number): number =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
const onLinux = test.runIf(process.platform === "linux");

function fill(folder: string, count: number, file: (n: number) => { name: string; content: object }): void {
  mkdirSync(folder, { recursive: true });
  for (let n = 0; n < count; n += 1) {
    const { name, content } = file(n);
    writeFileSync(join(folder, name), JSON.stringify(content));
  }
}

const serial = (n: number): string => String(n).padStart(8, "0");
const message = (n: number) => ({
  id: `m${serial(n)}`,
  conversation_id: `c${n % conversations}`,
  text: `${n}`,
});
const scheduled = (id: string, conversation: string, dueMs: number) => ({
  name: `${formatTime(BigInt(dueMs) * 1000n)}-${id}~0.json`,
  content: {
    version: 1,
    record: "retry",
    id,
    connector: "one",
    attempts: 0,
    due_at: new Date(dueMs).toISOString(),
    accepted_at: new Date(dueMs - hourMs).toISOString(),
    budget_used: 0,
    message: { id, conversation_id: conversation, text: id, not_before: new Date(dueMs).toISOString() },
  },
});

/** Starts it with the V8 heap that the supervisor would give it, and waits for the first arrivals. */
async function start(
  home: string,
  wire: Wire,
  arrivals: number,
): Promise<{ one: ConnectorProcess; firstMs: number }> {
  const began = performance.now();
  const one = await startConnector({
    type: wireType,
    port: wire.port,
    home,
    env: { NODE_OPTIONS: `--max-old-space-size=${memoryMb}` },
  });
  const count = () => [...wire.arrivals.values()].reduce((sum, list) => sum + list.length, 0);
  await waitFor(() => count() > 0, {
    timeoutMs: firstMaxMs,
    message: () => `a message; ${one.logs().slice(-2000)}`,
  });
  const firstMs = performance.now() - began;
  await waitFor(() => count() >= arrivals, {
    timeoutMs: firstMaxMs,
    message: () => `${arrivals} messages; ${one.logs().slice(-2000)}`,
  });
  return { one, firstMs };
}

function says(what: string, one: ConnectorProcess, firstMs: number): void {
  console.log(
    `${what}: first message ${(firstMs / 1000).toFixed(1)} s after the start, at most ${Math.round(peakMb(one.pid))} MB`,
  );
}

onLinux("waiting messages", { timeout: timeoutMs }, async () => {
  const home = await memoryHome();
  fill(join(home, "spool/outbox/one"), waiting, (n) => ({ name: `${serial(n)}.json`, content: message(n) }));
  const wire = await startWire();
  const { one, firstMs } = await start(home, wire, 1000);
  says(`${waiting} waiting messages`, one, firstMs);
  expect(peakMb(one.pid)).toBeLessThan(memoryMb);
  expect(firstMs).toBeLessThan(firstMaxMs);
  await waitFor(() => (one.heartbeat("one")?.outbox_depth ?? 0) > waiting / 2, {
    message: "a heartbeat with the depth",
  });
  expect(await one.stop()).toMatchObject({ code: 0 });
  rmSync(home, { recursive: true }); // here, because a hook has less time
  for (const [conversation, list] of wire.arrivals) {
    const first = Number(conversation.slice(1));
    expect(list.map(({ text }) => text)).toEqual(list.map((_, n) => String(first + n * conversations)));
  }
});

onLinux("messages with a date, dead letters and receipts", { timeout: timeoutMs }, async () => {
  const home = await memoryHome();
  const tomorrow = Date.now() + 24 * hourMs;
  const due = 1000;
  const far = waiting / 2;
  fill(join(home, "spool/retry/one"), due, (n) =>
    scheduled(`due${serial(n)}`, `c${n % conversations}`, Date.now() - hourMs + n),
  );
  fill(join(home, "spool/retry/one"), far, (n) =>
    scheduled(`far${serial(n)}`, `c${n % conversations}`, tomorrow + n),
  );
  for (const folder of ["sent", "failed"])
    fill(join(home, "spool", folder, "one"), waiting / 4, (n) => ({
      name: `${folder}${serial(n)}.json`,
      content: {},
    }));
  const wire = await startWire();
  const { one, firstMs } = await start(home, wire, due);
  says(`${far} messages with a date, ${waiting / 4} receipts, ${waiting / 4} dead letters`, one, firstMs);
  expect(peakMb(one.pid)).toBeLessThan(memoryMb);
  expect(firstMs).toBeLessThan(firstMaxMs);
  await waitFor(() => one.heartbeat("one")?.retry_depth === far, {
    message: () => `${far} to wait; ${one.heartbeat("one")?.retry_depth}`,
  });
  await waitFor(() => readdirSync(join(home, "spool/sending/one")).length === 0);
  for (const list of wire.arrivals.values()) {
    const ids = list.map(({ id }) => id);
    expect(ids).toEqual([...ids].sort());
  }
  expect(await one.stop()).toMatchObject({ code: 0 });
  rmSync(home, { recursive: true }); // here, because a hook has less time
});
