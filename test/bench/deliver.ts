// Durable deliver: events per second with 1, 32 and 128 in flight, beside the bare file-system calls.
import { closeSync, constants, fsync, fsyncSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { createContext } from "../../runtime/connector/context.ts";
import { createLogger } from "../../runtime/connector/log.ts";
import { newStatus } from "../../runtime/connector/status.ts";
import { InboxWriter } from "../../runtime/spool/inbox.ts";
import { DiskSpace } from "../../runtime/spool/space.ts";
import { openSpool, prepareConnector } from "../../runtime/spool/spool.ts";
import { LazyStateDb } from "../../runtime/spool/statedb.ts";
import { connectorConfig } from "./config.ts";
import { inTurns, median, report, spread } from "./measure.ts";

const text = "x".repeat(400);

/** The whole way of an event: validation, JSON, group commit, seen-set. */
async function deliver(folder: string, count: number, inFlight: number): Promise<number> {
  const spool = join(folder, "spool");
  await openSpool(spool);
  const paths = prepareConnector(spool, "bench");
  const state = new LazyStateDb(paths, 1e9);
  await state.get();
  const connector = connectorConfig("bench", folder);
  const space = new DiskSpace(spool, connector.settings);
  const inbox = new InboxWriter(paths, state, space);
  const parts = {
    connector,
    home: folder,
    canSend: true,
    paths,
    log: createLogger(),
    status: newStatus(),
    state,
    inbox,
    space,
  };
  const ctx = createContext(parts, new AbortController().signal);
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let n = next++; n < count; n = next++) {
      await ctx.deliver({
        key: ["c", String(n)],
        sender: { id: "a" },
        conversation: { id: "c" },
        content: { text },
      });
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: inFlight }, worker));
  const perSecond = (count / (performance.now() - began)) * 1000;
  await state.close();
  return perSecond;
}

const bytes = Buffer.from(JSON.stringify({ text, filler: "y".repeat(350) }));
const { O_CREAT, O_EXCL, O_WRONLY } = constants;

/** write, fsync, rename, directory fsync, one after the other. */
async function bareDurable(folder: string, count: number): Promise<number> {
  const sync = promisify(fsync);
  mkdirSync(join(folder, "tmp"));
  mkdirSync(join(folder, "inbox"));
  const began = performance.now();
  for (let n = 0; n < count; n += 1) {
    const fd = openSync(join(folder, "tmp", String(n)), O_CREAT | O_EXCL | O_WRONLY, 0o600);
    writeSync(fd, bytes);
    await sync(fd);
    closeSync(fd);
    renameSync(join(folder, "tmp", String(n)), join(folder, "inbox", String(n)));
    const dir = openSync(join(folder, "inbox"), "r");
    await sync(dir);
    closeSync(dir);
  }
  return (count / (performance.now() - began)) * 1000;
}

/** create + rename, nothing synced: the ceiling of any file-per-message design. */
async function bareVolatile(folder: string, count: number): Promise<number> {
  mkdirSync(join(folder, "tmp"));
  mkdirSync(join(folder, "inbox"));
  const began = performance.now();
  for (let n = 0; n < count; n += 1) {
    const fd = openSync(join(folder, "tmp", String(n)), O_CREAT | O_EXCL | O_WRONLY, 0o600);
    writeSync(fd, bytes);
    closeSync(fd);
    renameSync(join(folder, "tmp", String(n)), join(folder, "inbox", String(n)));
  }
  return (count / (performance.now() - began)) * 1000;
}

/** What group commit with one fsync per file can reach at most: all of a batch written, fsynced, renamed, one directory fsync. */
async function bareGroup(folder: string, count: number, batch: number): Promise<number> {
  const sync = promisify(fsync);
  mkdirSync(join(folder, "tmp"));
  mkdirSync(join(folder, "inbox"));
  const began = performance.now();
  for (let at = 0; at < count; at += batch) {
    const fds = Array.from({ length: batch }, (_, n) => {
      const fd = openSync(join(folder, "tmp", String(at + n)), O_CREAT | O_EXCL | O_WRONLY, 0o600);
      writeSync(fd, bytes);
      return fd;
    });
    await Promise.all(fds.map((fd) => sync(fd)));
    fds.forEach((fd, n) => {
      closeSync(fd);
      renameSync(join(folder, "tmp", String(at + n)), join(folder, "inbox", String(at + n)));
    });
    const dir = openSync(join(folder, "inbox"), "r");
    fsyncSync(dir);
    closeSync(dir);
  }
  return (count / (performance.now() - began)) * 1000;
}

const perSecond = (values: number[]): string => `${Math.round(median(values))}/s`;

export async function benchDeliver(rounds: number): Promise<void> {
  const one = await inTurns(
    rounds,
    (f) => deliver(f, 300, 1),
    (f) => bareDurable(f, 300),
  );
  report({
    what: "deliver, 1 in flight",
    figure: perSecond(one.ours),
    beside: `bare durable file ${perSecond(one.bare)}`,
    ratio: spread(one.ratios),
    aim: "≥ 0.8",
  });
  for (const inFlight of [32, 128]) {
    const count = inFlight * 30;
    const group = await inTurns(
      rounds,
      (f) => deliver(f, count, inFlight),
      (f) => bareGroup(f, count, inFlight),
    );
    report({
      what: `deliver, ${inFlight} in flight`,
      figure: perSecond(group.ours),
      beside: `bare group commit ${perSecond(group.bare)}`,
      ratio: spread(group.ratios),
    });
  }
  const many = await inTurns(
    rounds,
    (f) => deliver(f, 3840, 128),
    (f) => bareVolatile(f, 3840),
  );
  report({
    what: "deliver, 128 in flight",
    figure: perSecond(many.ours),
    beside: `bare create + rename, no fsync ${perSecond(many.bare)}`,
    ratio: spread(many.ratios),
    aim: "≥ 0.5",
  });
}
