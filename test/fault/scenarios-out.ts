// Outbound scenarios: one for every transition of schema/README.md that a message or a drop can make.
import { join } from "node:path";
import { SpoolwayError } from "../../runtime/errors.ts";
import { fs } from "../../runtime/spool/fs.ts";
import { refuseDrop } from "../../runtime/spool/refuse.ts";
import { bytesAt, writeNaively } from "../helpers/seam.ts";
import type { Scenario } from "./scenarios.ts";
import type { Dropped, World } from "./world.ts";

/** Drops naively, then sends what was dropped, in order, until it is settled. */
function sending(name: string, drop: (world: World) => Dropped[]): Scenario {
  return {
    name,
    prepare: async (world) => {
      await world.start();
      return { drops: drop(world) };
    },
    act: async (world, { drops = [] }) => {
      for (const one of drops) await sendUntilSettled(world, one);
    },
  };
}

async function sendUntilSettled(world: World, dropped: Dropped): Promise<void> {
  let waiting = await world.send(dropped);
  while (waiting !== undefined) waiting = await world.resend(waiting, dropped.id);
}

/** One message of its own conversation. */
function message(world: World, text = "hello") {
  return { id: `m${world.next()}`, conversation_id: `c${world.next()}`, text };
}

const anHourMs = 3_600_000;
const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();

export const outbound: Scenario[] = [
  {
    name: "drop",
    prepare: async (world) => {
      await world.start();
      return {};
    },
    act: async (world) => void (await world.dropDurably("hello")),
  },
  {
    name: "claim",
    // The process ends before anything is sent: what is claimed is all that is known of it.
    prepare: async (world) => {
      await world.start();
      return { drops: [world.dropNaively(message(world))] };
    },
    act: async (world, { drops: [dropped] = [] }) => {
      if (dropped !== undefined) await world.claim(dropped);
    },
  },
  sending("send ok", (world) => [world.dropNaively(message(world))]),
  sending("send without an id", (world) => [
    world.dropNaively({ conversation_id: `c${world.next()}`, text: "hello" }),
  ]),
  sending("lane", (world) => {
    const conversation_id = `c${world.next()}`;
    return ["hello", "busy 1", "hello"].map((text) =>
      world.dropNaively({ id: `m${world.next()}`, conversation_id, text }),
    );
  }),
  sending("retry", (world) => [world.dropNaively(message(world, "busy 2"))]),
  sending("uncertain", (world) => [world.dropNaively(message(world, "late 1"))]),
  sending("dead letter", (world) => [world.dropNaively(message(world, "no 9"))]),
  sending("expired", (world) => [
    world.dropNaively({ ...message(world), expires_at: inMs(-anHourMs) }, { isExpired: true }),
  ]),
  {
    name: "expired in retry",
    prepare: async (world) => {
      await world.start();
      const dropped = world.dropNaively(message(world, "busy 1"), { isExpired: true });
      return { drops: [dropped], key: (await world.send(dropped)) ?? "" };
    },
    act: async (world, { drops: [dropped] = [], key: file = "" }) => {
      const { outbox, sender } = await world.start();
      if (dropped === undefined) return;
      const waiting = outbox.readAccepted("retry", file, dropped.id);
      if (waiting.kind !== "message") throw new Error(`retry/${file} is ${waiting.kind}`);
      // As the handler does when its time is over.
      await world.persist(() => sender.fail(waiting.entry, new SpoolwayError("expired", "too late"), file));
      world.ledger.add({ what: "settled", id: dropped.id, as: "failed" });
    },
  },
  {
    name: "schedule",
    prepare: async (world) => {
      await world.start();
      const later = { ...message(world), not_before: inMs(anHourMs) };
      return { drops: [world.dropNaively(later, { isScheduled: true })] };
    },
    act: async (world, { drops: [dropped] = [] }) => {
      if (dropped === undefined) return;
      await world.send(dropped);
      world.ledger.add({ what: "accepted", id: dropped.id });
    },
  },
  sending("attachments", (world) => {
    const path = `a${world.next()}.txt`;
    writeNaively(join(world.paths.outbox, path), Buffer.from(`bytes of ${path}`));
    return [world.dropNaively({ ...message(world, "busy 1"), attachments: [{ path }] })];
  }),
  {
    name: "refusal",
    prepare: async (world) => {
      await world.start();
      return { drops: [world.dropNaively(`this is no JSON: ${world.next()}`, { as: "bad" })] };
    },
    act: async (world, { drops: [dropped] = [] }) => {
      if (dropped !== undefined) await refuse(world, dropped);
    },
  },
  sending("duplicate", (world) => {
    const same = message(world);
    return [world.dropNaively(same), world.dropNaively(same, { as: "repeated" })];
  }),
  sending("conflicting id", (world) => {
    const first = message(world);
    const other = { ...first, text: "something else" };
    return [world.dropNaively(first), world.dropNaively(other, { as: "conflicting" })];
  }),
  {
    name: "moved dead letter",
    prepare: async (world) => {
      const [{ id } = { id: "" }] = await failedLetter(world);
      // mv, by a person: nothing is synced.
      const file = `r${world.next()}.json`;
      world.ledger.add({ what: "redriving", id });
      fs.renameSync(join(world.paths.failed, `${id}.json`), join(world.paths.outbox, file));
      return { drops: [{ file, id }] };
    },
    act: async (world, { drops: [moved] = [] }) => {
      if (moved !== undefined) await sendUntilSettled(world, moved);
    },
  },
  {
    name: "copied dead letter",
    prepare: async (world) => {
      const drops = await failedLetter(world);
      // A person copies it back instead of moving it.
      const file = `r${world.next()}.json`;
      const id = drops[0]?.id ?? "";
      const letter = bytesAt(join(world.paths.failed, `${id}.json`));
      world.ledger.add({ what: "redriving", id, copy: letter.toString() });
      writeNaively(join(world.paths.outbox, file), letter);
      return { drops: [{ file, id }] };
    },
    act: async (world, { drops: [copy] = [] }) => {
      if (copy !== undefined) await sendUntilSettled(world, copy);
    },
  },
];

/** A message that the platform refuses once, dead-lettered. */
export async function failedLetter(world: World): Promise<Dropped[]> {
  await world.start();
  const dropped = world.dropNaively(message(world, "no 1"));
  await sendUntilSettled(world, dropped);
  return [dropped];
}

/** A bad drop, refused. */
export async function refusedDrop(world: World): Promise<Dropped[]> {
  await world.start();
  const dropped = world.dropNaively(`neither is this: ${world.next()}`, { as: "bad" });
  await refuse(world, dropped);
  return [dropped];
}

/** T7, as the looker does when the settle time is over. */
async function refuse(world: World, { file, id }: Dropped): Promise<void> {
  const { outbox } = await world.start();
  const read = outbox.read(file);
  if (read.kind !== "unfinished") throw new Error(`${file} is ${read.kind}`);
  const { code, error, bytes } = read;
  await world.persist(() => refuseDrop(outbox, file, { id, code, error, bytes }, () => false));
  world.ledger.add({ what: "refused", file });
}
