// Single moments at which the power goes, on the model of the disk, that random programs (model.test.ts) come by too rarely to rely on them. Nothing survives that
// was not forced to the disk.
import { expect, test } from "vitest";
import { useFileSystem } from "../../runtime/spool/fs.ts";
import { parseInboxName } from "../../runtime/spool/names.ts";
import { type Entry, Ledger } from "../helpers/ledger.ts";
import { seededRandom } from "../helpers/random.ts";
import { namesAt } from "../helpers/seam.ts";
import { ModelFileSystem } from "./disk-model.ts";
import { recoverAndJudge } from "./judge.ts";
import { ModelDisk, modelRoot } from "./model-disk.ts";
import { afterCut, type Inode, survivalOf } from "./model-inode.ts";
import { restart } from "./restart.ts";
import { World } from "./world.ts";

type Mount = (slot: string, disk: ModelDisk, ledger: Ledger) => World;

/** `mount` makes a disk reachable under a name of its own, with a world on it. */
async function onModel(play: (mount: Mount) => Promise<void>): Promise<void> {
  const files = new ModelFileSystem();
  const putBack = useFileSystem(files.fs);
  try {
    await play((slot, disk, ledger) => {
      files.disks.set(slot, disk);
      return new World(`${modelRoot}/${slot}/spool`, ledger);
    });
  } finally {
    putBack();
  }
}

/** What is on the disk for certain. */
function cut({ root, dirty }: ModelDisk): Inode {
  return afterCut(root, survivalOf(dirty, "nothing", seededRandom(1)), (_, name) => name);
}

test("an event whose process was killed before the folder's fsync is on the disk once its redelivery is answered", () =>
  onModel(async (mount) => {
    const [disk, ledger] = [new ModelDisk(), new Ledger()];
    const killed = mount("before", disk, ledger);
    await killed.start();
    await killed.deliver(killed.say("c1"));

    // The name is there, the answer of the fsync of inbox/ never comes.
    const said = killed.say("c1");
    const isThere = (): boolean => hasEvent(killed, said.id);
    disk.schedule = (answer) => void (isThere() || setImmediate(answer));
    void killed.deliver(said);
    await expect.poll(isThere).toBe(true);
    killed.abandon();
    disk.schedule = setImmediate;

    // Under another name: this process still waits for the fsync, and would for that one's sake wait with the next.
    const next = mount("again", disk, ledger);
    await next.startAgain();
    await next.deliver(said);
    next.abandon();

    const after = mount("after", new ModelDisk(cut(disk)), ledger);
    expect(hasEvent(after, said.id)).toBe(true);
    expect(await recoverAndJudge(after, { oldNames: true })).toEqual([]);
  }));

function hasEvent({ paths }: World, id: string): boolean {
  return namesAt(paths.inbox).some((name) => parseInboxName(name)?.id === id);
}

const firstTries = [
  { what: "whose process was killed", text: "hello", try: (world: World, drop: Drop) => world.claim(drop) },
  { what: "that waited for its retry", text: "busy 1", try: (world: World, drop: Drop) => world.send(drop) },
];
type Drop = ReturnType<World["dropNaively"]>;

test.for(firstTries)(
  "a message $what: its second attempt is on the disk in the moment in which the platform gets it",
  ({ text, try: tryOnce }) =>
    onModel(async (mount) => {
      const disk = new ModelDisk();
      const before = mount("before", disk, new Ledger());
      await before.start();
      const drop = before.dropNaively({ id: "m", conversation_id: "c", text });
      await tryOnce(before, drop);
      before.abandon();

      let left: { root: Inode; entries: readonly Entry[] } | undefined;
      const ledger = new Ledger(before.ledger.entries, ({ what }) => {
        if (what === "arrived") left ??= { root: cut(disk), entries: [...ledger.entries] };
      });
      await restart(mount("again", disk, ledger));

      const after = mount("after", new ModelDisk(left?.root), new Ledger(left?.entries));
      expect(namesAt(after.paths.sending)).toEqual(["m~2.json"]);
      expect(await recoverAndJudge(after, { oldNames: true })).toEqual([]);
    }),
);
