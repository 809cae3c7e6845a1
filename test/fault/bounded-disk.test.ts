// The disk is nearly full, then full, and whatever becomes free is taken by somebody else at once. Events are refused before that (a webhook gets 503, a cursor stays),
// what was accepted is sent and gets its receipt out of the reserve, `spoolway status` says what to do, and when there is room again everything goes on by itself.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Bus, projectRoot, startBus } from "../helpers/bus.ts";
import { atEnd } from "../helpers/children.ts";
import { Oracle, orderProblem } from "../helpers/oracle.ts";
import { freePort } from "../helpers/ports.ts";
import { startWire, type Wire, wireType } from "../helpers/servers/wire.ts";
import { cannotMount, type DiskOptions, mountDisk, type SmallDisk } from "../helpers/smallDisk.ts";
import { waitFor } from "../helpers/wait.ts";

const messages = Number(process.env.SPOOLWAY_FULL_MESSAGES ?? 120);
const conversations = 6;

interface Kind extends DiskOptions {
  what: "bytes" | "inodes";
}
const kinds: Kind[] = [
  { type: "tmpfs", bytes: 16 << 20, inodes: 20_000, what: "bytes" },
  { type: "tmpfs", bytes: 64 << 20, inodes: 2500, what: "inodes" },
  { type: "ext4", bytes: 32 << 20, inodes: 8000, what: "bytes" },
];

test(
  "a disk that runs out of bytes or inodes stops events, and no message",
  { timeout: 300_000 },
  async () => {
    const possible = kinds.filter(({ type }) => {
      const why = cannotMount(type);
      if (why !== undefined) console.warn(`SKIPPED: a full disk on ${type}: ${why}`);
      return why === undefined;
    });
    await Promise.all(possible.map((kind) => fillUp(kind)));
  },
);

