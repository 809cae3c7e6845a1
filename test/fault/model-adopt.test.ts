// A kill, a redelivery and then a power cut, in the one order in which the inbox has to be forced to the disk before its ids are taken over as seen. Random programs
// (model.test.ts) come by here too rarely to rely on it.
import { expect, test } from "vitest";
import { parseInboxName } from "../../runtime/spool/names.ts";
import { useFileSystem } from "../../runtime/spool/fs.ts";
import { Ledger } from "../helpers/ledger.ts";
import { seededRandom } from "../helpers/random.ts";
import { namesAt } from "../helpers/seam.ts";
import { ModelFileSystem } from "./disk-model.ts";
import { recoverAndJudge } from "./judge.ts";
import { ModelDisk, modelRoot } from "./model-disk.ts";
import { afterCut, survivalOf } from "./model-inode.ts";
import { World } from "./world.ts";

test("an event whose process was killed before the folder's fsync is on the disk once its redelivery is answered", async () => {
  const files = new ModelFileSystem();
  const putBack = useFileSystem(files.fs);
  try {
    const disk = new ModelDisk();
    files.disks.set("before", disk);
    const ledger = new Ledger();
    const killed = new World(`${modelRoot}/before/spool`, ledger);
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
    files.disks.set("again", disk);
    const next = new World(`${modelRoot}/again/spool`, ledger);
    await next.startAgain();
    await next.deliver(said);
    next.abandon();

    const root = afterCut(disk.root, survivalOf(disk.dirty, "nothing", seededRandom(1)), (_, name) => name);
    files.disks.set("after", new ModelDisk(root));
    const after = new World(`${modelRoot}/after/spool`, ledger);
    expect(hasEvent(after, said.id)).toBe(true);
    expect(await recoverAndJudge(after, { oldNames: true })).toEqual([]);
  } finally {
    putBack();
  }
});

function hasEvent({ paths }: World, id: string): boolean {
  return namesAt(paths.inbox).some((name) => parseInboxName(name)?.id === id);
}
