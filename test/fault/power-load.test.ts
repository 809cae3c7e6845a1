// Promises 1, 2 and 3 while the power goes: the spool lies on a disk of its own (power-disk.ts), messages flow both ways, and at random moments the power of that
// disk is cut, everything is killed, the disk is mounted again and the bus started anew. What was acknowledged to the platform or to a producer is never lost.
//
// The platform, and what the producers know, are outside of the disk. A drop counts as promised when its producer synced it, when the platform has seen it, or when
// it was on the disk after an earlier cut; any other may be gone, or hold no message.
//
// SPOOLWAY_POWER_CUTS (default 12; `npm run test:power` has 300) and SPOOLWAY_SEED are parameters. A seed repeats the choices; the machine's timing stays its own.
import { existsSync, readFileSync, rmSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { parseClaimName, parseRetryName } from "../../runtime/spool/names.ts";
import { type Bus, startBus } from "../helpers/bus.ts";
import { atEnd } from "../helpers/children.ts";
import { Oracle } from "../helpers/oracle.ts";
import { type Random, seededRandom } from "../helpers/random.ts";
import { startWire, type Wire, wireType } from "../helpers/servers/wire.ts";
import { moodyAnswers, Traffic } from "../helpers/traffic.ts";
import { waitFor } from "../helpers/wait.ts";
import { missingPowerDisk, type MountMode, mountModes, PowerDisk } from "./power-disk.ts";

const cuts = Number(process.env.SPOOLWAY_POWER_CUTS ?? 12);
const seed = Number(process.env.SPOOLWAY_SEED ?? Math.floor(Math.random() * 2 ** 31));
/** So many cuts, then everything must settle, and a new disk is taken. */
const cutsPerDisk = 25;
const missing = missingPowerDisk();
const modes = Object.keys(mountModes) as MountMode[];

const total = { cuts: 0, out: 0, in: 0, lost: 0, twice: 0, claimed: 0 };

test.skipIf(missing)(
  `nothing that was promised is lost in a power cut${missing === undefined ? "" : ` (${missing})`}`,
  { timeout: 120_000 + cuts * 20_000 },
  async () => {
    console.log(`seed ${seed}, ${cuts} power cuts`);
    for (let round = 0; total.cuts < cuts; round += 1) {
      const random = seededRandom(seed + round);
      await oneDisk(random, Math.min(cutsPerDisk, cuts - total.cuts), `seed ${seed}, round ${round}`);
    }
    console.log(
      `${total.cuts} power cuts; ${total.out} messages out (${total.twice} sent twice, with the same id), ${total.in} in; nothing promised was lost; ` +
        `${total.lost} drops that nobody had synced went with the power; ${total.claimed} claims were found half-sent`,
    );
  },
);

/** A new disk and a new bus, cut so often, settled at the end. */
async function oneDisk(random: Random, wantedCuts: number, replay: string): Promise<void> {
  const disk = PowerDisk.create({ folder: "home/spool" });
  atEnd(() => disk.remove());
  const wire = await startWire(moodyAnswers(random));
  const bus = await startBus({
    home: join(disk.safe, "home"),
    connectors: [{ name: "wire", type: wireType, port: wire.port }],
    defaults: {
      connector: { retry: { attempts: 100, base: "10ms", max: "100ms" }, concurrency: 8 },
      supervisor: { backoff_base: "20ms", backoff_max: "100ms", park_crashes: 1000 },
    },
  });
  const judge = new Judge(bus, wire, new Traffic(bus, wire, random, { syncedShare: 0.5 }));
  const { traffic } = judge;
  const flow = new AbortController();
  const flowing = traffic.flow(flow.signal);
  let hellos = 0;
  for (let cut = 0; cut < wantedCuts; cut += 1) {
    // Two in three times it gets as far as its session, and the power goes in the flow; else somewhere in the start.
    if (random.chance(0.67)) await waitFor(() => wire.hellos.length > hellos, { timeoutMs: 60_000 });
    await delay(random.below(400));
    disk.cut();
    traffic.paused = true;
    // A disk that died under a living machine: what is acknowledged now is judged as well.
    if (random.chance(0.25)) await delay(random.below(300));
    await bus.kill();
    const mode = modes[random.below(modes.length)] ?? "ordered";
    await disk.revive(mode);
    expect(judge.afterCut(), `${replay}, cut ${cut}`).toEqual([]);
    total.cuts += 1;
    // What `stale` leaves of an unsynced drop may be any other message: nobody can tell.
    traffic.syncedShare = mode === "stale" ? 1 : 0.5;
    ageLockFolder(bus.spool);
    hellos = wire.hellos.length;
    await bus.start("nothing");
    traffic.paused = false;
  }
  flow.abort();
  await flowing;
  await waitFor(() => wire.waiting === 0 && traffic.settled(), {
    timeoutMs: 120_000,
    everyMs: 100,
    message: () => `all to be settled; ${wire.waiting} unacknowledged\n${bus.where("wire")}`,
  });
  await bus.stop();
  expect(judge.atEnd(), replay).toEqual([]);
  total.out += traffic.dropped.size;
  total.in += wire.said.length;
  total.twice += traffic.sentTwice();
}

/**
 * A machine takes longer to boot than lock.d stays fresh (10 s). Where the status that names the last holder's host went with the power, the bus would wait that long.
 */
function ageLockFolder(spool: string): void {
  const folder = join(spool, "lock.d");
  if (existsSync(folder)) utimesSync(folder, 0, Date.now() / 1000 - 60);
}

/** What must be on the disk, by what the platform and the producers were told. */
class Judge {
  readonly traffic: Traffic;
  private readonly bus: Bus;
  private readonly wire: Wire;
  private readonly oracle: Oracle;
  /** Ids of drops that may not be lost any more. */
  private readonly promised = new Set<string>();
  /** Ids of claims that were interrupted before their commit point and whose bytes nobody had synced: they must become dead letters that say so. */
  private readonly torn = new Set<string>();

  constructor(bus: Bus, wire: Wire, traffic: Traffic) {
    this.bus = bus;
    this.wire = wire;
    this.traffic = traffic;
    this.oracle = new Oracle(bus.spool, "wire");
  }

  /** The problems of a disk that was just mounted again. Drops that nobody synced are forgotten where the disk does not have them. */
  afterCut(): string[] {
    for (const arrived of this.wire.arrivals.values()) for (const { id } of arrived) this.promised.add(id);
    for (const [id, { synced }] of this.traffic.dropped) if (synced) this.promised.add(id);
    const problems = this.removeEmptied();
    this.forgetTornClaims();
    const onDisk = this.idsOnDisk();
    for (const id of this.traffic.dropped.keys()) {
      if (onDisk.has(id)) this.promised.add(id);
      else if (!this.promised.has(id)) {
        this.traffic.dropped.delete(id);
        total.lost += 1;
      }
    }
    total.claimed += this.bus.list("sending/wire").length;
    const inbox = new Set(this.oracle.inbox().map((event) => event.content?.text));
    const lost = this.wire.acknowledged().filter(({ text }) => !inbox.has(text));
    problems.push(...lost.map(({ text }) => `"${text}" was acknowledged and is not in the inbox`));
    const isTorn = (problem: string) =>
      this.torn.has(/^the claim of (\S+) is torn$/.exec(problem)?.[1] ?? "");
    return [...problems, ...this.oracle.checkStill(this.promised).filter((problem) => !isTorn(problem))];
  }

  /** The problems when everything is settled. */
  atEnd(): string[] {
    return [
      ...this.purgeTorn(),
      ...this.oracle.checkSettled(this.traffic.expected()),
      ...this.traffic.orderOut(),
      ...this.traffic.orderIn(this.oracle.inbox()),
    ];
  }

  /** Drops of which only the name survived: legal where nobody had synced the bytes. Their producers remove them. */
  private removeEmptied(): string[] {
    return this.bus.list("outbox/wire").flatMap((file) => {
      const path = join(this.bus.spool, "outbox/wire", file);
      if (isJson(path)) return [];
      if (this.promised.has(file.replace(/\.json$/, ""))) return [`${file} was synced, and is torn`];
      rmSync(path);
      return [];
    });
  }

  /** The same for claims: one whose commit point was not reached may be torn. */
  private forgetTornClaims(): void {
    for (const file of this.bus.list("sending/wire")) {
      const id = parseClaimName(file)?.id ?? file;
      if (this.promised.has(id) || isJson(join(this.bus.spool, "sending/wire", file))) continue;
      this.torn.add(id);
      this.traffic.dropped.delete(id);
      total.lost += 1;
    }
  }

  /** Each torn claim is a dead letter with its bytes beside it; a person purges them. */
  private purgeTorn(): string[] {
    return [...this.torn].flatMap((id) => {
      const files = ["json", "entry"].map((end) => join(this.bus.spool, "failed/wire", `${id}.${end}`));
      if (!files.every((file) => existsSync(file))) return [`the torn claim ${id} left no dead letter`];
      for (const file of files) rmSync(file);
      return [];
    });
  }

  private idsOnDisk(): Set<string> {
    const list = (folder: string) => this.bus.list(`${folder}/wire`);
    return new Set(
      [
        ...["outbox", "sent", "failed"].flatMap((folder) =>
          list(folder).map((file) => file.replace(/\.json$/, "")),
        ),
        ...list("sending").map((file) => parseClaimName(file)?.id),
        ...list("retry").map((file) => parseRetryName(file)?.id),
      ].filter((id) => id !== undefined),
    );
  }
}

function isJson(path: string): boolean {
  try {
    JSON.parse(readFileSync(path, "utf8"));
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
