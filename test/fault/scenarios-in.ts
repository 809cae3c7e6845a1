// Inbound scenarios: events, attachments' bytes, the connector's own state.
import { join } from "node:path";
import { remove } from "../../runtime/spool/disk.ts";
import { storeMedia } from "../../runtime/spool/media.ts";
import { parseInboxName } from "../../runtime/spool/names.ts";
import { namesAt } from "../helpers/seam.ts";
import type { Prepared, Scenario } from "./scenarios.ts";
import type { World } from "./world.ts";

const started = async (world: World): Promise<Prepared> => {
  await world.start();
  return {};
};

export const inbound: Scenario[] = [
  {
    name: "deliver",
    prepare: started,
    act: async (world) => world.deliver(world.say(`c${world.next()}`)),
  },
  {
    name: "deliver batch",
    prepare: started,
    act: async (world) => {
      const [one, other] = [`c${world.next()}`, `c${world.next()}`];
      const first = world.say(one);
      // The same tick: one group commit. The platform says the first one twice.
      await Promise.all(
        [first, world.say(other), world.say(one), first, world.say(one)].map((said) => world.deliver(said)),
      );
    },
  },
  {
    name: "deliver again",
    prepare: async (world) => {
      await world.start();
      const said = world.say(`c${world.next()}`);
      await world.deliver(said);
      return { said };
    },
    act: async (world, { said }) => {
      if (said !== undefined) await world.deliver(said);
    },
  },
  {
    name: "consume",
    prepare: started,
    act: async (world) => {
      const said = world.say(`c${world.next()}`);
      await world.deliver(said);
      const { inbox } = world.paths;
      const file = namesAt(inbox).find((name) => parseInboxName(name)?.id === said.id);
      world.ledger.add({ what: "consuming", id: said.id });
      if (file !== undefined) remove(join(inbox, file));
    },
  },
  {
    name: "cursor",
    prepare: started,
    act: async (world) => {
      const conversation = `c${world.next()}`;
      for (let cursor = 1; cursor <= 2; cursor += 1) {
        await world.deliver(world.say(conversation, cursor));
        await set(world, `cursor:${conversation}`, String(cursor));
      }
    },
  },
  {
    name: "state write",
    prepare: async (world) => {
      await world.start();
      const key = `key:${world.next()}`;
      await set(world, key, "before");
      return { key };
    },
    act: async (world, { key = "" }) => {
      await set(world, key, "after");
      await set(world, `key:${world.next()}`, "new");
    },
  },
  {
    name: "media write",
    prepare: started,
    act: async (world) => {
      const bytes = Buffer.from(`attachment ${world.next()}`.repeat(40));
      await store(world, bytes);
      // The same bytes again: they are there already, which is as good as durable.
      await store(world, bytes);
    },
  },
];

async function set(world: World, key: string, value: string): Promise<void> {
  const { state } = await world.start();
  world.ledger.add({ what: "setting", key, value });
  await world.persist(async () => (await state.get()).set(key, value));
  world.ledger.add({ what: "set", key, value });
}

async function store(world: World, bytes: Buffer): Promise<void> {
  const { paths, settings } = world;
  const { sha256 } = await world.persist(() => storeMedia(paths, bytes, settings.maxAttachmentBytes));
  world.ledger.add({ what: "stored", sha256 });
}
