// What crashes leave behind, all of it at once: every row of schema/README.md's state table that start-up has to finish, made with the calls that make them.
import { hostname } from "node:os";
import { readlinkSync } from "node:fs";
import { join } from "node:path";
import { move } from "../../runtime/spool/disk.ts";
import { retryName, inboxName } from "../../runtime/spool/names.ts";
import { publish, publishJson } from "../../runtime/spool/publish.ts";
import { type Accepted, deadLetterOf, receiptOf, retryRecordOf } from "../../runtime/spool/records.ts";
import { writeNaively } from "../helpers/seam.ts";
import { eventBytes, type World } from "./world.ts";

/** A name in tmp/ of a process that is gone for certain: no system has so many. */
export function deadTmpName(part: string): string {
  const namespace = process.platform === "linux" ? readlinkSync("/proc/self/ns/pid") : "";
  const space = `${hostname()}.${namespace}`.replaceAll(/[^A-Za-z0-9.]/g, "").slice(0, 80);
  return `${space}-999999999-${part}`;
}

/** Leaves one message in each interrupted state, a half refused drop, a half published event, a half written file. Its process is gone afterwards. */
export async function leaveRemains(world: World): Promise<void> {
  const { outbox, paths } = await world.start();
  const { tmp, sent, failed, retry } = paths;
  const name = world.connector;
  const rejected = { code: "rejected", message: "no" };
  const claimed = (text = "hello"): Promise<Accepted> =>
    world.claim(world.dropNaively({ id: `m${world.next()}`, conversation_id: `c${world.next()}`, text }));
  const retrying = (entry: Accepted): Promise<boolean> =>
    publishJson(
      tmp,
      retry,
      retryName(Date.now(), entry.id, entry.attempts),
      retryRecordOf(name, entry, Date.now()),
    );
  const failing = (entry: Accepted): Promise<boolean> =>
    publishJson(tmp, failed, `${entry.id}.json`, deadLetterOf(name, entry, rejected));

  await claimed(); // row 2
  await retrying(await claimed()); // row 4
  const row7 = await claimed();
  await world.port.send(toOutgoing(row7), 1, false, world.port.signal);
  await publishJson(tmp, sent, `${row7.id}.json`, receiptOf(name, row7, {}));
  const row8 = await claimed("no 9");
  await failing(row8);
  world.ledger.add({ what: "settled", id: row8.id, as: "failed" });
  const row9 = await claimed();
  await failing(row9);
  move(outbox.claimPath(row9), outbox.claimPath({ ...row9, attempts: 2 }));
  world.ledger.add({ what: "redriving", id: row9.id });
  const row11 = await claimed("no 9");
  await retrying(row11);
  await failing(row11);
  move(outbox.claimPath(row11), join(tmp, deadTmpName(world.next())));
  const row12 = await claimed();
  await retrying(row12);
  move(outbox.claimPath(row12), outbox.claimPath({ ...row12, attempts: 2 }));

  const bad = world.dropNaively(`no JSON: ${world.next()}`, { as: "bad" }); // R6
  move(join(paths.outbox, bad.file), join(failed, `${bad.id}.entry`));

  await world.deliver(world.say(`c${world.next()}`));
  const said = world.say(`c${world.next()}`); // published, not recorded as seen, not acknowledged
  const event = { bytes: eventBytes(world.connector, said), folder: paths.inbox, exclusive: false };
  await publish(tmp, [{ ...event, name: () => inboxName(said.id) }]);
  writeNaively(join(tmp, deadTmpName(world.next())), Buffer.from("half a")); // R5
  world.abandon();
}

const toOutgoing = (entry: Accepted) => ({
  ...entry.message,
  id: entry.id,
  action: entry.message.action ?? ("message" as const),
});
