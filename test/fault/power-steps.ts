// One case of a power cut at a known moment: a scenario on a disk of its own, the power cut before one of its calls, a start on what the disk has, the oracle.
//
// All in this process: from the moment of the cut on every call of the scenario fails (inject.ts), so nothing can be promised any more, and nothing stays open.
import { mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { useFileSystem } from "../../runtime/spool/fs.ts";
import { Ledger } from "../helpers/ledger.ts";
import { type Injected, inject } from "./inject.ts";
import { type Call, changes, type Plan } from "./inject-faults.ts";
import { recoverAndJudge } from "./judge.ts";
import { perform } from "./perform.ts";
import type { MountMode, PowerDisk } from "./power-disk.ts";
import type { Scenario } from "./scenarios.ts";
import { World } from "./world.ts";

export interface Cut {
  scenario: Scenario;
  /** Undefined: after the last one, when everything that was promised must be on the disk already. */
  before: Call | undefined;
  /** Whether everything made beforehand was synced, by the producers too. Otherwise a drop may be gone, or torn. */
  synced: boolean;
}

export interface Outcome {
  problems: string[];
  /** The call came, and the power went before it. Group commits depend on the timing: a second fsync of a folder may not be needed this time, and the power goes at the end. */
  fired: boolean;
}

/** The calls of a scenario that change something on the disk. */
export async function callsOf(disk: PowerDisk, scenario: Scenario): Promise<Call[]> {
  return withFolder(disk, async (folder) => {
    const machine = new Machine(join(folder, "spool"));
    try {
      const error = await machine.perform({ scenario, before: undefined, synced: false }, disk);
      if (error !== undefined) throw error;
      // A close changes nothing.
      return machine.injected.calls.filter((call) => changes(call) && !call.what.startsWith("close "));
    } finally {
      machine.end();
    }
  });
}

/** Cuts the power, starts again, judges. The disk is mounted in `nextMode` afterwards. */
export async function outcomeOf(cut: Cut, disk: PowerDisk, nextMode: MountMode): Promise<Outcome> {
  return withFolder(disk, async (folder) => {
    const machine = new Machine(join(folder, "spool"), cut.before, () => disk.cut());
    // What the scenario was doing beside the call at which it ended finds neither the spool nor the ledger afterwards.
    const [at, promised] = [join(folder, "after"), machine.world.ledger.entries];
    try {
      const error = await machine.perform(cut, disk);
      if (error !== undefined && !machine.injected.isDead) throw error;
      if (!machine.injected.isDead) disk.cut();
      machine.world.abandon();
      machine.closeDatabases();
      await disk.revive(nextMode);
      renameSync(machine.world.root, at);
    } finally {
      machine.end();
    }
    const { fired } = machine.injected;
    return { fired, problems: await recoverAndJudge(new World(at, new Ledger(promised))) };
  });
}

/** The machine whose power goes: a world on the injected file system. */
class Machine {
  readonly world: World;
  readonly injected: Injected;
  private readonly databases: DatabaseSync[] = [];
  private readonly putBack: () => void;

  constructor(root: string, before?: Call, cut: () => void = () => undefined) {
    this.world = new World(root, new Ledger());
    const plan: Plan | undefined = before && { call: before, fault: "kill before" };
    const kill = () => {
      cut();
      this.world.abandon();
    };
    this.injected = inject({ root, plan, kill });
    this.putBack = useFileSystem({
      ...this.injected.fs,
      openDatabase: async (path) => {
        const database = await this.injected.fs.openDatabase(path);
        this.databases.push(database);
        return database;
      },
    });
  }

  /** Prepares, forces that to the disk, acts. What the act threw, if it did. */
  perform({ scenario, synced }: Cut, disk: PowerDisk): Promise<Error | undefined> {
    const { ledger } = this.world;
    return perform(scenario, this.world, this.injected, () => {
      if (!synced) return;
      disk.sync();
      for (const { file } of ledger.of("dropping")) ledger.add({ what: "dropped", file });
    });
  }

  /** What a dead process has open is closed by its system. */
  closeDatabases(): void {
    for (const database of this.databases) if (database.isOpen) database.close();
  }

  end(): void {
    this.closeDatabases();
    this.putBack();
  }
}

async function withFolder<T>(disk: PowerDisk, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = join(disk.folder, "case");
  mkdirSync(join(folder, "spool"), { recursive: true });
  // The folder itself is no part of what is tried.
  disk.sync();
  const result = await use(folder);
  rmSync(folder, { recursive: true });
  return result;
}
