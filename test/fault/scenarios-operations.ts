// Scenarios of the supervisor and of people: starts, a reload, sweeps, pauses, dead letters that go back or away.
import { join } from "node:path";
import { request, withdraw } from "../../runtime/spool/control.ts";
import { syncFolder } from "../../runtime/spool/disk.ts";
import { fs } from "../../runtime/spool/fs.ts";
import { purge, redrive } from "../../runtime/spool/redrive.ts";
import { removeOldReceipts } from "../../runtime/spool/retention.ts";
import { sweepTmp } from "../../runtime/spool/tmp.ts";
import { namesAt, writeNaively } from "../helpers/seam.ts";
import { deadTmpName, leaveRemains } from "./remains.ts";
import { restart } from "./restart.ts";
import { failedLetter, refusedDrop } from "./scenarios-out.ts";
import type { Scenario } from "./scenarios.ts";
import type { Dropped, World } from "./world.ts";

const anHourMs = 3_600_000;

export const operations: Scenario[] = [
  {
    name: "start on an empty folder",
    alone: true,
    prepare: async () => ({}),
    act: async (world) => {
      await world.start();
      // What it made must be able to hold something.
      await world.dropDurably("hello");
      await world.deliver(world.say(`c${world.next()}`));
    },
  },
  {
    name: "start after a crash",
    alone: true,
    prepare: async (world) => {
      await leaveRemains(world);
      return {};
    },
    act: async (world) => restart(world),
  },
  {
    name: "reload",
    alone: true,
    prepare: async (world) => {
      await world.start();
      const said = world.say(`c${world.next()}`);
      await world.deliver(said);
      return { said };
    },
    act: async (world, { said }) => {
      await world.stop();
      await world.startAgain();
      if (said !== undefined) await world.deliver(said);
      await world.deliver(world.say(`c${world.next()}`));
    },
  },
  {
    name: "sweep",
    prepare: async (world) => {
      const dropped = await sentMessage(world);
      // Receipts are removed after weeks: what was not synced then is on the disk by itself.
      await Promise.all([world.paths.outbox, world.paths.sending].map((folder) => syncFolder(folder)));
      const old = new Date(Date.now() - 2 * anHourMs);
      fs.utimesSync(join(world.paths.sent, `${dropped.id}.json`), old, old);
      writeNaively(join(world.paths.tmp, deadTmpName(world.next())), Buffer.from("half a"));
      return { drops: [dropped] };
    },
    act: async (world, { drops: [dropped] = [] }) => {
      const { id = "" } = dropped ?? {};
      world.ledger.add({ what: "sweeping", id });
      await world.persist(() => removeOldReceipts(world.paths.sent, anHourMs, new AbortController().signal));
      world.ledger.add({ what: "swept", id });
      await world.persist(() => sweepTmp(world.paths.tmp));
    },
  },
  {
    name: "pause and resume",
    prepare: async (world) => {
      await world.start();
      await pause(world, `p${world.next()}`);
      return { key: world.ledger.of("paused").at(-1)?.name ?? "" };
    },
    act: async (world, { key: name = "" }) => {
      await pause(world, `p${world.next()}`);
      world.ledger.add({ what: "resuming", name });
      await world.persist(() => withdraw(world.root, name, "pause"));
      world.ledger.add({ what: "resumed", name });
    },
  },
  redriving("redrive", failedLetter, true),
  redriving("redrive a refusal", refusedDrop, false),
  {
    name: "purge",
    prepare: async (world) => ({ drops: [...(await failedLetter(world)), ...(await refusedDrop(world))] }),
    act: async (world, { drops = [] }) => {
      const ids = drops.map(({ id }) => id);
      for (const id of ids) world.ledger.add({ what: "purging", id });
      await world.persist(() => purge(world.root, world.connector, ids));
      for (const id of ids) world.ledger.add({ what: "purged", id });
    },
  },
];

function redriving(
  name: string,
  prepare: (world: World) => Promise<Dropped[]>,
  hasMessage: boolean,
): Scenario {
  return {
    name,
    prepare: async (world) => ({ drops: await prepare(world) }),
    act: async (world, { drops: [dropped] = [] }) => {
      if (dropped === undefined) return;
      const { id, file } = dropped;
      world.ledger.add({ what: "redriving", id });
      await world.persist(() => redrive(world.root, world.connector, [{ id, hasMessage, drop: file }]));
      world.ledger.add({ what: "redriven", id });
      const again = namesAt(world.paths.outbox).find((one) =>
        one.endsWith(hasMessage ? `-${id}.json` : file),
      );
      if (again !== undefined && hasMessage) await world.send({ file: again, id });
    },
  };
}

async function sentMessage(world: World): Promise<Dropped> {
  await world.start();
  const dropped = await world.dropDurably("hello");
  await world.send(dropped);
  return dropped;
}

async function pause(world: World, name: string): Promise<void> {
  world.ledger.add({ what: "pausing", name });
  await world.persist(() => request(world.root, name, "pause", "a test"));
  world.ledger.add({ what: "paused", name });
}
