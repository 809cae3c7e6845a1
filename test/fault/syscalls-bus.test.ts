// A disk that fails under a running bus: strace answers fsync and rename of a connector's process with EIO and ENOSPC. The bus says so in its status, acknowledges
// nothing that is not on the disk, and goes on by itself when the disk does.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Bus, startBus } from "../helpers/bus.ts";
import { atEnd } from "../helpers/children.ts";
import { Oracle, orderProblem } from "../helpers/oracle.ts";
import { startWire, type Wire, wireType } from "../helpers/servers/wire.ts";
import { waitFor } from "../helpers/wait.ts";
import { Attached, straceMissing } from "./inject-strace.ts";

if (straceMissing !== undefined)
  console.warn(`SKIPPED: a disk that fails under a running bus: ${straceMissing}`);

/** What a person is told. ENOSPC is said as what it is. */
const codes = ["spool_write_failed", "spool_full"];

const cases = [
  { call: "fsync", error: "EIO", of: "every file and folder" },
  { call: "fsync", error: "ENOSPC", of: "every file and folder" },
  { call: "fsync", error: "EIO", of: "inbox", folder: "inbox" },
  { call: "fsync", error: "EIO", of: "sending", folder: "sending/wire" },
  { call: "rename", error: "EIO", of: "every file" },
  { call: "rename", error: "ENOSPC", of: "every file" },
];

describe.skipIf(straceMissing !== undefined)("a disk that fails under a running bus", () => {
  test.for(cases)(
    "$call of $of answers $error: said in status, nothing acknowledged is lost, and it goes on",
    { timeout: 120_000 },
    async ({ call, error, folder }) => {
      const { bus, wire, log } = await world();
      const oracle = new Oracle(bus.spool, "wire");
      const dropped = new Map<string, "sent">();
      const drop = (n: number): void => {
        for (const conversation of ["a", "b"]) {
          dropped.set(
            bus.send("wire", { id: `${conversation}${n}`, conversation_id: conversation, text: `out ${n}` }),
            "sent",
          );
        }
      };
      const say = (n: number): void =>
        ["a", "b"].forEach((conversation) => wire.say(conversation, `in ${n}`));
      drop(0);
      say(0);
      await waitFor(() => bus.list("sent/wire").length === 2 && wire.waiting === 0, {
        message: () => bus.where("wire"),
      });

      const pid = bus.connector("wire")?.pid ?? 0;
      const path = folder === undefined ? [] : ["-P", join(bus.spool, folder)];
      const faults = new Attached(pid, log, [
        ...path,
        "-e",
        `trace=${call}`,
        "-e",
        `inject=${call}:error=${error}`,
      ]);
      atEnd(() => faults.end());
      await faults.attached();
      for (let n = 1; n <= 3; n += 1) {
        drop(n);
        say(n);
      }
      // As `spoolway status` puts them together.
      const isSaid = () =>
        codes.includes((bus.connector("wire")?.error ?? bus.heartbeat("wire")?.error)?.code ?? "");
      await waitFor(isSaid, {
        message: () => `an error in status: ${JSON.stringify(bus.connector("wire"))}\n${bus.where("wire")}`,
      });
      expect(faults.injected().length, "the fault fired").toBeGreaterThan(0);
      // What the platform was told is on the disk, under the fault too.
      expect(oracle.inbox().length).toBeGreaterThanOrEqual(wire.said.length - wire.waiting);
      await faults.end();

      await waitFor(() => wire.waiting === 0 && bus.list("sent/wire").length === dropped.size, {
        timeoutMs: 60_000,
        message: () => `it to go on; ${wire.waiting} unacknowledged\n${bus.where("wire")}`,
      });
      const isOver = () =>
        bus.heartbeat("wire")?.state === "live" && bus.heartbeat("wire")?.error === undefined;
      await waitFor(() => isOver() && bus.connector("wire")?.error === undefined, {
        timeoutMs: 60_000,
        message: () => bus.where("wire"),
      });
      await bus.stop();
      expect(oracle.checkSettled(dropped)).toEqual([]);
      expect(order(wire, oracle, dropped)).toEqual([]);
    },
  );
});

/** A bus with one connector to a platform, which both survive the test's faults. */
async function world(): Promise<{ bus: Bus; wire: Wire; log: string }> {
  const wire = await startWire();
  const bus = await startBus({
    connectors: [{ name: "wire", type: wireType, port: wire.port }],
    defaults: { connector: { retry: { attempts: 100, base: "10ms", max: "100ms" } } },
  });
  const folder = mkdtempSync(join(tmpdir(), "spoolway-strace-"));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  return { bus, wire, log: join(folder, "log") };
}

/** Both ways, each conversation in order; an event is in the inbox once. */
function order(wire: Wire, oracle: Oracle, dropped: ReadonlyMap<string, "sent">): string[] {
  const inbox = oracle.inbox();
  return ["a", "b"].flatMap((conversation) => {
    const arrived = (wire.arrivals.get(conversation) ?? []).map(({ id }) => id);
    const sent = [...dropped.keys()].filter((id) => id.startsWith(conversation));
    const said = wire.said.filter((one) => one.conversation === conversation).map(({ key }) => key);
    const heard = inbox
      .filter((one) => one.conversation?.id === conversation)
      .map((one) => one.platform_id ?? "");
    return [
      orderProblem(arrived, sent),
      orderProblem(heard, said),
      ...(heard.length === said.length ? [] : [`${heard.length} files for ${said.length} events`]),
    ].filter((problem) => problem !== undefined);
  });
}