async function fillUp(options: Kind): Promise<void> {
  const { what } = options;
  const home = mkdtempSync(join(tmpdir(), "spoolway-full-"));
  atEnd((failed) => {
    if (!failed) rmSync(home, { recursive: true, force: true });
  });
  const spool = join(home, "spool");
  mkdirSync(spool);
  const disk = mountDisk(spool, options);
  const wire = await startWire(() => ({ answer: "ok", afterMs: 30 }));
  const port = await freePort();
  const source = join(home, "source");
  writeFileSync(source, "10");
  const bus = await startBus({
    home,
    connectors: [
      { name: "web", type: "webhook", port },
      { name: "wire", type: wireType, port: wire.port },
      {
        name: "poll",
        type: join(projectRoot, "test/helpers/connectors/syncing"),
        source,
        runtime: { sync_every: "1s" },
      },
    ],
  });
  const accepted: string[] = [];
  const headers = { "content-type": "application/json" };
  const post = async (text: string): Promise<number> => {
    const request = { method: "POST", headers, body: JSON.stringify({ text }) };
    const { status } = await fetch(`http://127.0.0.1:${port}/`, request);
    if (status < 300) accepted.push(text);
    return status;
  };
  const polled = () => bus.events((event) => event.connector.instance === "poll").length;
  expect(await post("before")).toBe(202);
  await waitFor(() => polled() === 10);
  const before = Object.fromEntries(["web", "wire", "poll"].map((one) => [one, bus.connector(one)?.pid]));

  // Accepted before the disk is full: drops are files, too.
  bus.pause("wire");
  await bus.waitForConnector("wire", "paused");
  const dropped = drop(bus, "first", messages);
  const note = join(spool, "outbox/wire/note.txt");
  writeFileSync(note, "a file to be copied");
  const withFile = { conversation_id: "files", text: "see the file", attachments: [{ path: "note.txt" }] };
  bus.send("wire", { id: "with-file", ...withFile });

  // Nearly full: events are refused although there is room.
  if (what === "bytes") disk.fillTo({ bytes: options.bytes / 20 });
  else disk.fillTo({ inodes: options.inodes / 20 });
  expect(await post("nearly")).toBe(503);
  writeFileSync(source, "20");
  const status = await waitFor(async () => {
    const { code, stdout } = await bus.command("status");
    return code !== 0 && stdout.includes("nearly full") ? stdout : undefined;
  });
  expect(status).toContain("Free space, or inodes, on the spool's disk");

  // Full: now nothing is left at all.
  disk.seize(what);
  bus.resume("wire");
  await settled(bus, dropped, disk, wire);
  expect(disk[what === "bytes" ? "freeBytes" : "freeInodes"]).toBeLessThan(20 * 4096);
  expect(await post("full")).toBe(503);
  // What would take room waits; the session is as it was.
  expect(wire.arrivals.has("files")).toBe(false);
  expect(wire.hellos).toHaveLength(2);
  expect(polled()).toBe(10);
  // The heartbeats go on, by way of the reserve: nobody is taken for hung, and the status still says what to do.
  const beats = bus.heartbeat("web")?.seq ?? 0;
  await waitFor(() => (bus.heartbeat("web")?.seq ?? 0) > beats + 1);
  expect((await bus.command("status")).stdout).toContain("the disk is");

  // Room again: nobody has to be told.
  disk.yield();
  await waitFor(async () => (await post("after")) === 202, { timeoutMs: 30_000, message: "an acceptance" });
  await waitFor(() => polled() === 20, { timeoutMs: 30_000, message: "the cursor to go on" });
  for (const [id, conversation] of drop(bus, "second", 20)) dropped.set(id, conversation);
  dropped.set("with-file", "files");
  await settled(bus, dropped, disk, wire);
  await waitFor(async () => (await bus.command("status")).code === 0, { message: "a clean status" });

  for (const one of ["web", "poll"])
    expect(bus.connector(one)).toMatchObject({ pid: before[one], restarts: 0 });
  expect(
    bus.events((event) => event.connector.instance === "web").map((event) => event.content?.text),
  ).toEqual(accepted);
  await bus.stop();
  rmSync(note);
  const oracle = new Oracle(spool, "wire");
  expect(oracle.checkSettled(new Map([...dropped.keys()].map((id) => [id, "sent" as const])))).toEqual([]);
  expect(orderOut(wire, dropped)).toEqual([]);
  console.log(
    `${options.type}, out of ${what}: ${dropped.size} messages settled, ${accepted.length} events accepted, 0 lost`,
  );
}

/** id → conversation. */
function drop(bus: Bus, wave: string, count: number): Map<string, string> {
  const dropped = new Map<string, string>();
  for (let n = 0; n < count; n += 1) {
    const conversation = `c${n % conversations}`;
    const id = `${wave}-${String(n).padStart(5, "0")}`;
    bus.drop("wire", { id, conversation_id: conversation, text: `out ${n}` }, `${id}.json`);
    dropped.set(id, conversation);
  }
  return dropped;
}

async function settled(
  bus: Bus,
  dropped: ReadonlyMap<string, string>,
  disk: SmallDisk,
  wire: Wire,
): Promise<void> {
  await waitFor(() => bus.list("sent/wire").length === dropped.size, {
    timeoutMs: 45_000 + messages * 50,
    message: () =>
      `${dropped.size} receipts; there are ${bus.list("sent/wire").length}, ${[...wire.arrivals.values()].flat().length} arrived; ` +
      `free: ${disk.freeBytes} bytes, ${disk.freeInodes} inodes\n${bus.where("wire")}`,
  });
}

function orderOut(wire: Wire, dropped: ReadonlyMap<string, string>): string[] {
  return [...new Set(dropped.values())].flatMap((conversation) => {
    const expected = [...dropped].filter(([, one]) => one === conversation).map(([id]) => id);
    const problem = orderProblem(
      (wire.arrivals.get(conversation) ?? []).map(({ id }) => id),
      expected,
    );
    return problem === undefined ? [] : [`${conversation}: ${problem}`];
  });
}
